/* queue/begin.h - what is done for an order in the very transaction that claims it for the first
 * time
 *
 *     claimed, facts read ─► note its print (queue/twins.h), lock its skus
 *         ─► nobody like it, and it fits: hold the stock, open the attempt ─► commit
 *         └─ alike, or out of stock: only claimed ─► commit; the rest is decided afterwards
 *
 * So an order that goes well costs one commit and one version where it would cost three.  Locks are
 * taken in one order: orders, prints, stock.
 */
#pragma once

#include "queue/claim.h"

/* For claim.c: of each ticket before its batch is sent; within send_more() (true: there is no more
 * to send); and for the nth answer after the claim's own. */
void begin_clear(struct claim_ticket *claim);
bool begin_send(struct group_batch *batch);
void begin_on_rows(struct group_batch *batch, int nth, const PGresult *result);

/* Committed: the facts become what the transaction has left in the books. */
void begin_take_effect(struct claim_ticket *claim, const struct order_policy *policy);
