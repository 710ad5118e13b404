/* queue/twins.h - finds orders that no key shows to be the same: same customer, lines and total,
 * another cart
 *
 *     lock what they are about ─► note it, which are alike? ─► flag of each two the later one,
 * commit └─ none: commit
 *
 * Looked for by the payment's worker, before any money is asked for: to accept an order costs
 * nothing more.  Of two that look like one another each is noted by somebody who sees the other (a
 * lock on what they are about), so exactly one of them is flagged, whoever is at work on them at
 * once.
 *
 * A flag raises its order's version: whatever somebody goes on with is overtaken, and reads it.
 */
#pragma once

#include "base/digest.h"
#include "queue/claim.h"

struct twins_ticket {
    struct group_ticket ticket; /* the caller sets on_settled */
    struct order_id order_id;
    const struct claim_order *order;

    /* After COMMITTED. */
    bool is_alike;   /* it looks like another */
    bool is_flagged; /* this order was, now */
    bool is_unsure;  /* it has to be looked for again: the other one was just being written */
    int flagged;     /* how many were by its batch; told with one ticket of it */
};

struct twins_context {
    const char *process;
    int64_t window_ms;
    bool holds; /* what is flagged is held before payment */
};

/* What an order is about, made of the same pieces as twin_check.sql makes it.  False: its contact
 * was erased. */
bool twins_print(const struct claim_order *order, uint8_t print[DIGEST_BYTES])
    __attribute__((warn_unused_result));

extern const struct group_work twins_work; /* its group's owner is a struct twins_context */
void twins_note(const struct twins_ticket *ticket); /* counts, once it is committed */
void twins_register_metrics(void);
