#include "base/metrics.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static struct metric *first_metric;

/* Metrics of one name stand together, since the format wants their lines in one group. */
void metric_register(struct metric *metric)
{
    struct metric **at = &first_metric, **after_group = NULL;

    for (; *at != NULL; at = &(*at)->next) {
        assert(*at != metric);
        if (strcmp((*at)->name, metric->name) == 0) {
            assert((*at)->type == metric->type);
            after_group = &(*at)->next;
        }
    }
    if (after_group == NULL)
        after_group = at;
    metric->next = *after_group;
    *after_group = metric;
}

void metric_add(struct metric *metric, int64_t value)
{
    atomic_fetch_add_explicit(&metric->value, value, memory_order_relaxed);
}

void metric_set(struct metric *metric, int64_t value)
{
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void metric_observe_us(struct metric *metric, int64_t microseconds)
{
    int64_t bound_us = 100;
    int bucket = 0;

    while (bucket < METRIC_BUCKETS && microseconds > bound_us) {
        bucket++;
        bound_us *= 2;
    }
    atomic_fetch_add_explicit(&metric->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&metric->sum_us, microseconds, memory_order_relaxed);
}

static int64_t load(const _Atomic int64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void render_help(struct text *text, const struct metric *metric)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};

    text_print(text, "# HELP %s ", metric->name);
    for (const char *c = metric->help; *c; c++) {
        if (*c == '\\')
            text_add(text, "\\\\");
        else if (*c == '\n')
            text_add(text, "\\n");
        else
            text_add_bytes(text, c, 1);
    }
    text_print(text, "\n# TYPE %s %s\n", metric->name, types[metric->type]);
}

/* `name_suffix{labels} `, and the value follows. */
static void render_name(struct text *text, const struct metric *metric, const char *suffix)
{
    if (metric->labels != NULL)
        text_print(text, "%s%s{%s} ", metric->name, suffix, metric->labels);
    else
        text_print(text, "%s%s ", metric->name, suffix);
}

static void render_bucket(struct text *text, const struct metric *metric, const char *bound,
                          int64_t count)
{
    text_print(text, "%s_bucket{%s%sle=\"%s\"} %lld\n", metric->name,
               metric->labels ? metric->labels : "", metric->labels ? "," : "", bound,
               (long long)count);
}

/* The count is what the buckets add up to, so that a scrape in the middle of an update is not
 * torn. */
static void render_histogram(struct text *text, const struct metric *metric)
{
    int64_t count = 0, bound_us = 100;

    for (int i = 0; i < METRIC_BUCKETS; i++, bound_us *= 2) {
        char printed[32];

        snprintf(printed, sizeof(printed), "%.6g", (double)bound_us / 1e6);
        count += load(&metric->buckets[i]);
        render_bucket(text, metric, printed, count);
    }
    count += load(&metric->buckets[METRIC_BUCKETS]);
    render_bucket(text, metric, "+Inf", count);
    render_name(text, metric, "_sum");
    text_print(text, "%.6f\n", (double)load(&metric->sum_us) / 1e6);
    render_name(text, metric, "_count");
    text_print(text, "%lld\n", (long long)count);
}

void metrics_render(struct text *text)
{
    const char *group = "";

    for (const struct metric *metric = first_metric; metric != NULL; metric = metric->next) {
        if (strcmp(group, metric->name) != 0)
            render_help(text, metric);
        group = metric->name;
        if (metric->type == METRIC_HISTOGRAM) {
            render_histogram(text, metric);
        } else {
            render_name(text, metric, "");
            text_print(text, "%lld\n", (long long)load(&metric->value));
        }
    }
}
