#include "queue/vitals.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/process_metrics.h"

enum { TICK_MS = 100 };

static struct metric build = METRIC(METRIC_GAUGE, "docket_build_info", "1; what runs.");
static struct metric ready =
    METRIC(METRIC_GAUGE, "docket_ready", "1: /readyz says yes; 0: it says why not.");
static int64_t lag_us;
static struct metric lag = {.type = METRIC_HISTOGRAM,
                            .name = "docket_loop_lag_seconds",
                            .help = "How late the event loop was, ten times a second."};
static struct metric ahead = {.type = METRIC_GAUGE,
                              .name = "docket_clock_ahead_seconds",
                              .help = "The database's clock minus this machine's.",
                              .is_us = true};

static char build_labels[64];
static uv_timer_t tick;
static uint64_t due_ns;
static struct {
    struct database *database;
    bool (*is_ready)(void *owner);
    void *owner;
} watched;

static void on_tick(uv_timer_t *timer)
{
    uint64_t now_ns = clock_monotonic_ns();

    (void)timer;
    lag_us = now_ns > due_ns ? (int64_t)(now_ns - due_ns) / 1000 : 0;
    metric_observe_us(&lag, lag_us);
    due_ns = now_ns + (uint64_t)TICK_MS * 1000000;
}

static void refresh(void *owner)
{
    (void)owner;
    metric_set(&ready, watched.is_ready(watched.owner));
    metric_set(&ahead, database_ahead_us(watched.database));
}

void vitals_watch(uv_loop_t *loop, struct database *database, bool (*is_ready)(void *owner),
                  void *owner)
{
    watched.database = database;
    watched.is_ready = is_ready;
    watched.owner = owner;
    metrics_before_render(refresh, NULL);
    due_ns = clock_monotonic_ns() + (uint64_t)TICK_MS * 1000000;
    uv_timer_init(loop, &tick);
    uv_timer_start(&tick, on_tick, TICK_MS, TICK_MS);
    uv_unref((uv_handle_t *)&tick);
}

void vitals_register(void)
{
    snprintf(build_labels, sizeof(build_labels), "version=\"%s\",schema=\"%d\"", DOCKET_VERSION,
             (int)database_schema_version());
    build.labels = build_labels;
    metric_register(&build);
    metric_register(&ready);
    metric_register(&lag);
    metric_register(&ahead);
    metric_set(&build, 1);
    process_metrics_register();
    pg_link_register_metrics();
}

int64_t vitals_lag_us(void)
{
    return lag_us;
}
