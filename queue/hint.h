/* queue/hint.h - NOTIFY after the commit: best effort, coalesced, on a connection of its own
 *
 * In the transaction of an order a NOTIFY would take a lock of the whole cluster (traps.md §3.4);
 * here it costs nobody anything.  A hint that is lost costs a poll's time: the relay looks by
 * itself every 50 ms at most, an API once a second.
 *
 *     hint_work   ─► docket_work     to the relay: the outbox has rows
 *     hint_order  ─► docket_orders   to the APIs: uuids, comma-separated, HINT_ORDERS_MAX at most
 *
 * While one NOTIFY is under way, or the next is put off (queue/pace.h), what comes is
 * gathered; what does not fit is dropped.
 */
#pragma once

#include <uv.h>

#include "queue/errand.h"
#include "schema/order_id.h"

enum { HINT_ORDERS_MAX = 200, HINT_GATHERED_MAX = 20000 };

struct hint;

/* database outlives the hint. */
struct hint *hint_create(uv_loop_t *loop, const struct pg_server *server);
void hint_destroy(struct hint *hint); /* NULL is fine */

/* Only after what they tell of was committed. */
void hint_work(struct hint *hint);
void hint_order(struct hint *hint, const struct order_id *id);
