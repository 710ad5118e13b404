#include "queue/webhooks.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "queue/duty.h"
#include "schema/statements.h"

enum { FORGET_MS = 600000, FORGET_MAX = 1000 };
enum { IS_HELD, SEEN, REACHED, OUTCOME, ORDER_ID };

struct webhooks {
    struct duty_world world;
    struct duty *duty;
    uint64_t forget_at_ms;

    /* Of the look under way. */
    bool is_forgetting, is_held;
    int seen, moved;
    int64_t reached_us;
    int outcomes[8]; /* as many as there are counters */
    struct order_id orders[WEBHOOKS_MAX];
};

#define COUNTER(word)                                                                              \
    {                                                                                              \
        .type = METRIC_COUNTER, .name = "docket_relay_webhooks_total",                             \
        .help = "Events of the provider's that were dealt with, by what became of them.",          \
        .labels = "outcome=\"" word "\""                                                           \
    }

static struct {
    const char *word;
    struct metric metric;
} counters[] = {
    {"looked_up", COUNTER("looked_up")},
    {"late", COUNTER("late")},
    {"parked", COUNTER("parked")},
    {"dead_letter", COUNTER("dead_letter")},
    {"unknown_intent", COUNTER("unknown_intent")},
};

static void look(struct webhooks *webhooks)
{
    struct pg_params params;

    pg_params_init(&params);
    pg_add_i64(&params, duty_fence(webhooks->duty));
    pg_add_i64(&params, duty_look(webhooks->duty));
    pg_add_i32(&params, WEBHOOKS_MAX);
    pg_add_text(&params, webhooks->world.process);
    duty_send(webhooks->duty, &sql_webhook_apply, &params);
    pg_params_finish(&params);
}

static void forget(struct webhooks *webhooks)
{
    struct pg_params params;

    pg_params_init(&params);
    pg_add_i64(&params, duty_fence(webhooks->duty));
    pg_add_i32(&params, FORGET_MAX);
    duty_send(webhooks->duty, &sql_webhook_forget, &params);
    pg_params_finish(&params);
}

static void on_turn(void *owner)
{
    struct webhooks *webhooks = owner;
    uint64_t now = clock_monotonic_ms();

    webhooks->seen = webhooks->moved = 0;
    memset(webhooks->outcomes, 0, sizeof(webhooks->outcomes));
    webhooks->is_forgetting = now >= webhooks->forget_at_ms;
    if (webhooks->is_forgetting)
        forget(webhooks);
    else
        look(webhooks);
}

static void note(struct webhooks *webhooks, const char *outcome)
{
    for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
        webhooks->outcomes[i] += strcmp(counters[i].word, outcome) == 0;
}

static void on_rows(void *owner, const PGresult *result)
{
    struct webhooks *webhooks = owner;
    size_t length;

    webhooks->is_held = pg_bool(result, 0, IS_HELD);
    webhooks->seen = pg_i32(result, 0, SEEN);
    if (webhooks->is_forgetting)
        return;
    webhooks->reached_us = pg_i64(result, 0, REACHED);
    for (int row = 0; row < PQntuples(result); row++) {
        if (pg_is_null(result, row, OUTCOME))
            continue;
        note(webhooks, pg_text(result, row, OUTCOME));
        if (!pg_is_null(result, row, ORDER_ID))
            memcpy(webhooks->orders[webhooks->moved++].bytes,
                   pg_bytes(result, row, ORDER_ID, &length), ORDER_ID_BYTES);
    }
}

static void tell(struct webhooks *webhooks)
{
    for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
        metric_add(&counters[i].metric, webhooks->outcomes[i]);
    duty_tell_moved(webhooks->duty, &webhooks->world, webhooks->orders, webhooks->moved);
    if (!webhooks->is_held)
        webhooks->world.on_fenced(webhooks->world.owner);
}

/* What is put off has its time; nothing is looked at again at once. */
static void on_done(void *owner, bool is_committed)
{
    struct webhooks *webhooks = owner;

    if (webhooks->is_forgetting && is_committed) /* a full page: there is more to forget */
        webhooks->forget_at_ms =
            clock_monotonic_ms() + (webhooks->seen == FORGET_MAX ? 0 : FORGET_MS);
    /* To forget is no look: the scan goes on where it was. */
    duty_rest(webhooks->duty, is_committed && !webhooks->is_forgetting ? webhooks->seen : -1,
              WEBHOOKS_MAX, webhooks->reached_us);
    if (is_committed)
        tell(webhooks);
}

void webhooks_begin(struct webhooks *webhooks, int64_t fence)
{
    duty_begin(webhooks->duty, fence);
}

void webhooks_end(struct webhooks *webhooks)
{
    duty_end(webhooks->duty);
}

struct webhooks *webhooks_create(uv_loop_t *loop, const struct duty_world *world)
{
    static const struct pg_statement *const statements[] = {&sql_webhook_apply, &sql_webhook_forget,
                                                            NULL};
    struct webhooks *webhooks = xcalloc(1, sizeof(*webhooks));
    const struct duty_options duty = {
        .name = "webhooks",
        .server = world->server,
        .statements = statements,
        .rest_ms_least = WEBHOOKS_MS_LEAST,
        .rest_ms_most = WEBHOOKS_MS_MOST,
        .on_turn = on_turn,
        .on_rows = on_rows,
        .on_done = on_done,
        .owner = webhooks,
    };

    webhooks->world = *world;
    webhooks->forget_at_ms = clock_monotonic_ms() + FORGET_MS;
    webhooks->duty = duty_create(loop, &duty);
    return webhooks;
}

void webhooks_destroy(struct webhooks *webhooks)
{
    if (webhooks == NULL)
        return;
    duty_destroy(webhooks->duty);
    free(webhooks);
}

void webhooks_register_metrics(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
        metric_register(&counters[i].metric);
}
