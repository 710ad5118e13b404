/* base/metrics.h - counters, gauges and histograms, as Prometheus reads them
 *
 * A metric is a static variable that is registered once, before any thread (and before
 * service_begin, so that --metrics can show it); updates are relaxed atomics and safe from any
 * thread.  Rendered in the text format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 *
 *     static struct metric accepted = METRIC(METRIC_COUNTER, "docket_orders_total", "Orders…");
 *     metric_register(&accepted);   metric_add(&accepted, 1);
 *
 * Labels are fixed at registration ("outcome=\"acked\""): one struct per label value, same name, so
 * that a client can never grow their number.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/text.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum { METRIC_BUCKETS = 16 };

/* What a histogram measures.  Its bounds are the first one, doubled again and again. */
enum metric_range {
    METRIC_INSIDE,  /* times of our own: 0.1 ms to 3.28 s */
    METRIC_OUTSIDE, /* times that others take: 1 ms to 32.8 s */
    METRIC_LIFE,    /* of an order: 10 ms to 328 s */
    METRIC_SIZE,    /* how many: 1 to 32768 */
};

struct metric {
    enum metric_type type;
    const char *name, *help;
    const char *labels;      /* as they stand between the braces, or NULL */
    enum metric_range range; /* of a histogram */
    bool is_us;              /* a counter or gauge that is kept in µs and shown in seconds */
    bool is_absent; /* no series now: its label is not known yet; the loop's thread alone */

    /* Private. */
    _Atomic int64_t value;                       /* counter and gauge */
    _Atomic int64_t buckets[METRIC_BUCKETS + 1]; /* histogram: not cumulative; last is +Inf */
    _Atomic int64_t sum;                         /* of what was observed: µs, or a number */
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
/* Exported in seconds.  Less than 0 (of two clocks) counts as 0: a sum that falls is taken for a
 * restart. */
void metric_observe_us(struct metric *metric, int64_t microseconds);
void metric_observe_size(struct metric *metric, int64_t count); /* of METRIC_SIZE */
void metrics_render(struct text *text);

/* Called before each rendering, for what is measured only when somebody looks. */
void metrics_before_render(void (*refresh)(void *owner), void *owner);

/* One line a series: name, type, labels, help, with tabs between (docs/metrics.md comes of it). */
void metrics_print_table(FILE *out);
