/* tests/bench/load/histogram.h - latencies, to within 1.6 % whatever their size */
#pragma once

#include <stdint.h>
#include <stdio.h>

enum { HISTOGRAM_STEPS = 64, HISTOGRAM_CELLS = 40 * HISTOGRAM_STEPS };

struct histogram {
    uint64_t count, sum_us, most_us;
    uint64_t cells[HISTOGRAM_CELLS];
};

void histogram_add(struct histogram *histogram, uint64_t us);
uint64_t histogram_at(const struct histogram *histogram, double share); /* 0.99: the p99, in µs */
/* {"count":…,"mean_ms":…,"p10_ms":…, … "p9999_ms":…,"max_ms":…} */
void histogram_print(const struct histogram *histogram, FILE *out);
