#include "base/metrics.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

static struct metric *first_metric;
static struct {
    void (*refresh)(void *owner);
    void *owner;
} refreshers[8];
static size_t refresher_count;
static const char *const type_names[] = {"counter", "gauge", "histogram"};

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

/* The first bound of each range, in µs or pieces. */
static const int64_t first_bounds[] = {
    [METRIC_INSIDE] = 100, [METRIC_OUTSIDE] = 1000, [METRIC_LIFE] = 10000, [METRIC_SIZE] = 1};

static void observe(struct metric *metric, int64_t value)
{
    int64_t bound = first_bounds[metric->range];
    int bucket = 0;

    while (bucket < METRIC_BUCKETS && value > bound) {
        bucket++;
        bound *= 2;
    }
    atomic_fetch_add_explicit(&metric->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&metric->sum, value, memory_order_relaxed);
}

void metric_observe_us(struct metric *metric, int64_t microseconds)
{
    assert(metric->range != METRIC_SIZE);
    observe(metric, microseconds > 0 ? microseconds : 0);
}

void metric_observe_size(struct metric *metric, int64_t count)
{
    assert(metric->range == METRIC_SIZE);
    observe(metric, count);
}

void metrics_before_render(void (*refresh)(void *owner), void *owner)
{
    assert(refresher_count < ARRAY_SIZE(refreshers));
    refreshers[refresher_count].refresh = refresh;
    refreshers[refresher_count++].owner = owner;
}

static int64_t load(const _Atomic int64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void render_help(struct text *text, const struct metric *metric)
{
    text_print(text, "# HELP %s ", metric->name);
    for (const char *c = metric->help; *c; c++) {
        if (*c == '\\')
            text_add(text, "\\\\");
        else if (*c == '\n')
            text_add(text, "\\n");
        else
            text_add_bytes(text, c, 1);
    }
    text_print(text, "\n# TYPE %s %s\n", metric->name, type_names[metric->type]);
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

/* What is kept in µs is shown in seconds. */
static void render_value(struct text *text, int64_t value, bool is_us)
{
    if (is_us)
        text_print(text, "%.6f\n", (double)value / 1e6);
    else
        text_print(text, "%lld\n", (long long)value);
}

/* The count is what the buckets add up to, so that a scrape in the middle of an update is not
 * torn. */
static void render_histogram(struct text *text, const struct metric *metric)
{
    bool is_size = metric->range == METRIC_SIZE;
    int64_t count = 0, bound = first_bounds[metric->range];

    for (int i = 0; i < METRIC_BUCKETS; i++, bound *= 2) {
        char printed[32];

        snprintf(printed, sizeof(printed), "%.6g", is_size ? (double)bound : (double)bound / 1e6);
        count += load(&metric->buckets[i]);
        render_bucket(text, metric, printed, count);
    }
    count += load(&metric->buckets[METRIC_BUCKETS]);
    render_bucket(text, metric, "+Inf", count);
    render_name(text, metric, "_sum");
    render_value(text, load(&metric->sum), !is_size);
    render_name(text, metric, "_count");
    text_print(text, "%lld\n", (long long)count);
}

void metrics_render(struct text *text)
{
    const char *group = "";

    for (size_t i = 0; i < refresher_count; i++)
        refreshers[i].refresh(refreshers[i].owner);
    for (const struct metric *metric = first_metric; metric != NULL; metric = metric->next) {
        if (strcmp(group, metric->name) != 0)
            render_help(text, metric);
        group = metric->name;
        if (metric->is_absent)
            continue;
        if (metric->type == METRIC_HISTOGRAM) {
            render_histogram(text, metric);
        } else {
            render_name(text, metric, "");
            render_value(text, load(&metric->value), metric->is_us);
        }
    }
}

void metrics_print_table(FILE *out)
{
    for (const struct metric *metric = first_metric; metric != NULL; metric = metric->next)
        fprintf(out, "%s\t%s\t%s\t%s\n", metric->name, type_names[metric->type],
                metric->labels ? metric->labels : "", metric->help);
}
