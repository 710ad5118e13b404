/* docket-relay: takes the outbox to RabbitMQ, and keeps everything moving that waits
 *
 *     lease ─taken─► outbox (poll ─► publish ─► confirmed ─► settled)
 *              └───► due retries, sweeper, docket.dead, partitions
 *           ─lost──► all of it stops
 *
 * Any number of relays may run; one of them leads.  Crashed or frozen at any point, it leaves
 * behind rows that the next one publishes once more: duplicates only.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/amqp.h"
#include "base/clock.h"
#include "base/config.h"
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
#include "queue/sweeper.h"
#include "queue/topology.h"
#include "schema/settings.h"
#include "workers/health.h"

enum { CONFIRM_GRACE_MS = 3000, SETTLE_GRACE_MS = 2000, ENDING_TICK_MS = 20 };

struct relay {
    uv_loop_t loop;
    struct settings settings;
    struct errand_database database;
    struct lease *lease;
    struct publish *publish;
    struct outbox *outbox;
    struct hint *hint;
    struct due *due;
    struct sweeper *sweeper;
    struct dead_drain *dead_drain;
    struct keeper *keeper;
    struct amqp_publisher *publisher;
    struct health *health;
    bool is_broker_ready, is_ending;

    uv_signal_t terminated, interrupted;
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
static struct metric floor_stands = {
    .type = METRIC_GAUGE,
    .name = "docket_outbox_floor_stands_seconds",
    .help = "How long an open transaction has kept the outbox's floor where it is."};

/* --- who leads ---------------------------------------------------------------------------------
 */

static void on_lease_taken(void *owner, int64_t fence)
{
    struct relay *relay = owner;

    if (relay->is_ending)
        return;
    metric_set(&held, 1);
    publish_set_fence(relay->publish, fence);
    outbox_begin(relay->outbox);
    due_begin(relay->due, fence);
    sweeper_begin(relay->sweeper, fence);
    dead_drain_begin(relay->dead_drain, fence);
    keeper_begin(relay->keeper, fence);
}

static void end_duties(struct relay *relay)
{
    outbox_end(relay->outbox);
    due_end(relay->due);
    sweeper_end(relay->sweeper);
    keeper_end(relay->keeper);
}

static void on_lease_lost(void *owner)
{
    struct relay *relay = owner;

    metric_set(&held, 0);
    publish_set_fence(relay->publish, 0);
    end_duties(relay);
    if (!relay->is_ending)
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
}

static void on_room(void *owner)
{
    struct relay *relay = owner;

    if (relay->outbox)
        outbox_on_room(relay->outbox);
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

/* --- health ------------------------------------------------------------------------------------
 */

static bool is_ready(void *owner, struct fault *fault)
{
    const struct relay *relay = owner;

    if (relay->is_ending)
        return fail(fault, FAULT_TRANSIENT, "stopping");
    if (!lease_is_connected(relay->lease))
        return fail(fault, FAULT_TRANSIENT, "no connection to Postgres");
    if (!relay->is_broker_ready)
        return fail(fault, FAULT_TRANSIENT, "the broker is away or takes nothing");
    return true;
}

static void before_metrics(void *owner)
{
    const struct relay *relay = owner;

    metric_set(&floor_stands, outbox_floor_stands_ms(relay->outbox) / 1000);
}

/* --- the end: what is unconfirmed gets its time, then the lease is given back -------------------
 */

static void end_links(struct relay *relay);
static void on_drain_closed(void *owner);
static void on_publisher_closed(void *owner);
static void await_settling(uv_timer_t *timer);
static void on_lease_released(void *owner);
static void on_health_closed(void *owner);

static void on_signal(uv_signal_t *signal, int number)
{
    struct relay *relay = signal->data;

    if (relay->is_ending)
        return;
    relay->is_ending = true;
    log_info("stopping", "signal %d", number);
    end_duties(relay);
    end_links(relay);
}

static void end_links(struct relay *relay)
{
    publish_open(relay->publish, NULL);
    sweeper_on_broker_lost(relay->sweeper);
    amqp_publisher_close(relay->publisher, CONFIRM_GRACE_MS, on_publisher_closed);
    dead_drain_close(relay->dead_drain, on_drain_closed, relay);
}

static void settle_last(struct relay *relay)
{
    if (relay->publisher || relay->dead_drain)
        return;
    relay->ending_until_ms = clock_monotonic_ms() + SETTLE_GRACE_MS;
    uv_timer_start(&relay->ending, await_settling, 0, ENDING_TICK_MS);
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

static void await_settling(uv_timer_t *timer)
{
    struct relay *relay = timer->data;

    if (!publish_is_idle(relay->publish) && clock_monotonic_ms() < relay->ending_until_ms)
        return;
    uv_timer_stop(timer);
    lease_release(relay->lease, on_lease_released);
}

static void on_lease_released(void *owner)
{
    struct relay *relay = owner;

    health_close(relay->health, on_health_closed, relay);
}

static void on_health_closed(void *owner)
{
    struct relay *relay = owner;

    due_destroy(relay->due);
    sweeper_destroy(relay->sweeper);
    keeper_destroy(relay->keeper);
    hint_destroy(relay->hint);
    outbox_destroy(relay->outbox);
    publish_destroy(relay->publish);
    lease_destroy(relay->lease);
    uv_close((uv_handle_t *)&relay->terminated, NULL);
    uv_close((uv_handle_t *)&relay->interrupted, NULL);
    uv_close((uv_handle_t *)&relay->ending, NULL);
}

/* --- the beginning -----------------------------------------------------------------------------
 */

static void register_metrics(void)
{
    metric_register(&held);
    metric_register(&connected);
    metric_register(&blocked);
    metric_register(&floor_stands);
    publish_register_metrics();
    due_register_metrics();
    sweeper_register_metrics();
    dead_drain_register_metrics();
    keeper_register_metrics();
}

static void watch(struct relay *relay, uv_signal_t *signal, int number)
{
    uv_signal_init(&relay->loop, signal);
    signal->data = relay;
    uv_signal_start(signal, on_signal, number);
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
    const struct publish_options options = {
        .database = &relay->database,
        .inflight_max = relay->settings.inflight_max,
        .sweep_ms = relay->settings.sweep_s * 1000,
        .on_room = on_room,
        .on_fenced = on_fenced,
        .owner = relay,
    };

    relay->publish = publish_create(&relay->loop, &options);
    relay->outbox = outbox_create(&relay->loop, &relay->database, relay->publish);
    relay->publisher = amqp_publisher_create(&relay->loop, relay->settings.amqp, &topology, &events,
                                             relay, "relay");
    relay->lease = lease_create(&relay->loop, &relay->database, &lease_events, relay);
}

static void open_duties(struct relay *relay)
{
    const struct due_options due = {
        .database = &relay->database,
        .hint = relay->hint,
        .on_work = on_work,
        .on_fenced = on_fenced,
        .owner = relay,
    };
    const struct sweeper_options sweeper = {
        .database = &relay->database,
        .hint = relay->hint,
        .lease = relay->lease,
        .sweep_ms = relay->settings.sweep_s * 1000,
        .on_work = on_work,
        .on_fenced = on_fenced,
        .owner = relay,
    };
    const struct dead_drain_options dead_drain = {
        .database = &relay->database,
        .amqp = relay->settings.amqp,
        .on_fenced = on_fenced,
        .owner = relay,
    };

    relay->due = due_create(&relay->loop, &due);
    relay->sweeper = sweeper_create(&relay->loop, &sweeper);
    relay->dead_drain = dead_drain_create(&relay->loop, &dead_drain);
    relay->keeper = keeper_create(&relay->loop, &relay->database, floor_of, relay);
}

static bool open_relay(struct relay *relay, struct fault *fault)
{
    const struct health_options options = {
        .listen = relay->settings.metrics_listen,
        .is_ready = is_ready,
        .before_metrics = before_metrics,
        .owner = relay,
    };

    uv_loop_init(&relay->loop);
    relay->database = (struct errand_database){.conninfo = relay->settings.pg};
    relay->health = health_open(&relay->loop, &options, fault);
    if (!relay->health)
        return false;
    uv_timer_init(&relay->loop, &relay->ending);
    relay->ending.data = relay;
    watch(relay, &relay->terminated, SIGTERM);
    watch(relay, &relay->interrupted, SIGINT);
    relay->hint = hint_create(&relay->loop, &relay->database);
    open_publishing(relay);
    open_duties(relay);
    return true;
}

static int run(struct relay *relay)
{
    struct fault fault = {0};

    if (!open_relay(relay, &fault)) {
        fprintf(stderr, "docket-relay: %s\n", fault.text);
        return 1;
    }
    log_info("started", "health and metrics on port %d", health_port(relay->health));
    uv_run(&relay->loop, UV_RUN_DEFAULT);
    uv_loop_close(&relay->loop);
    log_info("stopped", "everything confirmed is settled; the rest is in the outbox");
    return 0;
}

static int print_usage(bool is_asked)
{
    FILE *out = is_asked ? stdout : stderr;

    fprintf(out, "usage: docket-relay, set by its environment:\n\n");
    config_print_help(out, settings_entries, settings_count, PROGRAM_RELAY);
    return is_asked ? 0 : 2;
}

int main(int argc, char **argv)
{
    static struct relay relay;
    enum log_level least;
    struct fault fault;

    if (argc > 1)
        return print_usage(strcmp(argv[1], "--help") == 0);
    signal(SIGPIPE, SIG_IGN);
    if (!config_load(settings_entries, settings_count, PROGRAM_RELAY, &relay.settings, &fault)) {
        fprintf(stderr, "docket-relay: %s\n", fault.text);
        return 2;
    }
    if (!log_level_parse(relay.settings.log_level, &least)) {
        fprintf(stderr,
                "docket-relay: DOCKET_LOG_LEVEL is \"%s\"; it must be debug, info, warn or "
                "error\n",
                relay.settings.log_level);
        return 2;
    }
    log_open("relay", least);
    register_metrics();
    return run(&relay);
}
