#include "queue/release.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "queue/duty.h"
#include "schema/outsides.h"
#include "schema/statements.h"

enum { REST_MS_LEAST = 100, REST_MS_MOST = 1000 };

/* The columns of release_page.sql and of release_write.sql. */
enum {
    STAGE,
    STATE,
    VERSION,
    IS_HELD,
    IS_QUEUE_PAUSED,
    SINCE,
    OPENS,
    RATE,
    RELEASED,
    GOODS,
    IS_PROBE_OUT
};
enum { IS_LEASED, IS_AS_SEEN, SEEN, REACHED, ORDER_ID };

struct hold {
    struct release_sight sight;
    int64_t version;
    struct release_step step;

    struct order_id after; /* how far the last look came; zeros: look from the beginning */
    struct order_id
        after_probe; /* … while probing: one that failed is not probed with again at once */
    bool is_empty;
    uint64_t at_ms; /* when that was */
};

struct release {
    struct release_options options;
    struct duty *duty;
    struct hold holds[STAGE_COUNT];

    /* Of the turn under way. */
    enum stage stage; /* STAGE_NONE: the page */
    bool is_leased, is_as_seen;
    int portion; /* as it began */
    int found;   /* over all stages */
    int seen, moved;
    struct order_id reached; /* the last that was seen */
    struct order_id orders[PORTION_MOST];
};

#define OF_STAGE(type_, name_, help_, stage_)                                                      \
    {                                                                                              \
        .type = (type_), .name = (name_), .help = (help_), .labels = "stage=\"" #stage_ "\""       \
    }
static struct metric released_total[] = {
#define STAGE(number, NAME, name)                                                                  \
    [STAGE_##NAME] = OF_STAGE(METRIC_COUNTER, "docket_relay_released_total",                       \
                              "Parked tasks that were let out.", name),
    STAGES(STAGE)
#undef STAGE
};
static struct metric state_gauge[] = {
#define STAGE(number, NAME, name)                                                                  \
    [STAGE_##NAME] =                                                                               \
        OF_STAGE(METRIC_GAUGE, "docket_breaker_state",                                             \
                 "Calls for the stage: 1 are made, 2 none, 3 one, 4 more and more.", name),
    STAGES(STAGE)
#undef STAGE
};
static struct metric paused_gauge[] = {
#define STAGE(number, NAME, name)                                                                  \
    [STAGE_##NAME] =                                                                               \
        OF_STAGE(METRIC_GAUGE, "docket_paused",                                                    \
                 "1: an operator has paused the stage's queue or whom it calls.", name),
    STAGES(STAGE)
#undef STAGE
};

/* --- a look at what holds back -----------------------------------------------------------------
 */

static void on_turn(void *owner)
{
    struct release *release = owner;
    struct pg_params params;

    release->stage = STAGE_NONE;
    release->portion = duty_portion(release->duty);
    release->found = 0;
    release->is_leased = true;
    if (duty_look(release->duty) == SCAN_BEGINNING)
        for (int stage = STAGE_NONE + 1; stage < STAGE_COUNT; stage++)
            memset(&release->holds[stage].after, 0, sizeof(struct order_id));
    pg_params_init(&params);
    pg_array_begin(&params, PG_INT2);
    for (int stage = STAGE_NONE + 1; stage < STAGE_COUNT; stage++)
        pg_array_i16(&params, (int16_t)stage);
    pg_array_end(&params);
    pg_array_begin(&params, PG_INT2);
    for (int stage = STAGE_NONE + 1; stage < STAGE_COUNT; stage++)
        pg_array_i16(&params, (int16_t)outside_lead((enum stage)stage));
    pg_array_end(&params);
    duty_send(release->duty, &sql_release_page, &params);
    pg_params_finish(&params);
}

static void read_sight(struct release *release, const PGresult *page, int row)
{
    int16_t stage = pg_i16(page, row, STAGE);
    struct hold *hold = &release->holds[stage];

    hold->version = pg_i64(page, row, VERSION);
    hold->sight = (struct release_sight){
        .state = (enum breaker_state)pg_i16(page, row, STATE),
        .is_held = pg_bool(page, row, IS_HELD),
        .since_ms = pg_i64(page, row, SINCE),
        .opens = pg_i32(page, row, OPENS),
        .rate = pg_i32(page, row, RATE),
        .released = pg_i64(page, row, RELEASED),
        .goods = pg_i64(page, row, GOODS),
        .is_probe_out = pg_bool(page, row, IS_PROBE_OUT),
        .is_empty = hold->is_empty,
        .idle_ms = (int64_t)(clock_monotonic_ms() - hold->at_ms),
    };
    metric_set(&state_gauge[stage], hold->sight.state);
    metric_set(&paused_gauge[stage], hold->sight.is_held || pg_bool(page, row, IS_QUEUE_PAUSED));
    if (hold->sight.state != BREAKER_CLOSED)
        release->found++; /* look again soon */
}

/* --- letting out -------------------------------------------------------------------------------
 */

static struct order_id *cursor_of(struct hold *hold)
{
    return hold->step.state == BREAKER_PROBING ? &hold->after_probe : &hold->after;
}

static void send_step(struct release *release, struct hold *hold)
{
    struct pg_params params;

    release->seen = release->moved = 0;
    if (hold->step.state == BREAKER_RAMPING && hold->sight.state != BREAKER_RAMPING)
        memset(&hold->after, 0, sizeof(hold->after)); /* the oldest first */
    pg_params_init(&params);
    pg_add_i64(&params, duty_fence(release->duty));
    pg_add_i16(&params, (int16_t)release->stage);
    pg_add_i64(&params, hold->version);
    pg_add_i16(&params, (int16_t)hold->step.state);
    pg_add_i32(&params, hold->step.rate);
    pg_add_i32(&params, hold->step.count);
    pg_add_uuid(&params, cursor_of(hold)->bytes);
    pg_add_text(&params, release->options.world.process);
    pg_array_begin(&params, PG_INT2);
    for (int stage = STAGE_NONE + 1; stage < STAGE_COUNT; stage++) {
        if (outside_lead((enum stage)stage) == release->stage)
            pg_array_i16(&params, (int16_t)stage);
    }
    pg_array_end(&params);
    duty_send(release->duty, &sql_release_write, &params);
    pg_params_finish(&params);
}

static void read_released(struct release *release, const PGresult *result)
{
    size_t length;

    release->is_leased = pg_bool(result, 0, IS_LEASED);
    release->is_as_seen = pg_bool(result, 0, IS_AS_SEEN);
    release->seen = pg_i32(result, 0, SEEN);
    if (release->seen > 0)
        memcpy(release->reached.bytes, pg_bytes(result, 0, REACHED, &length), ORDER_ID_BYTES);
    for (int row = 0; row < PQntuples(result) && !pg_is_null(result, row, ORDER_ID); row++) {
        memcpy(release->orders[release->moved++].bytes, pg_bytes(result, row, ORDER_ID, &length),
               ORDER_ID_BYTES);
    }
}

static bool is_zero(const struct order_id *id)
{
    static const struct order_id zero;

    return memcmp(id, &zero, sizeof(zero)) == 0;
}

/* From where the next look reads: behind the last one that was seen, or from the beginning where
 * this one came to the end.  Who was passed over for a lock is found then. */
static void move_cursor(struct release *release, struct hold *hold)
{
    struct order_id *cursor = cursor_of(hold);

    hold->is_empty = release->seen == 0 && is_zero(cursor);
    if (release->seen < hold->step.count)
        memset(cursor, 0, sizeof(*cursor));
    else
        *cursor = release->reached;
}

static void tell_released(struct release *release, struct hold *hold)
{
    const struct outside *outside = outside_of(release->stage);

    if (hold->step.state != hold->sight.state)
        log_info("breaker_moved", "%s is %s", outside ? outside->name : stage_name(release->stage),
                 breaker_state_name(hold->step.state));
    metric_add(&released_total[release->stage], release->moved);
    duty_tell_moved(release->duty, &release->options.world, release->orders, release->moved);
}

static void end_step(struct release *release)
{
    struct hold *hold = &release->holds[release->stage];

    if (!release->is_leased || !release->is_as_seen)
        return;
    move_cursor(release, hold);
    hold->at_ms = clock_monotonic_ms();
    if (release->moved > 0 || release->seen == hold->step.count)
        release->found += release->seen;
    tell_released(release, hold);
}

/* True: the statement of a later stage is under way. */
static bool go_on(struct release *release)
{
    while (release->is_leased && release->stage + 1 < STAGE_COUNT &&
           duty_may_go_on(release->duty)) {
        struct hold *hold = &release->holds[++release->stage];

        if (outside_lead(release->stage) != release->stage)
            continue; /* is let out with the one that leads it */
        release_rule(&hold->sight, &release->options.policy, &hold->step);
        if (hold->step.count == 0)
            continue;
        if (hold->step.count > duty_portion(release->duty))
            hold->step.count = duty_portion(release->duty);
        send_step(release, hold);
        return true;
    }
    return false;
}

static void on_rows(void *owner, const PGresult *result)
{
    struct release *release = owner;

    if (release->stage != STAGE_NONE)
        read_released(release, result);
    for (int row = 0; release->stage == STAGE_NONE && row < PQntuples(result); row++)
        read_sight(release, result, row);
}

static void on_done(void *owner, bool is_committed)
{
    struct release *release = owner;

    if (is_committed && release->stage != STAGE_NONE)
        end_step(release);
    if (is_committed && go_on(release))
        return;
    duty_rest(release->duty, is_committed ? release->found : -1, release->portion,
              SCAN_PLACE_OF_ITS_OWN);
    if (is_committed && !release->is_leased)
        release->options.world.on_fenced(release->options.world.owner);
}

/* --- the beginning and the end -----------------------------------------------------------------
 */

void release_begin(struct release *release, int64_t fence)
{
    memset(release->holds, 0, sizeof(release->holds));
    duty_begin(release->duty, fence);
}

/* A relay that does not lead shows nothing: only one of them does. */
void release_end(struct release *release)
{
    duty_end(release->duty);
    for (int stage = STAGE_NONE + 1; stage < STAGE_COUNT; stage++) {
        metric_set(&state_gauge[stage], 0);
        metric_set(&paused_gauge[stage], 0);
    }
}

struct release *release_create(uv_loop_t *loop, const struct release_options *options)
{
    static const struct pg_statement *const statements[] = {&sql_release_page, &sql_release_write,
                                                            NULL};
    struct release *release = xcalloc(1, sizeof(*release));
    const struct duty_options duty = {
        .name = "release",
        .server = options->world.server,
        .statements = statements,
        .rest_ms_least = REST_MS_LEAST,
        .rest_ms_most = REST_MS_MOST,
        .on_turn = on_turn,
        .on_rows = on_rows,
        .on_done = on_done,
        .owner = release,
    };

    release->options = *options;
    release->duty = duty_create(loop, &duty);
    return release;
}

void release_destroy(struct release *release)
{
    if (release == NULL)
        return;
    duty_destroy(release->duty);
    free(release);
}

void release_register_metrics(void)
{
    for (int stage = STAGE_NONE + 1; stage < STAGE_COUNT; stage++) {
        metric_register(&released_total[stage]);
        metric_register(&state_gauge[stage]);
        metric_register(&paused_gauge[stage]);
    }
}
