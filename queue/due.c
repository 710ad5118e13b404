#include "queue/due.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "queue/scan.h"
#include "schema/statements.h"

enum { PATIENCE_MS = 25000 };
enum { IS_HELD, SEEN, ORDER_ID };

struct due {
    struct due_options options;
    struct errand *errand;
    uv_timer_t *timer;
    struct scan scan;
    int64_t fence; /* 0: rests */

    /* Of the look under way. */
    bool is_held;
    int seen, moved;
    struct order_id orders[DUE_MAX];
};

static struct metric moved = {.type = METRIC_COUNTER,
                              .name = "docket_relay_due_total",
                              .help = "Waiting tasks that were made ready when their time came."};

static void on_timer(uv_timer_t *timer)
{
    struct due *due = timer->data;
    struct pg_params params;

    if (due->fence == 0 || !errand_is_free(due->errand))
        return;
    due->seen = due->moved = 0;
    pg_params_init(&params);
    pg_add_i64(&params, due->fence);
    pg_add_bool(&params, scan_begin(&due->scan, clock_monotonic_ms()));
    pg_add_i32(&params, DUE_MAX);
    pg_add_text(&params, due->options.process);
    errand_send(due->errand, &sql_due_ready, &params);
    pg_params_finish(&params);
}

static void on_rows(void *owner, const PGresult *result)
{
    struct due *due = owner;

    due->is_held = pg_bool(result, 0, IS_HELD);
    due->seen = pg_i32(result, 0, SEEN);
    for (int row = 0; row < PQntuples(result) && !pg_is_null(result, row, ORDER_ID); row++) {
        size_t length;

        memcpy(due->orders[due->moved++].bytes, pg_bytes(result, row, ORDER_ID, &length),
               ORDER_ID_BYTES);
    }
}

static void tell(struct due *due)
{
    metric_add(&moved, due->moved);
    for (int i = 0; i < due->moved; i++)
        hint_order(due->options.hint, &due->orders[i]);
    if (due->moved > 0)
        due->options.on_work(due->options.owner);
    if (!due->is_held)
        due->options.on_fenced(due->options.owner);
}

/* What was passed over for a lock is looked at again, but not at once. */
static void on_done(void *owner, bool is_committed)
{
    struct due *due = owner;
    int found = !is_committed ? -1 : due->moved == 0 ? 0 : due->seen;

    uv_timer_start(due->timer, on_timer, scan_end(&due->scan, clock_monotonic_ms(), found, DUE_MAX),
                   0);
    if (is_committed)
        tell(due);
}

static void on_ready(void *owner)
{
    struct due *due = owner;

    uv_timer_start(due->timer, on_timer, 0, 0);
}

void due_begin(struct due *due, int64_t fence)
{
    due->fence = fence;
    scan_reset(&due->scan);
    on_ready(due);
}

void due_end(struct due *due)
{
    due->fence = 0;
}

struct due *due_create(uv_loop_t *loop, const struct due_options *options)
{
    static const struct pg_statement *const statements[] = {&sql_due_ready, NULL};
    struct due *due = xcalloc(1, sizeof(*due));
    const struct errand_options errand = {
        .name = "due",
        .server = options->server,
        .statements = statements,
        .patience_ms = PATIENCE_MS,
        .on_ready = on_ready,
        .on_rows = on_rows,
        .on_done = on_done,
        .owner = due,
    };

    due->options = *options;
    due->scan = (struct scan){.rest_ms_least = DUE_MS_LEAST, .rest_ms_most = DUE_MS_MOST};
    due->timer = xcalloc(1, sizeof(*due->timer));
    due->timer->data = due;
    uv_timer_init(loop, due->timer);
    due->errand = errand_create(loop, &errand);
    return due;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void due_destroy(struct due *due)
{
    if (due == NULL)
        return;
    errand_destroy(due->errand);
    uv_close((uv_handle_t *)due->timer, free_handle);
    free(due);
}

void due_register_metrics(void)
{
    metric_register(&moved);
}
