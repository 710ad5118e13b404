#include "queue/keeper.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "queue/at_risk.h"
#include "queue/duty.h"
#include "queue/scan.h"
#include "schema/statements.h"

enum { COUNTED_MAX = 10000 };
enum { DAY_MS = 86400000, PARTITIONS_AGAIN_MS = 60000, WORKERS_MS = 30000, BACKLOG_MS = 5000 };
enum {
    INCIDENTS_MS = 2000,
    DELTAS_MAX = 5000,
    RATES_MS = 10000,
    ITEMS_MS = 600000,
    ITEMS_MAX = 5000,
    TWINS_MS = 5000,
    PRINTS_MAX = 5000
};
enum { ROWS, OLDEST_MS, IS_MISSING };

enum chore {
    PARTITIONS,
    WORKERS,
    INCIDENTS,
    RATES,
    GAUGES,
    BACKLOG,
    AT_RISK,
    ITEMS,
    TWINS,
    CHORES
};

struct keeper {
    struct duty *duty;
    int64_t (*floor)(void *owner);
    void *owner;
    enum chore chore; /* under way */
    uint64_t sent_ms;
    uint64_t due_ms[CHORES];
    bool is_alarmed;
    bool has_more; /* a whole page was folded, or taken away */
};

static struct metric rows = {.type = METRIC_GAUGE,
                             .name = "docket_outbox_rows",
                             .help = "Rows of the outbox (of up to 100 messages each) that wait, "
                                     "counted up to 10000."};
static struct metric oldest = {.type = METRIC_GAUGE,
                               .name = "docket_outbox_oldest_seconds",
                               .help = "Age of the oldest row of the outbox."};
static struct metric missing = {.type = METRIC_GAUGE,
                                .name = "docket_partitions_missing",
                                .help = "1: the day in a week has no partition. Alarm."};

/* In the order of the columns of keeper_backlog.sql. */
static struct {
    struct metric metric;
    bool is_ms, is_positive; /* shown in seconds; what is not yet due is 0 */
} backlog[] = {
    {METRIC(METRIC_GAUGE, "docket_tasks_waiting",
            "Tasks that wait for their next attempt, counted up to 10000."),
     false, false},
    {METRIC(METRIC_GAUGE, "docket_tasks_late_seconds",
            "How long the oldest of them has been due; the relay takes them up at once."),
     true, true},
    {METRIC(METRIC_GAUGE, "docket_dead_letters_open", "Dead letters that nobody has closed."),
     false, false},
    {METRIC(METRIC_GAUGE, "docket_dead_letters_oldest_seconds", "Age of the oldest of them."), true,
     false},
    {METRIC(METRIC_GAUGE, "docket_payments_unknown",
            "Payments whose outcome only the provider knows, counted up to 10000."),
     false, false},
    {METRIC(METRIC_GAUGE, "docket_payments_unknown_oldest_seconds",
            "Since when the oldest of them is unknown."),
     true, false},
    {METRIC(METRIC_GAUGE, "docket_refunds_unknown",
            "Refunds whose outcome only the provider knows, counted up to 10000."),
     false, false},
    {METRIC(METRIC_GAUGE, "docket_refunds_unknown_oldest_seconds",
            "Since when the oldest of them is unknown."),
     true, false},
    {METRIC(
         METRIC_GAUGE, "docket_tasks_parked",
         "Tasks that are parked, since a provider or carrier is held back; counted up to 10000."),
     false, false},
    {METRIC(METRIC_GAUGE, "docket_tasks_parked_oldest_seconds",
            "How long the oldest of them has been parked."),
     true, false},
    {METRIC(METRIC_GAUGE, "docket_postgres_xid_age",
            "Transactions since the oldest unfrozen row of the cluster; at 2^31 Postgres stops."),
     false, false},
    {METRIC(METRIC_GAUGE, "docket_postgres_database_bytes", "Size of the database on disk."), false,
     false},
    {METRIC(METRIC_GAUGE, "docket_orphans_open",
            "Differences between the provider's books and ours, counted up to 10000."),
     false, false},
    {METRIC(METRIC_GAUGE, "docket_orphan_sweep_age_seconds",
            "Since when the books were compared as a whole."),
     true, false},
};

static enum chore next_chore(const struct keeper *keeper)
{
    enum chore next = PARTITIONS;

    for (enum chore chore = WORKERS; chore < CHORES; chore++) {
        if (keeper->due_ms[chore] < keeper->due_ms[next])
            next = chore;
    }
    return next;
}

static void send_chore(struct keeper *keeper)
{
    static const struct pg_statement *const statements[CHORES] = {
        [PARTITIONS] = &sql_keeper_partitions,
        [WORKERS] = &sql_keeper_workers,
        [INCIDENTS] = &sql_keeper_incidents,
        [GAUGES] = &sql_keeper_gauges,
        [BACKLOG] = &sql_keeper_backlog,
        [RATES] = &sql_keeper_rates,
        [AT_RISK] = &sql_keeper_at_risk,
        [ITEMS] = &sql_keeper_items,
        [TWINS] = &sql_twin_forget,
    };
    struct pg_params params;

    keeper->sent_ms = clock_monotonic_ms();
    pg_params_init(&params);
    if (keeper->chore == GAUGES) {
        pg_add_i64(&params, keeper->floor(keeper->owner));
        pg_add_i64(&params, COUNTED_MAX);
    } else if (keeper->chore == BACKLOG) {
        pg_add_i64(&params, COUNTED_MAX);
    } else if (keeper->chore == AT_RISK) {
        pg_add_i32(&params, AT_RISK_CURRENCIES);
    } else {
        pg_add_i64(&params, duty_fence(keeper->duty));
    }
    if (keeper->chore == RATES)
        pg_add_i64(&params, keeper->floor(keeper->owner));
    if (keeper->chore == PARTITIONS)
        pg_add_i32(&params, KEEPER_MONTHS);
    if (keeper->chore == INCIDENTS)
        pg_add_i32(&params, DELTAS_MAX);
    if (keeper->chore == TWINS)
        pg_add_i32(&params, PRINTS_MAX);
    if (keeper->chore == ITEMS)
        pg_add_i32(&params, ITEMS_MAX);
    duty_send(keeper->duty, statements[keeper->chore], &params);
    pg_params_finish(&params);
}

static void on_turn(void *owner)
{
    struct keeper *keeper = owner;
    uint64_t now = clock_monotonic_ms();

    keeper->chore = next_chore(keeper);
    if (keeper->due_ms[keeper->chore] <= now)
        send_chore(keeper);
    else
        duty_rest_for(keeper->duty, keeper->due_ms[keeper->chore] - now);
}

static void alarm_of(struct keeper *keeper, bool is_missing)
{
    if (is_missing && !keeper->is_alarmed)
        log_error("partitions_missing",
                  "the day in a week has no partition; orders will be refused "
                  "then: see why make_partitions() fails");
    keeper->is_alarmed = is_missing;
    metric_set(&missing, is_missing);
}

static void note_backlog(const PGresult *result)
{
    for (int i = 0; i < (int)ARRAY_SIZE(backlog); i++) {
        int64_t value = pg_i64(result, 0, i);

        if (backlog[i].is_positive && value < 0)
            value = 0;
        metric_set(&backlog[i].metric, backlog[i].is_ms ? value * 1000 : value);
    }
}

static void on_rows(void *owner, const PGresult *result)
{
    struct keeper *keeper = owner;

    if (keeper->chore == GAUGES) {
        metric_set(&rows, pg_i64(result, 0, ROWS));
        metric_set(&oldest, pg_i64(result, 0, OLDEST_MS) / 1000);
        alarm_of(keeper, pg_bool(result, 0, IS_MISSING));
    } else if (keeper->chore == BACKLOG) {
        note_backlog(result);
    } else if (keeper->chore == AT_RISK) {
        at_risk_note(result);
    } else if (keeper->chore == PARTITIONS && PQntuples(result) == 1 && pg_i32(result, 0, 0) > 0) {
        log_info("partitions_made", "%d new tables", pg_i32(result, 0, 0));
    } else if (keeper->chore == INCIDENTS) {
        keeper->has_more = pg_i32(result, 0, 0) == DELTAS_MAX;
    } else if (keeper->chore == TWINS) {
        keeper->has_more = pg_i32(result, 0, 0) == PRINTS_MAX;
    } else if (keeper->chore == ITEMS) {
        keeper->has_more = pg_i32(result, 0, 0) == ITEMS_MAX;
    }
}

static void on_done(void *owner, bool is_committed)
{
    static const uint64_t rests_ms[CHORES] = {
        [PARTITIONS] = DAY_MS, [WORKERS] = WORKERS_MS, [INCIDENTS] = INCIDENTS_MS,
        [GAUGES] = KEEPER_MS,  [BACKLOG] = BACKLOG_MS, [AT_RISK] = BACKLOG_MS,
        [RATES] = RATES_MS,    [ITEMS] = ITEMS_MS,     [TWINS] = TWINS_MS};
    struct keeper *keeper = owner;
    uint64_t now = clock_monotonic_ms();
    uint64_t rest_ms = scan_rest_ms(rests_ms[keeper->chore], now - keeper->sent_ms);

    if (!is_committed && keeper->chore == PARTITIONS)
        rest_ms = PARTITIONS_AGAIN_MS;
    if (is_committed && keeper->has_more)
        rest_ms = 0;
    keeper->has_more = false;
    keeper->due_ms[keeper->chore] = now + rest_ms;
    duty_rest_for(keeper->duty, 0);
}

void keeper_begin(struct keeper *keeper, int64_t fence)
{
    for (int chore = 0; chore < CHORES; chore++)
        keeper->due_ms[chore] = 0;
    duty_begin(keeper->duty, fence);
}

/* A relay that does not lead shows no backlog: only one of them does. */
void keeper_end(struct keeper *keeper)
{
    duty_end(keeper->duty);
    metric_set(&rows, 0);
    metric_set(&oldest, 0);
    for (size_t i = 0; i < ARRAY_SIZE(backlog); i++)
        metric_set(&backlog[i].metric, 0);
    at_risk_forget();
}

struct keeper *keeper_create(uv_loop_t *loop, const struct pg_server *server,
                             int64_t (*floor)(void *owner), void *owner)
{
    static const struct pg_statement *const statements[] = {
        &sql_keeper_partitions, &sql_keeper_workers,
        &sql_keeper_incidents,  &sql_keeper_gauges,
        &sql_keeper_backlog,    &sql_keeper_rates,
        &sql_keeper_items,      &sql_keeper_at_risk,
        &sql_twin_forget,       NULL};
    struct keeper *keeper = xcalloc(1, sizeof(*keeper));
    const struct duty_options duty = {
        .name = "keeper",
        .server = server,
        .statements = statements,
        .on_turn = on_turn,
        .on_rows = on_rows,
        .on_done = on_done,
        .owner = keeper,
    };

    keeper->floor = floor;
    keeper->owner = owner;
    keeper->duty = duty_create(loop, &duty);
    return keeper;
}

void keeper_destroy(struct keeper *keeper)
{
    if (keeper == NULL)
        return;
    duty_destroy(keeper->duty);
    free(keeper);
}

void keeper_register_metrics(void)
{
    metric_register(&rows);
    metric_register(&oldest);
    metric_register(&missing);
    at_risk_register_metrics();
    for (size_t i = 0; i < ARRAY_SIZE(backlog); i++) {
        backlog[i].metric.is_us = backlog[i].is_ms;
        metric_register(&backlog[i].metric);
    }
}
