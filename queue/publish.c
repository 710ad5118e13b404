#include "queue/publish.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/trace.h"
#include "queue/group.h"
#include "queue/topology.h"
#include "schema/order_state.h"
#include "schema/statements.h"

enum {
    SETTLE_ROWS_MAX = 64,
    SETTLE_NS = 20000000,
    LINKS = 2,
    REST_MS_FIRST = 50,
    REST_MS_MAX = 2000,
    TRACE_SIZE = 64
};

struct row_message {
    struct row *row;   /* a message's cookie is the address of this struct */
    struct span *span; /* NULL: it is not told */
    bool has_failed;
};

struct row {
    struct group_ticket ticket;
    LIST_ENTRY(row) entry;
    struct publish *publish;
    int64_t id;
    uint64_t published_ns;                 /* monotonic */
    char published_at[CLOCK_RFC3339_SIZE]; /* by the database's date */
    enum stage topic;
    int count, unsettled, failed, refused; /* messages; refused: failed by the broker's will */
    struct row_message messages[];
};
LIST_HEAD(row_list, row);

/* A topic whose messages the broker refuses, or has enough of, rests, so that the others go on. */
struct lane {
    uint64_t rest_ms, rests_until_ms;
    int64_t depth; /* of its queue when it was inspected, and what was published since */
    uint64_t asked_ms;
};

struct publish {
    struct publish_options options;
    struct group *settling;
    struct amqp_publisher *publisher; /* NULL: takes nothing now */
    int64_t fence, unsettled;         /* messages */
    struct row_list rows;
    int64_t row_count;
    struct lane lanes[STAGE_COUNT];
};

static struct metric sent = {.type = METRIC_COUNTER,
                             .name = "docket_relay_published_total",
                             .help = "Messages handed to the broker, repetitions included."};
#define VERDICT(label)                                                                             \
    {                                                                                              \
        .type = METRIC_COUNTER, .name = "docket_relay_verdicts_total",                             \
        .help = "What became of messages that were published.", .labels = "verdict=\"" label "\""  \
    }
static struct metric verdicts[] = {
    [AMQP_ACKED] = VERDICT("acked"),
    [AMQP_NACKED] = VERDICT("nacked"),
    [AMQP_RETURNED] = VERDICT("returned"),
    [AMQP_LOST] = VERDICT("lost"),
};
static struct metric inflight = {.type = METRIC_GAUGE,
                                 .name = "docket_relay_inflight",
                                 .help = "Messages published and not yet confirmed."};
static struct metric confirm_seconds = {
    .type = METRIC_HISTOGRAM,
    .name = "docket_relay_confirm_seconds",
    .help = "From the publishing of a message to its confirm.",
};

static struct group_metrics settle_metrics = GROUP_METRICS("settle");

static void publish_row(struct row *row, const PGresult *result, int at);
static void settle_row(struct row *row);
static void on_row_settled(struct group_ticket *ticket);
static void let_go(struct row *row);

int64_t publish_room(const struct publish *publish)
{
    int64_t room = publish->options.inflight_max - publish->unsettled;

    if (publish->publisher == NULL || publish->fence == 0 || room < 0)
        return 0;
    /* Rows that wait for their settling are in hand, too: bounded alike. */
    return publish->row_count < publish->options.inflight_max * 2 ? room : 0;
}

/* A topic that no stage has is returned by the broker, for ever, with rests. */
static enum stage topic_of(const PGresult *result, int at)
{
    int16_t topic = pg_i16(result, at, PUBLISH_TOPIC);

    return topic > STAGE_NONE && topic < STAGE_COUNT ? (enum stage)topic : STAGE_NONE;
}

bool publish_take(struct publish *publish, const PGresult *result, int at)
{
    int count = pg_array_count(result, at, PUBLISH_ORDERS);
    struct row *row;

    if (publish_room(publish) < (publish->unsettled > 0 ? count : 1))
        return false;
    row = xcalloc(1, sizeof(*row) + (size_t)count * sizeof(row->messages[0]));
    row->publish = publish;
    row->id = pg_i64(result, at, PUBLISH_ID);
    row->topic = topic_of(result, at);
    row->count = row->unsettled = count;
    LIST_INSERT_HEAD(&publish->rows, row, entry);
    publish->row_count++;
    publish->unsettled += count;
    publish->lanes[row->topic].depth += count;
    publish_row(row, result, at);
    metric_set(&inflight, publish->unsettled);
    return true;
}

/* --- published ------------------------------------------------------------------------------- */

static void begin_span(struct row_message *message, const char *trace)
{
    struct span span;

    trace_begin(&span, SPAN_PRODUCER, "publish", trace);
    if (span.is_told) {
        message->span = xcalloc(1, sizeof(*message->span));
        *message->span = span;
    }
}

static void end_span(struct row_message *message)
{
    const struct span_note notes[] = {
        {"messaging.destination.name", stage_name(message->row->topic)}, {0}};

    if (message->span == NULL)
        return;
    trace_end(message->span, notes, message->has_failed ? "not confirmed" : NULL);
    free(message->span);
    message->span = NULL;
}

static void publish_message(struct row *row, int n, const struct order_id *order, const char *trace)
{
    char id[48], uuid[ORDER_ID_UUID_SIZE], body[160];
    const struct amqp_header headers[] = {
        {"cloudEvents_id", id},
        {"cloudEvents_source", "docket/relay"},
        {"cloudEvents_specversion", "1.0"},
        {"cloudEvents_type", "docket.task.ready"},
        {"cloudEvents_dataschema", "docket:task.ready:1"},
        {"cloudEvents_time", row->published_at},
        {"traceparent", trace},
    };
    struct amqp_message message = {
        .cookie = (uint64_t)(uintptr_t)&row->messages[n],
        .routing_key = stage_name(row->topic),
        .message_id = id,
        .type = "docket.task.ready",
        .content_type = "application/json",
        .headers = headers,
        .header_count = ARRAY_SIZE(headers),
        .body = body,
    };

    order_id_format_uuid(order, uuid);
    snprintf(id, sizeof(id), "%" PRId64 ".%d", row->id, n + 1);
    message.body_length = (size_t)snprintf(
        body, sizeof(body), "{\"order\":\"%s\",\"stage\":\"%s\",\"outbox\":%" PRId64 "}", uuid,
        stage_name(row->topic), row->id);
    row->messages[n].row = row;
    begin_span(&row->messages[n], trace);
    amqp_publisher_send(row->publish->publisher, &message);
}

static void publish_row(struct row *row, const PGresult *result, int at)
{
    row->published_ns = clock_monotonic_ns();
    clock_format(database_now_us(row->publish->options.database), row->published_at,
                 sizeof(row->published_at));
    for (int n = 0; n < row->count; n++) {
        size_t length;
        const uint8_t *uuid = pg_array_element(result, at, PUBLISH_ORDERS, n, &length);
        struct order_id order;
        char trace[TRACE_SIZE] = "";
        const uint8_t *text;

        memcpy(order.bytes, uuid, ORDER_ID_BYTES);
        text = pg_array_element(result, at, PUBLISH_TRACES, n, &length);
        if (length < sizeof(trace))
            memcpy(trace, text, length);
        publish_message(row, n, &order, trace);
    }
    metric_add(&sent, row->count);
}

/* --- confirmed ------------------------------------------------------------------------------- */

static void rest(struct lane *lane)
{
    lane->rest_ms = lane->rest_ms == 0 ? REST_MS_FIRST : lane->rest_ms * 2;
    if (lane->rest_ms > REST_MS_MAX)
        lane->rest_ms = REST_MS_MAX;
    lane->rests_until_ms =
        clock_monotonic_ms() + lane->rest_ms / 2 + (uint64_t)random() % lane->rest_ms;
}

/* Every message of the row has its verdict. */
static void end_row(struct row *row)
{
    struct publish *publish = row->publish;
    struct lane *lane = &publish->lanes[row->topic];

    if (row->refused > 0 && clock_monotonic_ms() >= lane->rests_until_ms)
        rest(lane);
    else if (row->failed == 0)
        lane->rest_ms = 0;
    if (row->failed == row->count || publish->fence == 0)
        let_go(row);
    else
        settle_row(row);
}

static void note_verdict(struct row_message *message, enum amqp_verdict verdict)
{
    struct row *row = message->row;

    metric_add(&verdicts[verdict], 1);
    if (verdict == AMQP_ACKED)
        metric_observe_us(&confirm_seconds,
                          (int64_t)(clock_monotonic_ns() - row->published_ns) / 1000);
    message->has_failed = verdict != AMQP_ACKED;
    end_span(message);
    row->failed += message->has_failed;
    row->refused += verdict == AMQP_NACKED || verdict == AMQP_RETURNED;
    row->publish->unsettled--;
    if (--row->unsettled == 0)
        end_row(row);
}

void publish_on_settled(struct publish *publish, const struct amqp_settled *settled, size_t count)
{
    for (size_t i = 0; i < count; i++)
        note_verdict((struct row_message *)(uintptr_t)settled[i].cookie, settled[i].verdict);
    metric_set(&inflight, publish->unsettled);
    publish->options.on_room(publish->options.owner);
}

/* --- settled --------------------------------------------------------------------------------- */

static void settle_row(struct row *row)
{
    row->ticket.on_settled = on_row_settled;
    if (!group_submit(row->publish->settling, &row->ticket))
        let_go(row); /* more rows in hand than anybody planned: published once more */
}

static void add_failed(const struct row *row, struct pg_params *params, bool is_position)
{
    for (int n = 0; n < row->count; n++) {
        if (row->messages[n].has_failed)
            pg_array_i64(params, is_position ? n + 1 : row->id);
    }
}

static struct row *row_of(struct group_ticket *ticket)
{
    return container_of(ticket, struct row, ticket);
}

static bool send_batch(struct group_batch *batch)
{
    struct publish *publish = group_owner(batch);
    struct group_ticket *ticket;
    struct pg_params params;

    pg_params_init(&params);
    pg_add_i64(&params, publish->fence);
    pg_array_begin(&params, PG_INT8);
    TAILQ_FOREACH (ticket, &batch->tickets, next)
        pg_array_i64(&params, row_of(ticket)->id);
    pg_array_end(&params);
    for (int is_position = 0; is_position <= 1; is_position++) {
        pg_array_begin(&params, PG_INT8);
        TAILQ_FOREACH (ticket, &batch->tickets, next)
            add_failed(row_of(ticket), &params, is_position);
        pg_array_end(&params);
    }
    pg_add_i64(&params, publish->options.sweep_ms);
    pg_array_begin(&params, PG_INT2);
    TAILQ_FOREACH (ticket, &batch->tickets, next)
        pg_array_i16(&params, (int16_t)row_of(ticket)->topic);
    pg_array_end(&params);
    group_send(batch, &sql_outbox_settle, &params);
    pg_params_finish(&params);
    return true;
}

static void on_batch_rows(struct group_batch *batch, int nth, const PGresult *result)
{
    struct publish *publish = group_owner(batch);

    (void)nth;
    if (!pg_bool(result, 0, 0))
        publish->options.on_fenced(publish->options.owner);
}

/* Settled or not: what was not is in the outbox still, and is read again. */
static void on_row_settled(struct group_ticket *ticket)
{
    struct row *row = row_of(ticket);
    struct publish *publish = row->publish;

    if (ticket->outcome != GROUP_COMMITTED)
        rest(&publish->lanes[row->topic]);
    let_go(row);
    publish->options.on_room(publish->options.owner);
}

static void free_row(struct row *row)
{
    for (int n = 0; n < row->count; n++)
        free(row->messages[n].span);
    free(row);
}

static void let_go(struct row *row)
{
    row->publish->row_count--;
    LIST_REMOVE(row, entry);
    free_row(row);
}

/* --- for the poll ---------------------------------------------------------------------------- */

void publish_add_in_hand(const struct publish *publish, struct pg_params *params)
{
    const struct row *row;

    pg_array_begin(params, PG_INT8);
    LIST_FOREACH (row, &publish->rows, entry)
        pg_array_i64(params, row->id);
    pg_array_end(params);
}

void publish_lowest_in_hand(const struct publish *publish, int64_t lowest[STAGE_COUNT])
{
    const struct row *row;

    for (int topic = STAGE_NONE; topic < STAGE_COUNT; topic++)
        lowest[topic] = INT64_MAX;
    LIST_FOREACH (row, &publish->rows, entry) {
        if (row->id < lowest[row->topic])
            lowest[row->topic] = row->id;
    }
}

bool publish_is_open(struct publish *publish, enum stage topic)
{
    struct lane *lane = &publish->lanes[topic];
    uint64_t now = clock_monotonic_ms();

    if (lane->depth >= PUBLISH_DEPTH_MAX && now - lane->asked_ms >= PUBLISH_ASK_MS) {
        lane->asked_ms = now;
        publish->options.on_deep(publish->options.owner, topic);
    }
    return now >= lane->rests_until_ms && lane->depth < PUBLISH_DEPTH_MAX;
}

/* What is on its way to the queue is not in the answer: at most as much as may be unconfirmed. */
void publish_on_inspected(struct publish *publish, const char *queue, int64_t messages)
{
    for (int topic = STAGE_NONE + 1; topic < STAGE_COUNT; topic++) {
        if (strcmp(queue, topology_queue((enum stage)topic)) == 0)
            publish->lanes[topic].depth = messages > 0 ? messages : 0;
    }
}

bool publish_is_idle(const struct publish *publish)
{
    return publish->row_count == 0;
}

/* --- the beginning and the end --------------------------------------------------------------- */

void publish_set_fence(struct publish *publish, int64_t fence)
{
    publish->fence = fence;
}

void publish_open(struct publish *publish, struct amqp_publisher *publisher)
{
    publish->publisher = publisher;
    if (publisher)
        publish->options.on_room(publish->options.owner);
}

struct publish *publish_create(uv_loop_t *loop, const struct publish_options *options)
{
    static const struct pg_statement *const statements[] = {&sql_outbox_settle, NULL};
    static const struct group_work work = {
        .name = "settle",
        .pace_ns = SETTLE_NS,
        .statements = statements,
        .tickets_max = SETTLE_ROWS_MAX,
        .waiting_max = INT32_MAX,
        .send = send_batch,
        .on_rows = on_batch_rows,
        .metrics = &settle_metrics,
    };
    struct publish *publish = xcalloc(1, sizeof(*publish));
    const struct group_options group_options = {
        .server = &options->database->server,
        .links = LINKS,
        .owner = publish,
    };

    publish->options = *options;
    LIST_INIT(&publish->rows);
    publish->settling = group_create(loop, &work, &group_options);
    return publish;
}

void publish_destroy(struct publish *publish)
{
    struct row *row, *following;

    if (publish == NULL)
        return;
    group_destroy(publish->settling);
    for (row = LIST_FIRST(&publish->rows); row; row = following) {
        following = LIST_NEXT(row, entry);
        free_row(row);
    }
    free(publish);
}

void publish_register_metrics(void)
{
    metric_register(&sent);
    for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
        metric_register(&verdicts[i]);
    metric_register(&inflight);
    metric_register(&confirm_seconds);
    group_metrics_register(&settle_metrics);
}
