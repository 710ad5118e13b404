/* queue/group_metrics.h - what is measured of one kind of batch (queue/group.h)
 *
 *     static struct group_metrics metrics = GROUP_METRICS("accept");
 */
#pragma once

#include "base/metrics.h"

struct group_metrics {
    struct metric seconds, waits, size, waiting, setbacks;
};

#define GROUP_METRICS(work)                                                                        \
    {                                                                                              \
        .seconds = {.type = METRIC_HISTOGRAM,                                                      \
                    .name = "docket_batch_seconds",                                                \
                    .help = "From the sending of a batch to its commit.",                          \
                    .labels = "batch=\"" work "\""},                                               \
        .waits = {.type = METRIC_HISTOGRAM,                                                        \
                  .name = "docket_batch_wait_seconds",                                             \
                  .help = "How long the oldest ticket of a batch waited for its sending.",         \
                  .labels = "batch=\"" work "\""},                                                 \
        .size = {.type = METRIC_HISTOGRAM,                                                         \
                 .name = "docket_batch_tickets",                                                   \
                 .help = "How many tickets a committed batch had.",                                \
                 .labels = "batch=\"" work "\"",                                                   \
                 .range = METRIC_SIZE},                                                            \
        .waiting = {.type = METRIC_GAUGE,                                                          \
                    .name = "docket_batch_waiting",                                                \
                    .help = "Tickets that wait for the next batch.",                               \
                    .labels = "batch=\"" work "\""},                                               \
        .setbacks = {.type = METRIC_COUNTER,                                                       \
                     .name = "docket_batch_setbacks_total",                                        \
                     .help = "Batches that were not committed, and were sent again or divided.",   \
                     .labels = "batch=\"" work "\""},                                              \
    }

static inline void group_metrics_register(struct group_metrics *metrics)
{
    metric_register(&metrics->seconds);
    metric_register(&metrics->waits);
    metric_register(&metrics->size);
    metric_register(&metrics->waiting);
    metric_register(&metrics->setbacks);
}
