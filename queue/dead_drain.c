#include "queue/dead_drain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "queue/dead_message.h"
#include "queue/topology.h"
#include "schema/statements.h"

enum {
    PATIENCE_MS = 25000,
    AGAIN_MS = 500,
    DESCRIPTION_MAX = 16384,
    DEADS_MAX = 2 * DEAD_DRAIN_PREFETCH
};
enum { IS_HELD, KEPT };

/* One delivery: what it says, and how to ack it. */
struct dead {
    uint64_t link, tag;
    bool is_hint;
    struct order_id order;
    enum stage stage;
    char reason[sizeof(((struct fault *)NULL)->text)];
    struct text description;
};

struct dead_drain {
    struct dead_drain_options options;
    uv_loop_t *loop;
    struct errand *errand;
    uv_timer_t *timer; /* writes what has come; again after a failure */
    struct amqp_consumer *consumer;
    bool is_closing_consumer;
    int64_t fence; /* 0: rests */
    struct dead deads[DEADS_MAX];
    int count, writing; /* come, and of them in the statement under way */
    bool is_held;
    int kept;
    void (*on_closed)(void *owner);
    void *owner;
};

static struct metric drained = {.type = METRIC_COUNTER,
                                .name = "docket_relay_dead_hints_total",
                                .help =
                                    "Messages that the broker gave up, taken from docket.dead."};
static struct metric unreadable = {.type = METRIC_COUNTER,
                                   .name = "docket_relay_dead_unreadable_total",
                                   .help = "Of them, those that became a row of dead_letter."};

static void open_consumer(struct dead_drain *drain);
static void finish_close(struct dead_drain *drain);

/* --- deliveries ----------------------------------------------------------------------------------
 */

static void write_what_came(uv_timer_t *timer);

static void describe(struct dead *dead, const struct amqp_delivery *delivery)
{
    struct fault fault = {0};

    *dead = (struct dead){.link = delivery->link, .tag = delivery->tag};
    text_init(&dead->description, DESCRIPTION_MAX);
    dead_message_describe(delivery, &dead->description);
    dead->is_hint = dead_message_parse(delivery->body, delivery->body_length, &dead->order,
                                       &dead->stage, &fault);
    snprintf(dead->reason, sizeof(dead->reason), "%s",
             dead->is_hint ? "it names no task of ours" : fault.text);
}

static void on_delivery(void *owner, const struct amqp_delivery *delivery)
{
    struct dead_drain *drain = owner;

    if (drain->count == DEADS_MAX) /* cannot be: the prefetch is less */
        return;
    describe(&drain->deads[drain->count++], delivery);
    if (drain->writing == 0)
        uv_timer_start(drain->timer, write_what_came, 0, 0);
}

/* Removes those from `from` up to, not including, `to`. */
static void forget(struct dead_drain *drain, int from, int to)
{
    for (int i = from; i < to; i++)
        text_finish(&drain->deads[i].description);
    memmove(drain->deads + from, drain->deads + to,
            (size_t)(drain->count - to) * sizeof(drain->deads[0]));
    drain->count -= to - from;
}

/* What is not being written comes again; what is, is acked in vain. */
static void on_consumer_lost(void *owner, const struct fault *fault)
{
    struct dead_drain *drain = owner;

    (void)fault; /* the publisher's link tells the same */
    forget(drain, drain->writing, drain->count);
}

/* --- written -------------------------------------------------------------------------------------
 */

static void add_columns(const struct dead_drain *drain, struct pg_params *params)
{
    pg_array_begin(params, PG_UUID);
    for (int i = 0; i < drain->writing; i++)
        pg_array_uuid(params, drain->deads[i].is_hint ? drain->deads[i].order.bytes : NULL);
    pg_array_end(params);
    pg_array_begin(params, PG_INT2);
    for (int i = 0; i < drain->writing; i++)
        pg_array_i16(params, (int16_t)drain->deads[i].stage);
    pg_array_end(params);
    pg_array_begin(params, PG_TEXT);
    for (int i = 0; i < drain->writing; i++)
        pg_array_text(params, drain->deads[i].description.bytes);
    pg_array_end(params);
    pg_array_begin(params, PG_TEXT);
    for (int i = 0; i < drain->writing; i++)
        pg_array_text(params, drain->deads[i].reason);
    pg_array_end(params);
}

static void write_what_came(uv_timer_t *timer)
{
    struct dead_drain *drain = timer->data;
    struct pg_params params;

    if (drain->fence == 0 || drain->count == 0 || !errand_is_free(drain->errand))
        return;
    drain->writing = drain->count;
    pg_params_init(&params);
    pg_add_i64(&params, drain->fence);
    add_columns(drain, &params);
    errand_send(drain->errand, &sql_dead_drain, &params);
    pg_params_finish(&params);
}

static void on_rows(void *owner, const PGresult *result)
{
    struct dead_drain *drain = owner;

    drain->is_held = pg_bool(result, 0, IS_HELD);
    drain->kept = pg_i32(result, 0, KEPT);
}

static void end_written(struct dead_drain *drain)
{
    metric_add(&drained, drain->writing);
    metric_add(&unreadable, drain->kept);
    if (drain->kept > 0)
        log_error("unreadable_message", "%d messages of %s name no task of ours; see dead_letter",
                  drain->kept, TOPOLOGY_DEAD);
    for (int i = 0; i < drain->writing && drain->consumer; i++)
        amqp_consumer_ack(drain->consumer, drain->deads[i].link, drain->deads[i].tag);
    forget(drain, 0, drain->writing);
}

static void on_done(void *owner, bool is_committed)
{
    struct dead_drain *drain = owner;
    bool is_written = is_committed && drain->is_held;

    if (is_written)
        end_written(drain);
    drain->writing = 0;
    if (drain->count > 0)
        uv_timer_start(drain->timer, write_what_came, is_written ? 0 : AGAIN_MS, 0);
    if (is_committed && !is_written)
        drain->options.on_fenced(drain->options.owner);
}

static void on_ready(void *owner)
{
    struct dead_drain *drain = owner;

    uv_timer_start(drain->timer, write_what_came, 0, 0);
}

/* --- consuming while the lease is held
 * ------------------------------------------------------------ */

static void on_consumer_ready(void *owner)
{
    (void)owner;
}

static void on_consumer_closed(void *owner)
{
    struct dead_drain *drain = owner;

    drain->consumer = NULL;
    drain->is_closing_consumer = false;
    forget(drain, drain->writing, drain->count);
    if (drain->on_closed)
        finish_close(drain);
    else if (drain->fence != 0)
        open_consumer(drain);
}

static void open_consumer(struct dead_drain *drain)
{
    static const struct amqp_consumer_events events = {
        .on_ready = on_consumer_ready,
        .on_delivery = on_delivery,
        .on_lost = on_consumer_lost,
        .on_cancelled = on_consumer_ready,
    };

    drain->consumer =
        amqp_consumer_create(drain->loop, drain->options.amqp, &topology, TOPOLOGY_DEAD,
                             DEAD_DRAIN_PREFETCH, &events, drain, "dead");
}

static void close_consumer(struct dead_drain *drain)
{
    if (drain->consumer == NULL || drain->is_closing_consumer)
        return;
    drain->is_closing_consumer = true;
    amqp_consumer_close(drain->consumer, on_consumer_closed);
}

void dead_drain_begin(struct dead_drain *drain, int64_t fence)
{
    drain->fence = fence;
    if (drain->consumer == NULL)
        open_consumer(drain);
}

void dead_drain_end(struct dead_drain *drain)
{
    drain->fence = 0;
    close_consumer(drain);
}

/* --- the beginning and the end
 * -------------------------------------------------------------------- */

struct dead_drain *dead_drain_create(uv_loop_t *loop, const struct dead_drain_options *options)
{
    static const struct pg_statement *const statements[] = {&sql_dead_drain, NULL};
    struct dead_drain *drain = xcalloc(1, sizeof(*drain));
    const struct errand_options errand = {
        .name = "dead",
        .server = options->server,
        .statements = statements,
        .patience_ms = PATIENCE_MS,
        .on_ready = on_ready,
        .on_rows = on_rows,
        .on_done = on_done,
        .owner = drain,
    };

    drain->options = *options;
    drain->loop = loop;
    drain->timer = xcalloc(1, sizeof(*drain->timer));
    drain->timer->data = drain;
    uv_timer_init(loop, drain->timer);
    drain->errand = errand_create(loop, &errand);
    return drain;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void finish_close(struct dead_drain *drain)
{
    void (*on_closed)(void *) = drain->on_closed;
    void *owner = drain->owner;

    forget(drain, 0, drain->count);
    errand_destroy(drain->errand);
    uv_close((uv_handle_t *)drain->timer, free_handle);
    free(drain);
    on_closed(owner);
}

void dead_drain_close(struct dead_drain *drain, void (*on_closed)(void *owner), void *owner)
{
    drain->on_closed = on_closed;
    drain->owner = owner;
    dead_drain_end(drain);
    if (drain->consumer == NULL)
        finish_close(drain);
}

void dead_drain_register_metrics(void)
{
    metric_register(&drained);
    metric_register(&unreadable);
}
