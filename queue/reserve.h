/* queue/reserve.h - holds stock for whole orders before any money is asked for
 *
 *     lock the orders ─► lock the skus, in order ─► grant whole orders, oldest first
 *                    ─► subtract once a sku, write reservations and outcomes, commit
 *
 * One short transaction with one round trip inside.  An order that does not fit is out of stock
 * alone: it takes nothing, and the next may still fit.  A hot sku costs one row lock a batch.
 */
#pragma once

#include "queue/claim.h"
#include "queue/outcome.h"
#include "queue/shelf.h"

struct reserve_ticket {
    struct group_ticket ticket; /* the caller sets on_settled */
    const struct claim_order *order;
    const struct order_policy *policy;
    struct outcome_row row; /* the caller sets row.facts; the change is decided here */

    /* After COMMITTED: row.is_written, and want.is_granted. */
    struct shelf_want want;

    /* Private. */
    bool is_current; /* its order's version is the expected one */
};

extern const struct group_work reserve_work; /* its group's owner is a struct outcome_context */
void reserve_register_metrics(void);
