#include "queue/due.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/metrics.h"
#include "queue/duty.h"
#include "schema/statements.h"

enum { IS_HELD, SEEN, REACHED, ORDER_ID };

struct due {
    struct duty_world world;
    struct duty *duty;

    /* Of the look under way. */
    bool is_held;
    int seen, moved;
    int64_t reached_us;
    struct order_id orders[PORTION_MOST];
};

static struct metric moved = {.type = METRIC_COUNTER,
                              .name = "docket_relay_due_total",
                              .help = "Waiting tasks that were made ready when their time came."};

static void on_turn(void *owner)
{
    struct due *due = owner;
    struct pg_params params;

    due->seen = due->moved = 0;
    pg_params_init(&params);
    pg_add_i64(&params, duty_fence(due->duty));
    pg_add_i64(&params, duty_look(due->duty));
    pg_add_i32(&params, duty_portion(due->duty));
    pg_add_text(&params, due->world.process);
    duty_send(due->duty, &sql_due_ready, &params);
    pg_params_finish(&params);
}

static void on_rows(void *owner, const PGresult *result)
{
    struct due *due = owner;

    due->is_held = pg_bool(result, 0, IS_HELD);
    due->seen = pg_i32(result, 0, SEEN);
    due->reached_us = pg_i64(result, 0, REACHED);
    for (int row = 0; row < PQntuples(result) && !pg_is_null(result, row, ORDER_ID); row++) {
        size_t length;

        memcpy(due->orders[due->moved++].bytes, pg_bytes(result, row, ORDER_ID, &length),
               ORDER_ID_BYTES);
    }
}

static void tell(struct due *due)
{
    metric_add(&moved, due->moved);
    duty_tell_moved(due->duty, &due->world, due->orders, due->moved);
    if (!due->is_held)
        due->world.on_fenced(due->world.owner);
}

/* What was passed over for a lock is found by a later look: not at once, if there was nothing else.
 * Behind a whole portion there may be more, and that is looked at first: from the next moment on,
 * or it would be the same portion again if all of it fell due at once.
 */
static void on_done(void *owner, bool is_committed)
{
    struct due *due = owner;
    int portion = duty_portion(due->duty); /* as it was sent: tell() may change it */
    bool is_passed_over = due->moved == 0;
    int found = is_passed_over && due->seen < portion ? 0 : due->seen;

    duty_rest(due->duty, is_committed ? found : -1, portion, due->reached_us + is_passed_over);
    if (is_committed)
        tell(due);
}

void due_begin(struct due *due, int64_t fence)
{
    duty_begin(due->duty, fence);
}

void due_end(struct due *due)
{
    duty_end(due->duty);
}

struct due *due_create(uv_loop_t *loop, const struct duty_world *world)
{
    static const struct pg_statement *const statements[] = {&sql_due_ready, NULL};
    struct due *due = xcalloc(1, sizeof(*due));
    const struct duty_options duty = {
        .name = "due",
        .server = world->server,
        .statements = statements,
        .rest_ms_least = DUE_MS_LEAST,
        .rest_ms_most = DUE_MS_MOST,
        .on_turn = on_turn,
        .on_rows = on_rows,
        .on_done = on_done,
        .owner = due,
    };

    due->world = *world;
    due->duty = duty_create(loop, &duty);
    return due;
}

void due_destroy(struct due *due)
{
    if (due == NULL)
        return;
    duty_destroy(due->duty);
    free(due);
}

void due_register_metrics(void)
{
    metric_register(&moved);
}
