#include "queue/sweeper.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "queue/duty.h"
#include "queue/sweep_rule.h"
#include "queue/topology.h"
#include "schema/statements.h"

enum { REST_MS_LEAST = 50, INSPECT_MS = 500 };

/* The columns of sweep_page.sql and of sweep_write.sql. */
enum { ID, TOPIC, UPTO, CONFIRMED, NOW, LOOK, CLAIMED, ORDER, TRACE, STATE, FENCE, SWEEPS, GONE };
enum { IS_HELD, MOVED_ORDER, MOVED_SEEN };

/* What the broker showed us of one stage's queue. */
struct queue_sight {
    int64_t asked_us;      /* 0: no question is under way */
    int64_t seen_empty_us; /* 0: never, since the connection was made */
};

struct decision {
    enum sweep_act act;
    int64_t look_in_us;
};

struct sweeper {
    struct sweeper_options options;
    struct duty *duty;

    struct amqp_publisher *publisher; /* NULL: away, or takes nothing */
    bool is_broker_known;             /* connected once since it was last lost */
    uint64_t broker_since_ms;         /* monotonic */
    struct queue_sight queues[STAGE_COUNT];
    uint64_t inspected_at_ms;

    /* Of the page under way. */
    bool is_writing, is_held;
    int rows, moves;
    int64_t reached_us;
    struct pg_params params; /* of the statement that writes it */
    struct order_id orders[SWEEP_MOVES_MAX];
    int moved;
};

#define ACTS(label_)                                                                               \
    {                                                                                              \
        .type = METRIC_COUNTER, .name = "docket_relay_sweeps_total",                               \
        .help = "Tasks that the sweeper has published again.", .labels = "why=\"" label_ "\""      \
    }
static struct metric swept = ACTS("swept"), released = ACTS("worker_lost");
static struct metric looked = {.type = METRIC_COUNTER,
                               .name = "docket_relay_looks_total",
                               .help = "Confirmed messages whose tasks the sweeper has looked at."};

static void send_page(struct sweeper *sweeper);
static void decide_page(struct sweeper *sweeper, const PGresult *page);
static void send_decisions(struct sweeper *sweeper);
static void end_page(struct sweeper *sweeper, bool is_committed);

/* --- what the broker shows ----------------------------------------------------------------------
 */

void sweeper_inspect(struct sweeper *sweeper, enum stage stage)
{
    if (sweeper->publisher == NULL || sweeper->queues[stage].asked_us != 0)
        return;
    sweeper->queues[stage].asked_us = lease_clock_least_us(sweeper->options.lease);
    amqp_publisher_inspect(sweeper->publisher, topology_queue(stage));
}

static void inspect_queues(struct sweeper *sweeper)
{
    uint64_t now = clock_monotonic_ms();

    if (sweeper->publisher == NULL || now - sweeper->inspected_at_ms < INSPECT_MS)
        return;
    sweeper->inspected_at_ms = now;
    for (int stage = STAGE_NONE + 1; stage < STAGE_COUNT; stage++)
        sweeper_inspect(sweeper, (enum stage)stage);
}

/* An answer is about the time after its question. */
void sweeper_on_inspected(struct sweeper *sweeper, const char *queue, int64_t messages)
{
    for (int stage = STAGE_NONE + 1; stage < STAGE_COUNT; stage++) {
        struct queue_sight *sight = &sweeper->queues[stage];

        if (strcmp(queue, topology_queue((enum stage)stage)) != 0)
            continue;
        if (messages == 0 && sight->asked_us != 0)
            sight->seen_empty_us = sight->asked_us;
        sight->asked_us = 0;
    }
}

void sweeper_on_broker(struct sweeper *sweeper, struct amqp_publisher *publisher)
{
    sweeper->publisher = publisher;
    if (publisher == NULL || sweeper->is_broker_known)
        return;
    sweeper->is_broker_known = true;
    sweeper->broker_since_ms = clock_monotonic_ms();
    memset(sweeper->queues, 0, sizeof(sweeper->queues));
}

void sweeper_on_broker_lost(struct sweeper *sweeper)
{
    sweeper->publisher = NULL;
    sweeper->is_broker_known = false;
}

/* --- a page --------------------------------------------------------------------------------------
 */

static void on_turn(void *owner)
{
    struct sweeper *sweeper = owner;

    inspect_queues(sweeper);
    send_page(sweeper);
}

static void send_page(struct sweeper *sweeper)
{
    sweeper->is_writing = false;
    sweeper->rows = sweeper->moves = sweeper->moved = 0;
    sweeper->reached_us = 0;
    pg_params_clear(&sweeper->params);
    pg_add_i64(&sweeper->params, duty_look(sweeper->duty));
    pg_add_i32(&sweeper->params, SWEEP_ROWS_MAX);
    duty_send(sweeper->duty, &sql_sweep_page, &sweeper->params);
}

/* On the database's clock, and not before it was. */
static int64_t broker_since_us(const struct sweeper *sweeper)
{
    uint64_t ago_ms = clock_monotonic_ms() - sweeper->broker_since_ms;

    return lease_clock_most_us(sweeper->options.lease) - (int64_t)ago_ms * 1000 + 1000;
}

static void see(const struct sweeper *sweeper, const PGresult *page, int row,
                struct sweep_sight *sight)
{
    int16_t topic = pg_i16(page, row, TOPIC);
    bool is_ours = topic > STAGE_NONE && topic < STAGE_COUNT;

    *sight = (struct sweep_sight){
        .now_us = pg_i64(page, row, NOW),
        .interval_us = sweeper->options.sweep_ms * 1000,
        .state =
            pg_i16(page, row, STATE) == 0 ? TASK_DONE : (enum task_state)pg_i16(page, row, STATE),
        .sweeps = pg_i32(page, row, SWEEPS),
        .is_holder_gone = pg_bool(page, row, GONE),
        .confirmed_us = pg_i64(page, row, CONFIRMED),
        .published_upto = pg_i64(page, row, UPTO),
        .claimed_upto = pg_i64(page, row, CLAIMED),
        .is_broker_ready = sweeper->publisher != NULL,
        .broker_since_us = broker_since_us(sweeper),
        .seen_empty_us = is_ours ? sweeper->queues[topic].seen_empty_us : 0,
    };
}

static struct decision decide(struct sweeper *sweeper, const PGresult *page, int row)
{
    struct sweep_sight sight;
    struct decision decision;

    see(sweeper, page, row, &sight);
    decision.act = sweep_rule(&sight, &decision.look_in_us);
    if (decision.act == SWEEP_SWEPT || decision.act == SWEEP_RELEASED) {
        if (sweeper->moves == SWEEP_MOVES_MAX) /* enough for one statement */
            return (struct decision){SWEEP_KEPT, 0};
        sweeper->moves++;
    }
    return decision;
}

static bool is_kept(const struct decision *decision)
{
    return decision->act == SWEEP_KEPT || decision->act == SWEEP_REARMED;
}

static bool is_moved(const struct decision *decision)
{
    return decision->act == SWEEP_SWEPT || decision->act == SWEEP_RELEASED;
}

/* Of the rows of `published` (their messages stand together): those of which nothing is kept. */
static void add_dropped(struct pg_params *params, const PGresult *page,
                        const struct decision *decisions)
{
    int rows = PQntuples(page);
    bool is_any_kept = false;

    pg_array_begin(params, PG_INT8);
    for (int row = 0; row < rows; row++) {
        is_any_kept |= is_kept(&decisions[row]);
        if (row + 1 < rows && pg_i64(page, row + 1, ID) == pg_i64(page, row, ID))
            continue;
        if (!is_any_kept)
            pg_array_i64(params, pg_i64(page, row, ID));
        is_any_kept = false;
    }
    pg_array_end(params);
}

static void add_cell(struct pg_params *params, const PGresult *page, int row, int column)
{
    size_t length;

    switch (column) {
    case ID:
        pg_array_i64(params, pg_i64(page, row, column));
        break;
    case ORDER:
        pg_array_uuid(params, pg_bytes(page, row, column, &length));
        break;
    case TRACE:
        pg_array_text(params, pg_text(page, row, column));
        break;
    case FENCE:
        pg_array_i32(params, pg_i32(page, row, column));
        break;
    default: /* TOPIC, STATE */
        pg_array_i16(params, pg_i16(page, row, column));
        break;
    }
}

/* One column of those messages that `which` chooses. */
static void add_column(struct pg_params *params, const PGresult *page,
                       const struct decision *decisions,
                       bool (*which)(const struct decision *decision), int column)
{
    static const enum pg_oid types[] = {[ID] = PG_INT8,    [ORDER] = PG_UUID, [TRACE] = PG_TEXT,
                                        [FENCE] = PG_INT4, [TOPIC] = PG_INT2, [STATE] = PG_INT2};

    pg_array_begin(params, types[column]);
    for (int row = 0; row < PQntuples(page); row++) {
        if (which(&decisions[row]))
            add_cell(params, page, row, column);
    }
    pg_array_end(params);
}

static void add_looks(struct pg_params *params, const struct decision *decisions, int count)
{
    pg_array_begin(params, PG_INT8);
    for (int i = 0; i < count; i++) {
        if (is_kept(&decisions[i]))
            pg_array_i64(params, decisions[i].look_in_us / 1000);
    }
    pg_array_end(params);
    pg_array_begin(params, PG_BOOL);
    for (int i = 0; i < count; i++) {
        if (is_kept(&decisions[i]))
            pg_array_bool(params, decisions[i].act == SWEEP_REARMED);
    }
    pg_array_end(params);
}

/* In the order of sweep_write.sql's parameters. */
static void add_decisions(struct sweeper *sweeper, const PGresult *page,
                          const struct decision *decisions)
{
    struct pg_params *params = &sweeper->params;

    pg_params_clear(params);
    pg_add_i64(params, duty_fence(sweeper->duty));
    add_dropped(params, page, decisions);
    add_column(params, page, decisions, is_kept, ID);
    add_column(params, page, decisions, is_kept, ORDER);
    add_column(params, page, decisions, is_kept, TRACE);
    add_looks(params, decisions, PQntuples(page));
    add_column(params, page, decisions, is_moved, ORDER);
    add_column(params, page, decisions, is_moved, TOPIC);
    add_column(params, page, decisions, is_moved, STATE);
    add_column(params, page, decisions, is_moved, FENCE);
    add_column(params, page, decisions, is_moved, TRACE);
    pg_add_text(params, sweeper->options.world.process);
}

static void decide_page(struct sweeper *sweeper, const PGresult *page)
{
    int count = PQntuples(page);
    struct decision *decisions = xcalloc((size_t)count + 1, sizeof(*decisions));

    for (int row = 0; row < count; row++) {
        decisions[row] = decide(sweeper, page, row);
        if (row == 0 || pg_i64(page, row, ID) != pg_i64(page, row - 1, ID))
            sweeper->rows++;
        if (pg_i64(page, row, LOOK) > sweeper->reached_us)
            sweeper->reached_us = pg_i64(page, row, LOOK);
    }
    if (count > 0)
        add_decisions(sweeper, page, decisions);
    metric_add(&looked, count);
    free(decisions);
}

/* --- its decisions -------------------------------------------------------------------------------
 */

static void send_decisions(struct sweeper *sweeper)
{
    sweeper->is_writing = true;
    duty_send(sweeper->duty, &sql_sweep_write, &sweeper->params);
}

static void note_moved(struct sweeper *sweeper, const PGresult *result)
{
    sweeper->is_held = pg_bool(result, 0, IS_HELD);
    for (int row = 0; row < PQntuples(result) && !pg_is_null(result, row, MOVED_ORDER); row++) {
        size_t length;

        metric_add(pg_i16(result, row, MOVED_SEEN) == TASK_READY ? &swept : &released, 1);
        memcpy(sweeper->orders[sweeper->moved++].bytes, pg_bytes(result, row, MOVED_ORDER, &length),
               ORDER_ID_BYTES);
    }
}

static void on_rows(void *owner, const PGresult *result)
{
    struct sweeper *sweeper = owner;

    if (sweeper->is_writing)
        note_moved(sweeper, result);
    else
        decide_page(sweeper, result);
}

static void on_done(void *owner, bool is_committed)
{
    struct sweeper *sweeper = owner;

    if (!sweeper->is_writing && is_committed && sweeper->rows > 0 && duty_may_go_on(sweeper->duty))
        send_decisions(sweeper);
    else
        end_page(sweeper, is_committed);
}

static void end_page(struct sweeper *sweeper, bool is_committed)
{
    duty_rest(sweeper->duty, is_committed ? sweeper->rows : -1, SWEEP_ROWS_MAX,
              sweeper->reached_us);
    if (!is_committed || !sweeper->is_writing)
        return;
    duty_tell_moved(sweeper->duty, &sweeper->options.world, sweeper->orders, sweeper->moved);
    if (!sweeper->is_held)
        sweeper->options.world.on_fenced(sweeper->options.world.owner);
}

/* --- the beginning and the end -------------------------------------------------------------------
 */

void sweeper_begin(struct sweeper *sweeper, int64_t fence)
{
    duty_begin(sweeper->duty, fence);
}

void sweeper_end(struct sweeper *sweeper)
{
    duty_end(sweeper->duty);
}

struct sweeper *sweeper_create(uv_loop_t *loop, const struct sweeper_options *options)
{
    static const struct pg_statement *const statements[] = {&sql_sweep_page, &sql_sweep_write,
                                                            NULL};
    struct sweeper *sweeper = xcalloc(1, sizeof(*sweeper));
    const struct duty_options duty = {
        .name = "sweep",
        .server = options->world.server,
        .statements = statements,
        .rest_ms_least = REST_MS_LEAST,
        .rest_ms_most = (uint64_t)options->sweep_ms / 4,
        .on_turn = on_turn,
        .on_rows = on_rows,
        .on_done = on_done,
        .owner = sweeper,
    };

    sweeper->options = *options;
    pg_params_init(&sweeper->params);
    sweeper->duty = duty_create(loop, &duty);
    return sweeper;
}

void sweeper_destroy(struct sweeper *sweeper)
{
    if (sweeper == NULL)
        return;
    duty_destroy(sweeper->duty);
    pg_params_finish(&sweeper->params);
    free(sweeper);
}

void sweeper_register_metrics(void)
{
    metric_register(&swept);
    metric_register(&released);
    metric_register(&looked);
}
