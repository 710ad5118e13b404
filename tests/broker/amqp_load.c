/* tests/broker/amqp_load.c - publishes, consumes and keeps the books, while somebody hurts the
 * broker
 *
 *     amqp_load MESSAGES WINDOW [consume]
 *
 * Publishes MESSAGES (again after every verdict but ACKED) with at most WINDOW unsettled, then
 * closes. With "consume", also takes and acks them.  Prints what happened and the CPU it cost;
 * fails when a message was settled twice, after on_lost, or never, when a confirmed one did not
 * come, or when the loop stood still.  DOCKET_TEST_AMQP says where RabbitMQ is.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

#include "base/amqp.h"
#include "base/clock.h"
#include "base/memory.h"
#include "queue/topology.h"

enum { BODY_BYTES = 120, LAG_MS_MAX = 500, TICK_MS = 20, CLOSE_MS = 5000 };

struct load {
    uv_loop_t loop;
    uv_timer_t tick;
    uv_signal_t term;
    struct amqp_publisher *publisher;
    struct amqp_consumer *consumer;
    size_t total, window, next, again_count, unsettled, acked, taken, settled_calls;
    size_t verdicts[4], losses, blocks, wrong, cancelled;
    size_t *again;          /* to be published once more */
    unsigned char *state;   /* 0 not handed over, 1 handed over, 2 acked */
    unsigned char *arrived; /* at the consumer */
    bool is_ready, is_closing, is_consuming, is_ended_early;
    uint64_t ticks, ticked_ms, lag_ms_max, began_ms, ended_ms, close_ms;
    int closing;
};

static double seconds(const struct load *load)
{
    return (double)(clock_monotonic_ms() - load->began_ms) / 1000;
}

static void publish_one(struct load *load, size_t which)
{
    static char body[BODY_BYTES + 1];
    const struct amqp_header headers[] = {{"cloudEvents_id", "1"},
                                          {"cloudEvents_source", "/docket"},
                                          {"cloudEvents_specversion", "1.0"},
                                          {"cloudEvents_type", "docket.task.ready"},
                                          {"traceparent", "00-0-0-01"}};
    char id[32];
    const struct amqp_message message = {.cookie = which,
                                         .routing_key = "payment",
                                         .message_id = id,
                                         .type = "docket.task.ready",
                                         .content_type = "application/json",
                                         .headers = headers,
                                         .header_count = ARRAY_SIZE(headers),
                                         .body = body,
                                         .body_length = BODY_BYTES};

    memset(body, 'x', BODY_BYTES);
    snprintf(id, sizeof(id), "%zu.0", which);
    load->wrong += load->state[which] != 0;
    load->state[which] = 1;
    load->unsettled++;
    amqp_publisher_send(load->publisher, &message);
}

static void pump(struct load *load)
{
    while (load->is_ready && load->unsettled < load->window) {
        if (load->again_count > 0)
            publish_one(load, load->again[--load->again_count]);
        else if (load->next < load->total)
            publish_one(load, load->next++);
        else
            return;
    }
}

static void on_closed(void *owner)
{
    struct load *load = owner;

    if (--load->closing > 0)
        return;
    load->close_ms = clock_monotonic_ms() - load->ended_ms;
    uv_close((uv_handle_t *)&load->tick, NULL);
    uv_close((uv_handle_t *)&load->term, NULL);
}

static void close_links(struct load *load)
{
    if (load->is_closing)
        return;
    load->is_closing = true;
    load->is_ready = false;
    load->ended_ms = clock_monotonic_ms();
    load->closing = load->is_consuming ? 2 : 1;
    amqp_publisher_close(load->publisher, CLOSE_MS, on_closed);
    if (load->is_consuming)
        amqp_consumer_close(load->consumer, on_closed);
}

static void close_if_done(struct load *load)
{
    if (load->acked == load->total && (!load->is_consuming || load->taken >= load->total))
        close_links(load);
}

static void on_term(uv_signal_t *term, int number)
{
    struct load *load = term->data;

    (void)number;
    load->is_ended_early = true;
    close_links(load);
}

static void on_ready(void *owner)
{
    struct load *load = owner;

    fprintf(stderr, "%8.3f ready\n", seconds(load));
    load->is_ready = true;
    pump(load);
}

static void on_blocked(void *owner, const char *reason)
{
    struct load *load = owner;

    fprintf(stderr, "%8.3f blocked: %s\n", seconds(load), reason);
    load->is_ready = false;
    load->blocks++;
}

static void on_lost(void *owner, const struct fault *fault)
{
    struct load *load = owner;

    fprintf(stderr, "%8.3f lost, %zu unsettled: %s (%s %s)\n", seconds(load), load->unsettled,
            fault->text, fault_kind_name(fault->kind), fault->code);
    load->is_ready = false;
    load->losses++;
    load->wrong += load->unsettled; /* all had to be settled before */
}

static void on_settled(void *owner, const struct amqp_settled *settled, size_t count)
{
    struct load *load = owner;

    load->settled_calls++;
    for (size_t i = 0; i < count; i++) {
        size_t which = settled[i].cookie;

        load->wrong += load->state[which] != 1;
        load->unsettled--;
        if (settled[i].verdict == AMQP_LOST) /* the link is gone: on_lost follows */
            load->is_ready = false;
        load->verdicts[settled[i].verdict]++;
        load->state[which] = settled[i].verdict == AMQP_ACKED ? 2 : 0;
        if (settled[i].verdict == AMQP_ACKED)
            load->acked++;
        else
            load->again[load->again_count++] = which;
    }
    pump(load);
    close_if_done(load);
}

static void on_inspected(void *owner, const char *queue, int64_t messages, int64_t consumers)
{
    (void)owner, (void)queue, (void)messages, (void)consumers;
}

static void on_consumer_ready(void *owner)
{
    (void)owner;
}

static void on_consumer_lost(void *owner, const struct fault *fault)
{
    struct load *load = owner;

    fprintf(stderr, "%8.3f consumer lost: %s\n", seconds(load), fault->text);
}

static void on_delivery(void *owner, const struct amqp_delivery *delivery)
{
    struct load *load = owner;
    size_t which = strtoul(delivery->message_id, NULL, 10);

    if (which < load->total && !load->arrived[which]) {
        load->arrived[which] = 1;
        load->taken++;
    }
    load->wrong += which >= load->total || delivery->body_length != BODY_BYTES;
    amqp_consumer_ack(load->consumer, delivery->link, delivery->tag);
    close_if_done(load);
}

static void on_cancelled(void *owner)
{
    struct load *load = owner;

    load->cancelled++;
}

static void on_tick(uv_timer_t *timer)
{
    struct load *load = timer->data;
    uint64_t now = clock_monotonic_ms(), lag = now - load->ticked_ms;

    if (load->ticked_ms != 0 && lag > load->lag_ms_max)
        load->lag_ms_max = lag;
    load->ticked_ms = now;
    if (++load->ticks % (1000 / TICK_MS) == 0)
        fprintf(stderr, "%8.3f acked %zu, unsettled %zu, taken %zu\n", seconds(load), load->acked,
                load->unsettled, load->taken);
}

static double cpu_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static int report(const struct load *load)
{
    double took = (double)(load->ended_ms - load->began_ms) / 1000;
    bool is_bad = load->wrong > 0 || load->unsettled > 0 || load->lag_ms_max > LAG_MS_MAX ||
                  load->close_ms > CLOSE_MS + 3000 ||
                  (!load->is_ended_early && load->acked != load->total);

    printf("acked %zu of %zu, nacked %zu, returned %zu, lost %zu; losses %zu, blocks %zu; "
           "taken %zu; wrong %zu; settled calls %zu\n",
           load->acked, load->total, load->verdicts[AMQP_NACKED], load->verdicts[AMQP_RETURNED],
           load->verdicts[AMQP_LOST], load->losses, load->blocks, load->taken, load->wrong,
           load->settled_calls);
    printf("window %zu: %.0f confirms/s, %.1f us CPU/message; loop stood still %llu ms at most; "
           "closed in %llu ms: %s\n",
           load->window, (double)load->total / took, cpu_us() / (double)load->total,
           (unsigned long long)load->lag_ms_max, (unsigned long long)load->close_ms,
           is_bad ? "BAD" : "good");
    return is_bad;
}

static void run(struct load *load, const char *uri)
{
    static const struct amqp_publisher_events publisher_events = {on_ready, on_blocked, on_lost,
                                                                  on_settled, on_inspected};
    static const struct amqp_consumer_events consumer_events = {on_consumer_ready, on_delivery,
                                                                on_consumer_lost, on_cancelled};

    load->again = xcalloc(load->total, sizeof(load->again[0]));
    load->state = xcalloc(load->total, 1);
    load->arrived = xcalloc(load->total, 1);
    uv_loop_init(&load->loop);
    uv_timer_init(&load->loop, &load->tick);
    load->tick.data = load;
    uv_timer_start(&load->tick, on_tick, TICK_MS, TICK_MS);
    uv_signal_init(&load->loop, &load->term);
    load->term.data = load;
    uv_signal_start(&load->term, on_term, SIGTERM);
    load->began_ms = clock_monotonic_ms();
    load->publisher =
        amqp_publisher_create(&load->loop, uri, &topology, &publisher_events, load, "relay");
    if (load->is_consuming)
        load->consumer = amqp_consumer_create(&load->loop, uri, &topology, "docket.payment", 300,
                                              &consumer_events, load, "worker");
    uv_run(&load->loop, UV_RUN_DEFAULT);
    load->wrong += uv_loop_close(&load->loop) != 0;
    free(load->again);
    free(load->state);
    free(load->arrived);
}

int main(int argc, char **argv)
{
    const char *uri = getenv("DOCKET_TEST_AMQP");
    struct load load = {0};

    if (argc < 3 || uri == NULL) {
        fprintf(stderr, "usage: DOCKET_TEST_AMQP=amqp://… amqp_load MESSAGES WINDOW [consume]\n");
        return 2;
    }
    load.total = strtoul(argv[1], NULL, 10);
    load.window = strtoul(argv[2], NULL, 10);
    load.is_consuming = argc > 3 && strcmp(argv[3], "consume") == 0;
    run(&load, uri);
    return report(&load);
}
