/* workers/outside_metrics.h - how many calls to the outside, with what result, and how long */
#pragma once

#include "base/metrics.h"

enum { OUTSIDE_OPERATIONS_MAX = 7, OUTSIDE_RESULTS_MAX = 6, OUTSIDE_LABELS_SIZE = 96 };

struct outside_metrics {
    struct metric calls[OUTSIDE_OPERATIONS_MAX][OUTSIDE_RESULTS_MAX];
    struct metric seconds[OUTSIDE_OPERATIONS_MAX];
    char call_labels[OUTSIDE_OPERATIONS_MAX][OUTSIDE_RESULTS_MAX][OUTSIDE_LABELS_SIZE];
    char second_labels[OUTSIDE_OPERATIONS_MAX][OUTSIDE_LABELS_SIZE];
};

/* The names stand where note()'s numbers point; NULL ends. */
void outside_metrics_register(struct outside_metrics *metrics, const char *outside,
                              const char *const *operations, const char *const *results);
void outside_metrics_note(struct outside_metrics *metrics, unsigned operation, unsigned result,
                          uint64_t took_us);
