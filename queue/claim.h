/* queue/claim.h - takes a task for this worker, with all that the books say of its order
 *
 * A claim is committed before it is told.  It raises the order's version, so whatever an earlier
 * holder still wants to write has lost.  A task whose holder is gone is taken over; one that is
 * done, waiting or in living hands is not claimed, and its message may be acked.
 */
#pragma once

#include "queue/group.h"
#include "queue/worker_session.h"
#include "schema/hop.h"
#include "schema/order_state.h"

enum { CLAIM_TEXT_SIZE = 256, CLAIM_TRACE_SIZE = 64, CLAIM_LINES_MAX = 200 };

struct claim_line {
    char *sku;
    int32_t quantity;
};

/* What a step needs of the order besides its state.  Freed by claim_order_finish(). */
struct claim_order {
    int64_t total;
    char currency[4];
    char payment_method[CLAIM_TEXT_SIZE];
    char shipping_method[CLAIM_TEXT_SIZE];
    char trace[CLAIM_TRACE_SIZE];
    struct claim_line *lines;
    int line_count;
    char *name, *address; /* of the fulfilment stage; address is JSON */
    int64_t account;
    char *email; /* of the payment stage, as twins are compared; "": it was erased */
};

struct claim_ticket {
    struct group_ticket ticket; /* the caller sets on_settled */
    struct order_id order_id;
    struct hop message; /* published and delivered */

    /* After COMMITTED. */
    bool is_claimed;
    uint64_t epoch; /* of the session that it was claimed in: of the last send, not of the submit */
    struct order_facts facts;
    int64_t pass; /* with which it was let out of the park; 0: it never was */
    struct claim_order order;
};

/* Whom the claims are for; read at each send. */
struct claim_context {
    enum stage stage;
    const struct worker_session *session;
    const char *process;
};

extern const struct group_work claim_work; /* its group's owner is a struct claim_context */
void claim_register_metrics(void);

void claim_order_finish(struct claim_order *order);
