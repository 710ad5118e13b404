/* base/metrics.h - counters, gauges and histograms, as Prometheus reads them
 *
 * A metric is a static variable that is registered once, at start, before any thread; updates are
 * relaxed atomics and safe from any thread.  Rendered in the text format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 *
 *     static struct metric accepted = {METRIC_COUNTER, "docket_orders_accepted_total", "Orders…"};
 *     metric_register(&accepted);   metric_add(&accepted, 1);
 *
 * Labels are fixed at registration ("outcome=\"acked\""): one struct per label value, same name, so
 * that a client can never grow their number.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/text.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum { METRIC_BUCKETS = 16 };

struct metric {
    enum metric_type type;
    const char *name, *help;
    const char *labels; /* as they stand between the braces, or NULL */

    /* Private. */
    _Atomic int64_t value;                       /* counter and gauge */
    _Atomic int64_t buckets[METRIC_BUCKETS + 1]; /* histogram: not cumulative; last is +Inf */
    _Atomic int64_t sum_us;
    struct metric *next;
};

/* static struct metric accepted = METRIC(METRIC_COUNTER, "docket_…_total", "Orders …"); */
#define METRIC(kind, metric_name, metric_help)                                                     \
    {                                                                                              \
        .type = (kind), .name = (metric_name), .help = (metric_help)                               \
    }

void metric_register(struct metric *metric);
void metric_add(struct metric *metric, int64_t value);
void metric_set(struct metric *metric, int64_t value);
void metric_observe_us(struct metric *metric, int64_t microseconds); /* exported in seconds:
                                        buckets 0.1 ms · 2^n, from 0.0001 to 3.2768 */
void metrics_render(struct text *text);
