/* queue/topology.h - the one exchange and its queues, as every program asserts them at each connect
 *
 *     docket ─payment────► docket.payment ────┐ 100 deliveries, or rejected
 *     (direct) ─fulfilment► docket.fulfilment ┴──► docket.dead
 *
 * All are quorum queues.  A stage's queue keeps a message until docket.dead has confirmed it
 * (dead-lettering at-least-once).
 */
#pragma once

#include "base/amqp.h"

#define TOPOLOGY_EXCHANGE   "docket"
#define TOPOLOGY_PAYMENT    "docket.payment"
#define TOPOLOGY_FULFILMENT "docket.fulfilment"
#define TOPOLOGY_DEAD       "docket.dead"

/* Routing keys: the names of the stages. */
#define TOPOLOGY_KEY_PAYMENT    "payment"
#define TOPOLOGY_KEY_FULFILMENT "fulfilment"

extern const struct amqp_topology topology;
