#include "queue/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "queue/duty.h"
#include "queue/replay_rule.h"
#include "schema/statements.h"

/* The columns of replay_fold.sql, replay_runs.sql, replay_release.sql and of those that end or fill
 * a run. */
enum { IS_HELD, OUTCOMES, IS_CURRENT = 1, SKIPPED, ORDER_ID };
enum {
    RUN_ID,
    RUN_VERSION,
    RUN_IS_FILLING,
    RUN_HAS_IDS,
    RUN_RATE,
    RUN_RAMP,
    RUN_STOP_SHARE,
    RUN_MEMBERS,
    RUN_RELEASED,
    RUN_SKIPPED,
    RUN_ENDED,
    RUN_RAMP_AT,
    RUN_STEP_RELEASED,
    RUN_STEP_SUCCEEDED,
    RUN_STEP_FAILED,
    RUN_PACED,
    RUN_NOW,
    RUN_IS_HELD_BACK
};

struct run {
    int64_t id;
    int32_t version;
    bool is_filling, has_ids;
    struct replay_sight sight;
};

struct replay {
    struct duty_world world;
    struct duty *duty;

    /* Of the round under way: outcomes, then the runs, then an act for each of them. */
    enum { FOLDS, READS, ACTS } part;
    struct run runs[REPLAY_RUNS_MAX];
    int run_count, at;
    struct replay_decision decision; /* about runs[at] */
    int64_t rest_ms;                 /* the shortest that any of them wishes */

    /* Of the statement under way. */
    bool is_held, is_ended;
    int moved, skips, outcomes;
    struct order_id orders[PORTION_MOST];
};

#define LETTERS(what_)                                                                             \
    {                                                                                              \
        .type = METRIC_COUNTER, .name = "docket_replay_letters_total",                             \
        .help = "Members of replay runs that were dealt with.", .labels = "what=\"" what_ "\""     \
    }
static struct metric released = LETTERS("released"), skipped = LETTERS("skipped"),
                     ended = LETTERS("ended");
static struct metric open_runs = {.type = METRIC_GAUGE,
                                  .name = "docket_replay_runs",
                                  .help = "Replay runs that go on (paused ones do not)."};
static struct metric stops = {.type = METRIC_COUNTER,
                              .name = "docket_replay_stops_total",
                              .help =
                                  "Replay runs that stopped by themselves: too many failed again."};

static void fold(void *owner);
static void read_runs(struct replay *replay);
static void act_on_next(struct replay *replay);
static void end_round(struct replay *replay);

static void send_part(struct replay *replay, const struct pg_statement *statement,
                      struct pg_params *params)
{
    replay->is_held = replay->is_ended = false;
    replay->moved = replay->skips = replay->outcomes = 0;
    duty_send(replay->duty, statement, params);
    pg_params_finish(params);
}

/* --- a round -------------------------------------------------------------------------------------
 */

static void fold(void *owner)
{
    struct replay *replay = owner;
    struct pg_params params;

    replay->part = FOLDS;
    replay->run_count = replay->at = 0;
    replay->rest_ms = REPLAY_MS_MOST;
    pg_params_init(&params);
    pg_add_i64(&params, duty_fence(replay->duty));
    pg_add_bool(&params, duty_look(replay->duty) == SCAN_BEGINNING);
    send_part(replay, &sql_replay_fold, &params);
}

static void read_runs(struct replay *replay)
{
    struct pg_params params;

    replay->part = READS;
    pg_params_init(&params);
    pg_add_i64(&params, duty_fence(replay->duty));
    pg_add_i32(&params, REPLAY_RUNS_MAX);
    send_part(replay, &sql_replay_runs, &params);
}

/* The parameters that every act on a run begins with. */
static void begin_act(const struct replay *replay, struct pg_params *params)
{
    const struct run *run = &replay->runs[replay->at];

    pg_params_init(params);
    pg_add_i64(params, duty_fence(replay->duty));
    pg_add_i64(params, run->id);
    pg_add_i32(params, run->version);
}

static void fill(struct replay *replay)
{
    bool has_ids = replay->runs[replay->at].has_ids;
    struct pg_params params;

    begin_act(replay, &params);
    pg_add_i32(&params, REPLAY_PAGE);
    replay->rest_ms = 0;
    send_part(replay, has_ids ? &sql_replay_fill_ids : &sql_replay_fill, &params);
}

static void release(struct replay *replay)
{
    const struct replay_decision *decision = &replay->decision;
    int portion = duty_portion(replay->duty);
    struct pg_params params;

    begin_act(replay, &params);
    pg_add_i32(&params, decision->count < portion ? decision->count : portion);
    pg_add_bool(&params, decision->begins_step);
    pg_add_i32(&params, decision->ramp_at);
    pg_add_i64(&params, decision->paced_us);
    pg_add_text(&params, replay->world.process);
    replay->rest_ms = REPLAY_MS_LEAST;
    send_part(replay, &sql_replay_release, &params);
}

static void end_run(struct replay *replay)
{
    bool is_stopped = replay->decision.act == REPLAY_STOPPED;
    struct pg_params params;

    begin_act(replay, &params);
    pg_add_text(&params, is_stopped ? "stopped" : "done");
    pg_add_text(&params, is_stopped ? "too many of a step failed again" : "");
    send_part(replay, &sql_replay_end, &params);
}

/* False: there is nothing to do for it now. */
static bool act(struct replay *replay, const struct run *run)
{
    if (run->is_filling) {
        fill(replay);
        return true;
    }
    replay->decision = replay_rule(&run->sight);
    switch (replay->decision.act) {
    case REPLAY_WAITED:
        if (replay->decision.rest_us / 1000 < replay->rest_ms)
            replay->rest_ms = replay->decision.rest_us / 1000;
        return false;
    case REPLAY_RELEASED:
        release(replay);
        return true;
    case REPLAY_STOPPED:
    case REPLAY_DONE:
        end_run(replay);
        return true;
    }
    return false;
}

static void act_on_next(struct replay *replay)
{
    replay->part = ACTS;
    for (; replay->at < replay->run_count; replay->at++) {
        if (act(replay, &replay->runs[replay->at]))
            return;
    }
    end_round(replay);
}

static void end_round(struct replay *replay)
{
    int64_t rest_ms = replay->rest_ms < REPLAY_MS_LEAST ? REPLAY_MS_LEAST : replay->rest_ms;

    duty_rest_for(replay->duty, (uint64_t)rest_ms);
}

/* --- what came back ------------------------------------------------------------------------------
 */

static void note_run(struct run *run, const PGresult *result, int row)
{
    int32_t count = pg_array_count(result, row, RUN_RAMP);
    size_t length;

    *run = (struct run){
        .id = pg_i64(result, row, RUN_ID),
        .version = pg_i32(result, row, RUN_VERSION),
        .is_filling = pg_bool(result, row, RUN_IS_FILLING),
        .has_ids = pg_bool(result, row, RUN_HAS_IDS),
        .sight =
            {
                .now_us = pg_i64(result, row, RUN_NOW),
                .paced_us = pg_i64(result, row, RUN_PACED),
                .rate = pg_i32(result, row, RUN_RATE),
                .ramp_count = count,
                .stop_share = pg_i32(result, row, RUN_STOP_SHARE),
                .members = pg_i64(result, row, RUN_MEMBERS),
                .released = pg_i64(result, row, RUN_RELEASED),
                .skipped = pg_i64(result, row, RUN_SKIPPED),
                .ended = pg_i64(result, row, RUN_ENDED),
                .ramp_at = pg_i32(result, row, RUN_RAMP_AT),
                .step_released = pg_i64(result, row, RUN_STEP_RELEASED),
                .step_succeeded = pg_i64(result, row, RUN_STEP_SUCCEEDED),
                .step_failed = pg_i64(result, row, RUN_STEP_FAILED),
                .is_held_back = pg_bool(result, row, RUN_IS_HELD_BACK),
            },
    };
    for (int32_t i = 0; i < count; i++) {
        const uint8_t *bytes = pg_array_element(result, row, RUN_RAMP, i, &length);

        run->sight.ramp[i] = (int32_t)((uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
                                       (uint32_t)bytes[2] << 8 | bytes[3]);
    }
}

static void note_runs(struct replay *replay, const PGresult *result)
{
    replay->is_held = PQntuples(result) > 0;
    for (int row = 0; row < PQntuples(result) && !pg_is_null(result, row, RUN_ID); row++)
        note_run(&replay->runs[replay->run_count++], result, row);
}

static void note_released(struct replay *replay, const PGresult *result)
{
    size_t length;

    replay->skips = pg_i32(result, 0, SKIPPED);
    for (int row = 0; row < PQntuples(result) && !pg_is_null(result, row, ORDER_ID); row++)
        memcpy(replay->orders[replay->moved++].bytes, pg_bytes(result, row, ORDER_ID, &length),
               ORDER_ID_BYTES);
}

static void on_rows(void *owner, const PGresult *result)
{
    struct replay *replay = owner;

    if (replay->part == READS) {
        note_runs(replay, result);
        return;
    }
    replay->is_held = pg_bool(result, 0, IS_HELD);
    if (replay->part == FOLDS)
        replay->outcomes = pg_i32(result, 0, OUTCOMES);
    else if (PQnfields(result) > ORDER_ID)
        note_released(replay, result);
    else if (!replay->runs[replay->at].is_filling)
        replay->is_ended = pg_bool(result, 0, IS_CURRENT);
}

static void tell_released(struct replay *replay)
{
    metric_add(&released, replay->moved);
    metric_add(&skipped, replay->skips);
    duty_tell_moved(replay->duty, &replay->world, replay->orders, replay->moved);
}

static void tell_ended(const struct replay *replay, const struct run *run)
{
    if (!replay->is_ended)
        return;
    if (replay->decision.act == REPLAY_STOPPED) {
        metric_add(&stops, 1);
        log_warn("replay_stopped", "run %lld stopped by itself: too many of a step failed again",
                 (long long)run->id);
    } else if (replay->decision.act == REPLAY_DONE) {
        log_info("replay_done", "run %lld: %lld released, %lld skipped", (long long)run->id,
                 (long long)run->sight.released, (long long)run->sight.skipped);
    }
}

static void tell(struct replay *replay)
{
    switch (replay->part) {
    case FOLDS:
        metric_add(&ended, replay->outcomes);
        duty_looked(replay->duty);
        break;
    case READS:
        metric_set(&open_runs, replay->run_count);
        break;
    case ACTS:
        tell_released(replay);
        tell_ended(replay, &replay->runs[replay->at]);
        break;
    }
}

static void go_on(struct replay *replay)
{
    switch (replay->part) {
    case FOLDS:
        read_runs(replay);
        break;
    case ACTS:
        replay->at++;
        act_on_next(replay);
        break;
    case READS:
        act_on_next(replay);
        break;
    }
}

static void on_done(void *owner, bool is_committed)
{
    struct replay *replay = owner;

    if (!is_committed || !duty_may_go_on(replay->duty)) {
        end_round(replay);
    } else if (!replay->is_held) {
        end_round(replay);
        replay->world.on_fenced(replay->world.owner);
    } else {
        tell(replay);
        go_on(replay);
    }
}

void replay_begin(struct replay *replay, int64_t fence)
{
    duty_begin(replay->duty, fence);
}

void replay_end(struct replay *replay)
{
    duty_end(replay->duty);
    metric_set(&open_runs, 0);
}

struct replay *replay_create(uv_loop_t *loop, const struct duty_world *world)
{
    static const struct pg_statement *const statements[] = {&sql_replay_fold,
                                                            &sql_replay_runs,
                                                            &sql_replay_fill,
                                                            &sql_replay_fill_ids,
                                                            &sql_replay_release,
                                                            &sql_replay_end,
                                                            NULL};
    struct replay *replay = xcalloc(1, sizeof(*replay));
    const struct duty_options duty = {
        .name = "run",
        .server = world->server,
        .statements = statements,
        .rest_ms_least = REPLAY_MS_LEAST,
        .rest_ms_most = REPLAY_MS_MOST,
        .on_turn = fold,
        .on_rows = on_rows,
        .on_done = on_done,
        .owner = replay,
    };

    replay->world = *world;
    replay->duty = duty_create(loop, &duty);
    return replay;
}

void replay_destroy(struct replay *replay)
{
    if (replay == NULL)
        return;
    duty_destroy(replay->duty);
    free(replay);
}

void replay_register_metrics(void)
{
    metric_register(&released);
    metric_register(&skipped);
    metric_register(&ended);
    metric_register(&open_runs);
    metric_register(&stops);
}
