#include "tests/bench/load/histogram.h"

#include <stddef.h>

#include "base/memory.h"

/* Exact below 64 µs; above, each doubling has 32 cells of its own. */
static size_t cell_of(uint64_t us)
{
    int shift = 0;

    while (us >> shift >= HISTOGRAM_STEPS)
        shift++;
    if (shift == 0)
        return us;
    return (size_t)shift * (HISTOGRAM_STEPS / 2) + (us >> shift);
}

static uint64_t value_of(size_t cell)
{
    size_t shift =
        cell < HISTOGRAM_STEPS ? 0 : (cell - HISTOGRAM_STEPS / 2) / (HISTOGRAM_STEPS / 2);

    return (uint64_t)(cell - shift * (HISTOGRAM_STEPS / 2)) << shift;
}

void histogram_add(struct histogram *histogram, uint64_t us)
{
    size_t cell = cell_of(us);

    histogram->cells[cell < HISTOGRAM_CELLS ? cell : HISTOGRAM_CELLS - 1]++;
    histogram->count++;
    histogram->sum_us += us;
    if (us > histogram->most_us)
        histogram->most_us = us;
}

uint64_t histogram_at(const struct histogram *histogram, double share)
{
    uint64_t passed = 0;

    for (size_t cell = 0; cell < HISTOGRAM_CELLS; cell++) {
        passed += histogram->cells[cell];
        if (passed > 0 && (double)passed >= share * (double)histogram->count)
            return value_of(cell);
    }
    return 0;
}

void histogram_print(const struct histogram *histogram, FILE *out)
{
    static const struct {
        const char *name;
        double share;
    } marks[] = {
        {"p10_ms", 0.1},    {"p25_ms", 0.25},     {"p50_ms", 0.5},  {"p75_ms", 0.75},
        {"p90_ms", 0.9},    {"p95_ms", 0.95},     {"p99_ms", 0.99}, {"p995_ms", 0.995},
        {"p999_ms", 0.999}, {"p9999_ms", 0.9999},
    };
    double count = histogram->count ? (double)histogram->count : 1;

    fprintf(out, "{\"count\":%llu,\"mean_ms\":%.3f", (unsigned long long)histogram->count,
            (double)histogram->sum_us / count / 1000);
    for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
        fprintf(out, ",\"%s\":%.3f", marks[i].name,
                (double)histogram_at(histogram, marks[i].share) / 1000);
    fprintf(out, ",\"max_ms\":%.3f}", (double)histogram->most_us / 1000);
}
