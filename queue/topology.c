#include "queue/topology.h"

#include "base/memory.h"

/* High, because a worker that crashes raises the count of every message it holds, innocent ones
 * too: poison is counted in Postgres, and this limit only keeps a hot loop from lasting for ever.
 */
enum { DELIVERY_LIMIT = 100 };

/* docket.dead first: a dead letter whose target is missing waits 180 s for its next try. */
static const struct amqp_queue queues[] = {{.name = TOPOLOGY_DEAD},
#define STAGE(number, NAME, label)                                                                 \
    {.name = "docket." #label,                                                                     \
     .routing_key = #label,                                                                        \
     .dead_letter_exchange = "",                                                                   \
     .dead_letter_key = TOPOLOGY_DEAD,                                                             \
     .delivery_limit = DELIVERY_LIMIT},
                                           STAGES(STAGE)
#undef STAGE
};

const struct amqp_topology topology = {
    .exchange = TOPOLOGY_EXCHANGE,
    .queues = queues,
    .queue_count = ARRAY_SIZE(queues),
};

const char *topology_queue(enum stage stage)
{
    static const char *const names[STAGE_COUNT] = {
#define STAGE(number, NAME, label) [STAGE_##NAME] = "docket." #label,
        STAGES(STAGE)
#undef STAGE
    };

    return names[stage];
}
