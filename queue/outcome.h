/* queue/outcome.h - writes what was decided about orders, or learns that somebody was faster
 *
 *     facts + lesson ─► order_decide ─► change ─► (version as expected?) ─► written, all of it
 *                                                          └─ no ─► OVERTAKEN: read again
 */
#pragma once

#include "queue/group.h"
#include "schema/hop.h"
#include "schema/order_state.h"

/* One order's row in a batch. */
struct outcome_row {
    const struct order_facts *facts; /* as they were read: the expected version is in them */
    struct order_change change;
    struct hop calls; /* to the outside, since the outcome before */
    bool is_written;  /* after COMMITTED; false: overtaken */
};

struct outcome_ticket {
    struct group_ticket ticket; /* the caller sets on_settled */
    struct outcome_row row;
};

struct outcome_context {
    const char *process, *provider;
};

extern const struct group_work outcome_work; /* its group's owner is a struct outcome_context */
void outcome_register_metrics(void);

/* For batches that write outcomes among other things (queue/reserve.c). */
void outcome_send(struct group_batch *batch, struct outcome_row *const *rows, int count,
                  const struct outcome_context *context);
void outcome_read(struct outcome_row *const *rows, int count, const PGresult *result);
