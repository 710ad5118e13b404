#include "queue/duty.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"

enum { PATIENCE_MS = 25000 };

struct duty {
    struct duty_options options;
    struct errand *errand;
    uv_timer_t *timer;
    struct scan scan;
    int64_t fence; /* 0: rests */
    int portion;
    uint64_t sent_ms; /* the last statement */
};

static void on_timer(uv_timer_t *timer)
{
    struct duty *duty = timer->data;

    if (duty_may_go_on(duty))
        duty->options.on_turn(duty->options.owner);
}

static void on_ready(void *owner)
{
    struct duty *duty = owner;

    uv_timer_start(duty->timer, on_timer, 0, 0);
}

static void on_rows(void *owner, const PGresult *result)
{
    struct duty *duty = owner;

    duty->options.on_rows(duty->options.owner, result);
}

static void on_done(void *owner, bool is_committed)
{
    struct duty *duty = owner;

    duty->options.on_done(duty->options.owner, is_committed);
}

int64_t duty_fence(const struct duty *duty)
{
    return duty->fence;
}

bool duty_may_go_on(const struct duty *duty)
{
    return duty->fence != 0 && errand_is_free(duty->errand);
}

int64_t duty_look(struct duty *duty)
{
    return scan_begin(&duty->scan, clock_monotonic_ms());
}

void duty_send(struct duty *duty, const struct pg_statement *statement,
               const struct pg_params *params)
{
    duty->sent_ms = clock_monotonic_ms();
    errand_send(duty->errand, statement, params);
}

void duty_rest(struct duty *duty, int found, int limit, int64_t reached_us)
{
    uv_timer_start(duty->timer, on_timer,
                   scan_end(&duty->scan, clock_monotonic_ms(), found, limit, reached_us), 0);
}

int duty_portion(const struct duty *duty)
{
    return duty->portion;
}

void duty_tell_moved(struct duty *duty, const struct duty_world *world,
                     const struct order_id *orders, int count)
{
    duty->portion = portion_next(duty->portion, count, clock_monotonic_ms() - duty->sent_ms);
    for (int i = 0; i < count; i++)
        hint_order(world->hint, &orders[i]);
    if (count > 0)
        world->on_work(world->owner);
}

void duty_looked(struct duty *duty)
{
    (void)scan_end(&duty->scan, clock_monotonic_ms(), 0, 1, 0);
}

void duty_rest_for(struct duty *duty, uint64_t rest_ms)
{
    uv_timer_start(duty->timer, on_timer, rest_ms, 0);
}

void duty_begin(struct duty *duty, int64_t fence)
{
    duty->fence = fence;
    scan_reset(&duty->scan);
    on_ready(duty);
}

void duty_end(struct duty *duty)
{
    duty->fence = 0;
}

struct duty *duty_create(uv_loop_t *loop, const struct duty_options *options)
{
    struct duty *duty = xcalloc(1, sizeof(*duty));
    const struct errand_options errand = {
        .name = options->name,
        .server = options->server,
        .statements = options->statements,
        .patience_ms = PATIENCE_MS,
        .on_ready = on_ready,
        .on_rows = on_rows,
        .on_done = on_done,
        .owner = duty,
    };

    duty->options = *options;
    duty->portion = PORTION_FIRST;
    duty->scan = (struct scan){.rest_ms_least = options->rest_ms_least,
                               .rest_ms_most = options->rest_ms_most};
    duty->timer = xcalloc(1, sizeof(*duty->timer));
    duty->timer->data = duty;
    uv_timer_init(loop, duty->timer);
    duty->errand = errand_create(loop, &errand);
    return duty;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void duty_destroy(struct duty *duty)
{
    if (duty == NULL)
        return;
    errand_destroy(duty->errand);
    uv_close((uv_handle_t *)duty->timer, free_handle);
    free(duty);
}
