#include "workers/outside_metrics.h"

#include <stdio.h>

static void register_calls(struct outside_metrics *metrics, const char *outside,
                           const char *const *operations, const char *const *results)
{
    for (int o = 0; operations[o]; o++) {
        for (int r = 0; results[r]; r++) {
            struct metric *calls = &metrics->calls[o][r];

            snprintf(metrics->call_labels[o][r], OUTSIDE_LABELS_SIZE,
                     "outside=\"%s\",operation=\"%s\",result=\"%s\"", outside, operations[o],
                     results[r]);
            calls->type = METRIC_COUNTER;
            calls->name = "docket_outside_calls_total";
            calls->help = "Calls to the payment provider and the carrier, by what they told.";
            calls->labels = metrics->call_labels[o][r];
            metric_register(calls);
        }
    }
}

void outside_metrics_register(struct outside_metrics *metrics, const char *outside,
                              const char *const *operations, const char *const *results)
{
    register_calls(metrics, outside, operations, results);
    for (int o = 0; operations[o]; o++) {
        struct metric *seconds = &metrics->seconds[o];

        snprintf(metrics->second_labels[o], OUTSIDE_LABELS_SIZE, "outside=\"%s\",operation=\"%s\"",
                 outside, operations[o]);
        seconds->type = METRIC_HISTOGRAM;
        seconds->name = "docket_outside_seconds";
        seconds->help = "How long a call to the payment provider or the carrier took.";
        seconds->labels = metrics->second_labels[o];
        seconds->range = METRIC_OUTSIDE;
        metric_register(seconds);
    }
}

void outside_metrics_note(struct outside_metrics *metrics, unsigned operation, unsigned result,
                          uint64_t took_us)
{
    metric_add(&metrics->calls[operation][result], 1);
    metric_observe_us(&metrics->seconds[operation], (int64_t)took_us);
}
