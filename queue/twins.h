/* queue/twins.h - finds orders that no key shows to be the same: same customer, lines and total,
 * another cart
 *
 *     lock what it is about ─► note it, is another like it? ─► commit ─► no: it goes on
 *                                          yes: lock both, flag the later one ─► commit
 *
 * Looked for by the payment's worker, before any money is asked for: to accept an order costs
 * nothing more.  Noted mostly in the transaction of its first claim (queue/begin.h), otherwise in
 * one of its own.  Of two that look like one another each is noted by somebody who sees the other
 * (a lock on what they are about), so exactly one of them is flagged, whoever is at work on them at
 * once.  Who holds that lock waits for no order.
 *
 * A flag raises its order's version: whatever somebody goes on with is overtaken, and reads it.
 */
#pragma once

#include "base/digest.h"
#include "queue/claim_order.h"
#include "queue/group.h"
#include "schema/order_id.h"

enum { TWINS_NOTE_STATEMENTS = 2, TWINS_LOOKS_MAX = 200 };

/* An order, and what it is about. */
struct twins_look {
    const struct order_id *id;
    uint8_t print[DIGEST_BYTES];
    bool is_alike; /* it looks like another */
};

/* What an order is about, made of the same pieces as twin_note.sql makes it.  False: its contact
 * was erased. */
bool twins_print(const struct claim_order *order, uint8_t print[DIGEST_BYTES])
    __attribute__((warn_unused_result));

/* Within send() or send_more(): TWINS_NOTE_STATEMENTS, of which the last tells who is alike. */
void twins_send_note(struct group_batch *batch, struct twins_look *const *looks, int count,
                     int64_t window_ms);
void twins_read_note(struct twins_look *const *looks, int count, const PGresult *result);

struct twins_ticket {
    struct group_ticket ticket; /* the caller sets on_settled */
    const struct claim_order *order;
    struct twins_look look; /* its id; all of it if it is noted already */
    bool is_noted;          /* true: judge it, if it looks like another; false: note it */

    /* After COMMITTED: look.is_alike of one that was to be noted; of one that was judged: */
    bool is_flagged; /* this order was, now */
    bool is_unsure;  /* it has to be looked for again: the other one was just being written */
    int flagged;     /* how many were by its batch; told with one ticket of it */

    bool has_print; /* private */
};

struct twins_context {
    const char *process;
    int64_t window_ms;
    bool holds; /* what is flagged is held before payment */
};

extern const struct group_work twins_work; /* its group's owner is a struct twins_context */
void twins_note(const struct twins_ticket *ticket); /* counts, once it is committed */
void twins_register_metrics(void);
