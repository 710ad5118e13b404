/* queue/claim.h - takes a task for this worker, with all that the books say of its order
 *
 * A claim is committed before it is told.  It raises the order's version, so whatever an earlier
 * holder still wants to write has lost.  A task whose holder is gone is taken over; one that is
 * done, waiting or in living hands is not claimed, and its message may be acked.
 */
#pragma once

#include "queue/group.h"
#include "queue/shelf.h"
#include "queue/twins.h"
#include "queue/worker_session.h"
#include "schema/hop.h"
#include "schema/order_state.h"

enum { CLAIM_TICKETS_MAX = 200 };

/* What was begun of its order in the transaction of its first claim (queue/begin.h). */
struct claim_begin {
    bool is_chosen, is_first; /* private */
    bool is_noted;            /* its print is known to whoever looks like it; look says more */
    struct twins_look look;
    struct shelf_want want; /* is_granted: the stock is held, and the attempt is open */
};

struct claim_ticket {
    struct group_ticket ticket; /* the caller sets on_settled */
    struct order_id order_id;
    struct hop message; /* published and delivered */
    bool is_plain;      /* nothing is begun with it: Postgres refused that before */

    /* After COMMITTED. */
    bool is_claimed;
    uint64_t epoch; /* of the session that it was claimed in: of the last send, not of the submit */
    struct order_facts facts;
    int64_t pass; /* with which it was let out of the park; 0: it never was */
    struct claim_order order;
    struct claim_begin begin;
};

/* What is begun, and by which rules. */
struct begin_context {
    const struct order_policy *policy;
    const char *provider;
};

/* Whom the claims are for; read at each send. */
struct claim_context {
    enum stage stage;
    const struct worker_session *session;
    const char *process;
    const struct begin_context *begin; /* NULL: orders are only claimed */
};

extern const struct group_work claim_work; /* its group's owner is a struct claim_context */
void claim_register_metrics(void);
