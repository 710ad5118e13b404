/* docket-relay: takes the outbox to RabbitMQ, and keeps everything moving that waits
 *
 *     lease ─taken─► outbox (poll ─► publish ─► confirmed ─► settled)
 *              └───► due retries, parked tasks, replay runs, webhooks, sweeper, docket.dead,
 * partitions ─lost──► all of it stops
 *
 * Any number of relays may run; one of them leads.  Crashed or frozen at any point, it leaves
 * behind rows that the next one publishes once more: duplicates only.
 */
#include <stdlib.h>

#include "base/amqp.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "queue/dead_drain.h"
#include "queue/due.h"
#include "queue/hint.h"
#include "queue/keeper.h"
#include "queue/lease.h"
#include "queue/outbox.h"
#include "queue/publish.h"
#include "queue/release.h"
#include "queue/replay.h"
#include "queue/service.h"
#include "queue/sweeper.h"
#include "queue/topology.h"
#include "queue/webhooks.h"

enum { CONFIRM_GRACE_MS = 3000, SETTLE_GRACE_MS = 2000, ENDING_TICK_MS = 20 };

struct relay {
    struct service service;
    struct lease *lease;
    struct publish *publish;
    struct outbox *outbox;
    struct hint *hint;
    struct due *due;
    struct release *release;
    struct replay *replay;
    struct webhooks *webhooks;
    struct sweeper *sweeper;
    struct dead_drain *dead_drain;
    struct keeper *keeper;
    struct amqp_publisher *publisher;
    bool is_broker_ready;

    uv_timer_t ending;
    uint64_t ending_until_ms;
};

static struct metric held = {
    .type = METRIC_GAUGE, .name = "docket_relay_lease_held", .help = "1: this relay leads."};
static struct metric blocked = {.type = METRIC_GAUGE,
                                .name = "docket_relay_broker_blocked",
                                .help =
                                    "1: the broker takes nothing (an alarm), the outbox waits."};
static struct metric connected = {.type = METRIC_GAUGE,
                                  .name = "docket_relay_broker_connected",
                                  .help = "1: there is a connection to the broker."};

/* --- who leads ---------------------------------------------------------------------------------
 */

static void on_lease_taken(void *owner, int64_t fence)
{
    struct relay *relay = owner;

    if (service_is_stopping(&relay->service))
        return;
    metric_set(&held, 1);
    publish_set_fence(relay->publish, fence);
    outbox_begin(relay->outbox);
    due_begin(relay->due, fence);
    release_begin(relay->release, fence);
    replay_begin(relay->replay, fence);
    webhooks_begin(relay->webhooks, fence);
    sweeper_begin(relay->sweeper, fence);
    dead_drain_begin(relay->dead_drain, fence);
    keeper_begin(relay->keeper, fence);
}

static void end_duties(struct relay *relay)
{
    outbox_end(relay->outbox);
    due_end(relay->due);
    release_end(relay->release);
    replay_end(relay->replay);
    webhooks_end(relay->webhooks);
    sweeper_end(relay->sweeper);
    keeper_end(relay->keeper);
}

static void on_lease_lost(void *owner)
{
    struct relay *relay = owner;

    metric_set(&held, 0);
    publish_set_fence(relay->publish, 0);
    end_duties(relay);
    if (!service_is_stopping(&relay->service))
        dead_drain_end(relay->dead_drain);
}

static void on_fenced(void *owner)
{
    struct relay *relay = owner;

    lease_doubt(relay->lease);
}

/* --- the broker --------------------------------------------------------------------------------
 */

static void on_broker_ready(void *owner)
{
    struct relay *relay = owner;

    log_info("broker_ready", "publishing");
    metric_set(&connected, 1);
    metric_set(&blocked, 0);
    relay->is_broker_ready = true;
    publish_open(relay->publish, relay->publisher);
    sweeper_on_broker(relay->sweeper, relay->publisher);
}

static void on_broker_blocked(void *owner, const char *reason)
{
    struct relay *relay = owner;

    log_warn("broker_blocked", "the broker takes nothing: %s; the outbox waits", reason);
    metric_set(&blocked, 1);
    relay->is_broker_ready = false;
    publish_open(relay->publish, NULL);
    sweeper_on_broker(relay->sweeper, NULL);
}

static void on_broker_lost(void *owner, const struct fault *fault)
{
    struct relay *relay = owner;

    log_warn("broker_lost", "%s; the outbox waits", fault->text);
    metric_set(&connected, 0);
    metric_set(&blocked, 0);
    relay->is_broker_ready = false;
    publish_open(relay->publish, NULL);
    sweeper_on_broker_lost(relay->sweeper);
}

static void on_messages_settled(void *owner, const struct amqp_settled *settled, size_t count)
{
    struct relay *relay = owner;

    publish_on_settled(relay->publish, settled, count);
}

static void on_queue_inspected(void *owner, const char *queue, int64_t messages, int64_t consumers)
{
    struct relay *relay = owner;

    (void)consumers;
    sweeper_on_inspected(relay->sweeper, queue, messages);
    publish_on_inspected(relay->publish, queue, messages);
}

/* --- between the parts --------------------------------------------------------------------------
 */

static void on_room(void *owner)
{
    struct relay *relay = owner;

    outbox_on_room(relay->outbox);
}

static void on_deep(void *owner, enum stage topic)
{
    sweeper_inspect(((struct relay *)owner)->sweeper, topic);
}

/* A duty has made outbox rows. */
static void on_work(void *owner)
{
    struct relay *relay = owner;

    outbox_wake(relay->outbox);
}

static int64_t floor_of(void *owner)
{
    return outbox_floor(((struct relay *)owner)->outbox);
}

static bool is_ready(const void *owner, struct text *reason)
{
    const struct relay *relay = owner;

    if (relay->service.database.fault.kind != FAULT_NONE)
        text_print(reason, "%s\n", relay->service.database.fault.text);
    else if (!lease_is_connected(relay->lease))
        text_add(reason, "waits for Postgres; see the log\n");
    else if (!relay->is_broker_ready)
        text_add(reason, "the broker is away or takes nothing; see the log\n");
    return reason->length == 0;
}

/* --- the end: what is unconfirmed gets its time, then the lease is given back -------------------
 */

static void on_drain_closed(void *owner);
static void on_publisher_closed(void *owner);
static void settle_last(struct relay *relay);
static void await_settling(uv_timer_t *timer);
static void on_lease_released(void *owner);
static void take_down(uv_timer_t *timer);

static void on_stop(void *owner)
{
    struct relay *relay = owner;

    end_duties(relay);
    publish_open(relay->publish, NULL);
    sweeper_on_broker_lost(relay->sweeper);
    amqp_publisher_close(relay->publisher, CONFIRM_GRACE_MS, on_publisher_closed);
    dead_drain_close(relay->dead_drain, on_drain_closed, relay);
}

static void on_drain_closed(void *owner)
{
    struct relay *relay = owner;

    relay->dead_drain = NULL;
    settle_last(relay);
}

static void on_publisher_closed(void *owner)
{
    struct relay *relay = owner;

    relay->publisher = NULL;
    settle_last(relay);
}

static void settle_last(struct relay *relay)
{
    if (relay->publisher || relay->dead_drain)
        return;
    relay->ending_until_ms = clock_monotonic_ms() + SETTLE_GRACE_MS;
    uv_timer_start(&relay->ending, await_settling, 0, ENDING_TICK_MS);
}

static void await_settling(uv_timer_t *timer)
{
    struct relay *relay = timer->data;

    if (!publish_is_idle(relay->publish) && clock_monotonic_ms() < relay->ending_until_ms)
        return;
    uv_timer_stop(timer);
    lease_release(relay->lease, on_lease_released);
}

/* On a turn of its own: the lease's link, which has just told us, goes, too. */
static void on_lease_released(void *owner)
{
    struct relay *relay = owner;

    uv_timer_start(&relay->ending, take_down, 0, 0);
}

static void take_down(uv_timer_t *timer)
{
    struct relay *relay = timer->data;

    due_destroy(relay->due);
    release_destroy(relay->release);
    replay_destroy(relay->replay);
    webhooks_destroy(relay->webhooks);
    sweeper_destroy(relay->sweeper);
    keeper_destroy(relay->keeper);
    hint_destroy(relay->hint);
    outbox_destroy(relay->outbox);
    publish_destroy(relay->publish);
    lease_destroy(relay->lease);
    uv_close((uv_handle_t *)&relay->ending, NULL);
    service_ended(&relay->service);
}

/* --- the beginning -----------------------------------------------------------------------------
 */

static void register_metrics(void)
{
    metric_register(&held);
    metric_register(&connected);
    metric_register(&blocked);
    amqp_register_metrics();
    outbox_register_metrics();
    publish_register_metrics();
    due_register_metrics();
    release_register_metrics();
    replay_register_metrics();
    webhooks_register_metrics();
    sweeper_register_metrics();
    dead_drain_register_metrics();
    keeper_register_metrics();
}

static void open_publishing(struct relay *relay)
{
    static const struct lease_events lease_events = {on_lease_taken, on_lease_lost};
    static const struct amqp_publisher_events events = {
        .on_ready = on_broker_ready,
        .on_blocked = on_broker_blocked,
        .on_lost = on_broker_lost,
        .on_settled = on_messages_settled,
        .on_inspected = on_queue_inspected,
    };
    uv_loop_t *loop = &relay->service.loop;
    const struct settings *settings = &relay->service.settings;
    const struct pg_server *server = &relay->service.database.server;
    const struct publish_options options = {
        .database = &relay->service.database,
        .inflight_max = settings->inflight_max,
        .sweep_ms = settings->sweep_s * 1000,
        .on_room = on_room,
        .on_fenced = on_fenced,
        .on_deep = on_deep,
        .owner = relay,
    };

    relay->publish = publish_create(loop, &options);
    relay->outbox = outbox_create(loop, server, relay->publish);
    relay->publisher =
        amqp_publisher_create(loop, settings->amqp, &topology, &events, relay, "relay");
    relay->lease = lease_create(loop, server, &lease_events, relay);
}

static void open_duties(struct relay *relay)
{
    uv_loop_t *loop = &relay->service.loop;
    const struct pg_server *server = &relay->service.database.server;
    const struct settings *settings = &relay->service.settings;
    struct duty_world world;

    relay->hint = hint_create(loop, server);
    world = (struct duty_world){
        .server = server,
        .hint = relay->hint,
        .process = relay->service.process,
        .on_work = on_work,
        .on_fenced = on_fenced,
        .owner = relay,
    };
    relay->due = due_create(loop, &world);
    relay->replay = replay_create(loop, &world);
    relay->webhooks = webhooks_create(loop, &world);
    relay->release = release_create(
        loop, &(struct release_options){
                  world, {settings->breaker_pause_ms, settings->breaker_pause_max_ms}});
    relay->sweeper = sweeper_create(
        loop, &(struct sweeper_options){world, relay->lease, settings->sweep_s * 1000});
    relay->dead_drain = dead_drain_create(loop, &(struct dead_drain_options){
                                                    .server = server,
                                                    .amqp = relay->service.settings.amqp,
                                                    .on_fenced = on_fenced,
                                                    .owner = relay,
                                                });
    relay->keeper = keeper_create(loop, server, floor_of, relay);
}

int main(int argc, char **argv)
{
    static struct relay relay;

    register_metrics();
    service_begin(&relay.service, argc, argv, PROGRAM_RELAY, "relay");
    relay.service.owner = &relay;
    relay.service.on_stop = on_stop;
    relay.service.is_ready = is_ready;
    uv_timer_init(&relay.service.loop, &relay.ending);
    relay.ending.data = &relay;
    open_publishing(&relay);
    open_duties(&relay);
    return service_run(&relay.service);
}
