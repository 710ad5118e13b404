/* queue/shelf.h - who of a batch gets the stock
 *
 *     lock the skus, in order ─► grant whole orders, oldest first ─► subtract once a sku, write
 *     reservations
 *
 * For the transactions that hold stock (queue/begin.h, queue/reserve.h).  An order that does not
 * fit takes nothing, and the next may still fit.  A hot sku costs one row lock a batch.
 */
#pragma once

#include "queue/claim_order.h"
#include "queue/group.h"
#include "schema/order_id.h"

enum { SHELF_WANTS_MAX = 200 };

struct shelf_want {
    const struct order_id *id;
    const struct claim_order *order;
    bool is_granted;
};

/* Each within send() or send_more(), for the same wants, or fewer each time; span: of the batch. */
void shelf_send_lock(struct group_batch *batch, struct shelf_want *const *wants, int count);
void shelf_grant(struct shelf_want *const *wants, int count, const PGresult *locked);
void shelf_send_takings(struct group_batch *batch, const struct order_span *span,
                        struct shelf_want *const *wants, int count);

/* Pure, exported for its units: which of the orders, in this order, can be had whole?  available is
 * per sku (index of sku in `skus`), and is left as what remains. */
struct shelf_line {
    int sku; /* index */
    int64_t quantity;
};
bool shelf_take(int64_t *available, const struct shelf_line *lines, int count);
