/* queue/topology.h - the one exchange and its queues, as every program asserts them at each connect
 *
 *     docket ─payment────► docket.payment ────┐ 100 deliveries, or rejected
 *     (direct) ─fulfilment► docket.fulfilment ┴──► docket.dead
 *
 * One queue a stage, docket.NAME, bound by its name (schema/stages.h).  All are quorum queues.  A
 * stage's queue keeps a message until docket.dead has confirmed it (dead-lettering at-least-once).
 */
#pragma once

#include "base/amqp.h"
#include "schema/stages.h"

#define TOPOLOGY_EXCHANGE "docket"
#define TOPOLOGY_DEAD     "docket.dead"

extern const struct amqp_topology topology;

const char *topology_queue(enum stage stage); /* "docket.payment", … */
