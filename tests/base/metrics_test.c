#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "base/metrics.h"

#include <cmocka.h>

static struct metric accepted = {
    .type = METRIC_COUNTER, .name = "t_accepted_total", .help = "Orders\\accepted\nso far."};
static struct metric acked = {.type = METRIC_COUNTER,
                              .name = "t_published_total",
                              .help = "Messages.",
                              .labels = "outcome=\"acked\""};
static struct metric depth = {.type = METRIC_GAUGE, .name = "t_depth", .help = "Tasks waiting."};
static struct metric returned = {.type = METRIC_COUNTER,
                                 .name = "t_published_total",
                                 .help = "Messages.",
                                 .labels = "outcome=\"returned\""};
static struct metric took = {.type = METRIC_HISTOGRAM,
                             .name = "t_commit_seconds",
                             .help = "A commit.",
                             .labels = "link=\"a\""};

static struct metric size = {
    .type = METRIC_HISTOGRAM, .name = "t_batch", .help = "Tickets.", .range = METRIC_SIZE};
static struct metric cpu = {
    .type = METRIC_COUNTER, .name = "t_cpu_seconds_total", .help = "Spent.", .is_us = true};

static struct metric absent = {.type = METRIC_GAUGE,
                               .name = "t_at_risk",
                               .help = "Money.",
                               .labels = "currency=\"\"",
                               .is_absent = true};

static struct text page;

static void spend(void *owner)
{
    metric_add(owner, 1500000);
}

static int open_page(void **state)
{
    struct metric *all[] = {&accepted, &acked, &depth, &returned, &took, &size, &cpu, &absent};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        metric_register(all[i]);
    metric_add(&accepted, 2);
    metric_add(&accepted, 40);
    metric_add(&acked, 7);
    metric_set(&depth, 9);
    metric_set(&depth, -3);
    metric_observe_us(&took, -5000); /* counts as 0 */
    metric_observe_us(&took, 100);
    metric_observe_us(&took, 101);
    metric_observe_us(&took, 3276800);
    metric_observe_us(&took, 3276801);
    metric_observe_size(&size, 1);
    metric_observe_size(&size, 3);
    metrics_before_render(spend, &cpu);
    text_init(&page, 1 << 20);
    metrics_render(&page);
    return 0;
}

static int close_page(void **state)
{
    (void)state;
    text_finish(&page);
    return 0;
}

static void must_have(const char *lines)
{
    if (strstr(page.bytes, lines) == NULL)
        fail_msg("\"%s\" is not in\n%s", lines, page.bytes);
}

static void renders_help_type_and_value(void **state)
{
    (void)state;
    must_have("# HELP t_accepted_total Orders\\\\accepted\\nso far.\n"
              "# TYPE t_accepted_total counter\n"
              "t_accepted_total 42\n");
    must_have("# TYPE t_depth gauge\nt_depth -3\n");
}

static void keeps_the_lines_of_one_name_together(void **state)
{
    (void)state;
    must_have("# TYPE t_published_total counter\n"
              "t_published_total{outcome=\"acked\"} 7\n"
              "t_published_total{outcome=\"returned\"} 0\n");
}

static void counts_cumulatively_up_to_each_bound(void **state)
{
    (void)state;
    must_have("# TYPE t_commit_seconds histogram\n"
              "t_commit_seconds_bucket{link=\"a\",le=\"0.0001\"} 2\n"
              "t_commit_seconds_bucket{link=\"a\",le=\"0.0002\"} 3\n"
              "t_commit_seconds_bucket{link=\"a\",le=\"0.0004\"} 3\n");
    must_have("t_commit_seconds_bucket{link=\"a\",le=\"1.6384\"} 3\n"
              "t_commit_seconds_bucket{link=\"a\",le=\"3.2768\"} 4\n"
              "t_commit_seconds_bucket{link=\"a\",le=\"+Inf\"} 5\n"
              "t_commit_seconds_sum{link=\"a\"} 6.553802\n"
              "t_commit_seconds_count{link=\"a\"} 5\n");
}

static void counts_sizes_as_numbers(void **state)
{
    (void)state;
    must_have("t_batch_bucket{le=\"1\"} 1\n"
              "t_batch_bucket{le=\"2\"} 1\n"
              "t_batch_bucket{le=\"4\"} 2\n");
    must_have("t_batch_bucket{le=\"32768\"} 2\nt_batch_bucket{le=\"+Inf\"} 2\n"
              "t_batch_sum 4\nt_batch_count 2\n");
}

static void measures_when_somebody_looks(void **state)
{
    (void)state;
    must_have("# TYPE t_cpu_seconds_total counter\nt_cpu_seconds_total 1.500000\n");
}

static void shows_no_series_of_what_has_none(void **state)
{
    (void)state;
    must_have("# TYPE t_at_risk gauge\n");
    assert_null(strstr(page.bytes, "t_at_risk{"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(renders_help_type_and_value),
        cmocka_unit_test(keeps_the_lines_of_one_name_together),
        cmocka_unit_test(counts_cumulatively_up_to_each_bound),
        cmocka_unit_test(counts_sizes_as_numbers),
        cmocka_unit_test(measures_when_somebody_looks),
        cmocka_unit_test(shows_no_series_of_what_has_none),
    };

    return cmocka_run_group_tests_name("metrics", tests, open_page, close_page);
}
