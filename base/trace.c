#include "base/trace.h"

#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/http/client.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/text.h"

/* A span is some 400 bytes of JSON. */
enum { BYTES_MAX = 2 << 20, SEND_BYTES = 256 << 10, HEAD_BYTES_MAX = 2048 };
enum {
    TICK_MS = 1000,
    CLOSING_TICK_MS = 20,
    CONNECT_MS = 2000,
    TOTAL_MS = 10000,
    PAUSE_MS_MOST = 30000
};

struct batch {
    struct text spans; /* JSON objects with commas between */
    int64_t count;
};

struct tracer {
    struct http_client *client;
    struct http_call call;
    uv_timer_t tick;
    char *url, *header;
    char *head; /* of a body, up to the spans */
    struct batch gathered, sending;
    struct text body;
    bool is_calling;
    uint64_t pause_ms, not_before_ms;
    uint64_t random[2];

    void (*on_closed)(void *owner); /* set: it is closing */
    void *owner;
    uint64_t closes_by_ms;
};

static struct tracer *tracer; /* NULL: nothing is told */

#define OUTCOME(outcome_)                                                                          \
    {                                                                                              \
        .type = METRIC_COUNTER, .name = "docket_trace_spans_total",                                \
        .help = "Spans, by what became of them.", .labels = "outcome=\"" outcome_ "\""             \
    }
static struct metric sent = OUTCOME("sent"), dropped = OUTCOME("dropped"),
                     refused = OUTCOME("refused");

static void send_gathered(void);
static void on_answered(struct http_call *call);
static void close_if_over(void);

/* --- spans --------------------------------------------------------------------------------------
 */

/* xorshift128+: ids must not repeat, and are no secret. */
static uint64_t draw(void)
{
    uint64_t a = tracer->random[0], b = tracer->random[1];

    tracer->random[0] = b;
    a ^= a << 23;
    tracer->random[1] = a ^ b ^ (a >> 18) ^ (b >> 5);
    return (tracer->random[1] + b) | 1;
}

static void begin(struct span *span, enum span_kind kind, const char *name)
{
    span->is_told = true;
    span->kind = kind;
    span->name = name;
    span->begun_us = clock_wall_us();
    snprintf(span->id, sizeof(span->id), "%016" PRIx64, draw());
}

/* "00-<32 hex>-<16 hex>-<2 hex>", the last bit of which says that it is sampled. */
static bool is_sampled(const char *traceparent)
{
    return tracer && traceparent && strlen(traceparent) == TRACE_PARENT_SIZE - 1 &&
           strchr("13579bdf", traceparent[TRACE_PARENT_SIZE - 2]) != NULL;
}

void trace_begin(struct span *span, enum span_kind kind, const char *name, const char *traceparent)
{
    span->is_told = is_sampled(traceparent);
    if (!span->is_told)
        return;
    begin(span, kind, name);
    snprintf(span->trace, sizeof(span->trace), "%.32s", traceparent + 3);
    snprintf(span->parent, sizeof(span->parent), "%.16s", traceparent + 36);
}

void trace_begin_under(struct span *span, enum span_kind kind, const char *name,
                       const struct span *parent)
{
    span->is_told = tracer && parent->is_told;
    if (!span->is_told)
        return;
    begin(span, kind, name);
    memcpy(span->trace, parent->trace, sizeof(span->trace));
    memcpy(span->parent, parent->id, sizeof(span->parent));
}

void trace_write_parent(const struct span *span, char traceparent[TRACE_PARENT_SIZE])
{
    if (span->is_told)
        snprintf(traceparent, TRACE_PARENT_SIZE, "00-%s-%s-01", span->trace, span->id);
}

static void add_note(struct text *text, const char *key, const char *value)
{
    text_print(text, "{\"key\":\"%s\",\"value\":{\"stringValue\":", key);
    text_add_json(text, value);
    text_add(text, "}}");
}

static void add_notes(struct text *text, const struct span_note *notes)
{
    text_add(text, ",\"attributes\":[");
    for (const struct span_note *note = notes; note && note->key; note++) {
        if (note != notes)
            text_add(text, ",");
        add_note(text, note->key, note->value);
    }
    text_add(text, "]");
}

static void add_span(struct text *text, const struct span *span, const struct span_note *notes,
                     const char *fault)
{
    if (text->length > 0)
        text_add(text, ",");
    text_print(text, "{\"traceId\":\"%s\",\"spanId\":\"%s\",\"parentSpanId\":\"%s\"", span->trace,
               span->id, span->parent);
    text_print(text, ",\"name\":\"%s\",\"kind\":%d", span->name, (int)span->kind);
    text_print(text,
               ",\"startTimeUnixNano\":\"%" PRId64 "000\",\"endTimeUnixNano\":\"%" PRId64 "000\"",
               span->begun_us, clock_wall_us());
    add_notes(text, notes);
    if (fault) {
        text_add(text, ",\"status\":{\"code\":2,\"message\":");
        text_add_json(text, fault);
        text_add(text, "}");
    }
    text_add(text, "}");
}

void trace_end(struct span *span, const struct span_note *notes, const char *fault)
{
    struct batch *gathered;

    if (!span->is_told || !tracer)
        return;
    span->is_told = false;
    gathered = &tracer->gathered;
    if (gathered->spans.length + tracer->sending.spans.length >= BYTES_MAX) {
        metric_add(&dropped, 1);
        return;
    }
    add_span(&gathered->spans, span, notes, fault);
    gathered->count++;
    if (gathered->spans.length >= SEND_BYTES)
        send_gathered();
}

void trace_tell(enum span_kind kind, const char *name, const char *traceparent, int64_t begun_us,
                const struct span_note *notes)
{
    struct span span;

    trace_begin(&span, kind, name, traceparent);
    span.begun_us = begun_us;
    trace_end(&span, notes, NULL);
}

/* --- telling ------------------------------------------------------------------------------------
 */

static void send_again(void)
{
    tracer->call = (struct http_call){
        .method = "POST",
        .url = tracer->url,
        .headers = {"Content-Type: application/json", *tracer->header ? tracer->header : NULL},
        .body = tracer->body.bytes,
        .body_length = tracer->body.length,
        .connect_ms = CONNECT_MS,
        .total_ms = TOTAL_MS,
        .on_done = on_answered,
        .point = NULL, /* no promise hangs on it */
    };
    tracer->is_calling = true;
    http_client_send(tracer->client, &tracer->call);
}

/* What is gathered meanwhile forms the next body. */
static void send_gathered(void)
{
    struct batch empty;

    if (tracer->is_calling || clock_monotonic_ms() < tracer->not_before_ms)
        return;
    if (tracer->sending.count == 0 && tracer->gathered.count > 0) {
        empty = tracer->sending;
        tracer->sending = tracer->gathered;
        tracer->gathered = empty;
        text_clear(&tracer->body);
        text_add(&tracer->body, tracer->head);
        text_add_bytes(&tracer->body, tracer->sending.spans.bytes, tracer->sending.spans.length);
        text_add(&tracer->body, "]}]}]}");
    }
    if (tracer->sending.count > 0)
        send_again();
}

static bool is_worth_another(const struct http_call *call)
{
    return call->outcome != HTTP_CALL_ANSWERED || call->status == 429 || call->status == 502 ||
           call->status == 503 || call->status == 504;
}

static void forget_sent(void)
{
    text_clear(&tracer->sending.spans);
    tracer->sending.count = 0;
}

static void rest_a_while(const struct http_call *call)
{
    if (tracer->pause_ms == 0)
        log_warn("collector_away", "spans cannot be told: %s; they are kept for a while",
                 call->outcome == HTTP_CALL_ANSWERED ? "it is busy" : call->fault.text);
    tracer->pause_ms = tracer->pause_ms == 0 ? TICK_MS : tracer->pause_ms * 2;
    if (tracer->pause_ms > PAUSE_MS_MOST)
        tracer->pause_ms = PAUSE_MS_MOST;
    tracer->not_before_ms = clock_monotonic_ms() + tracer->pause_ms;
}

static void note_refused(const struct http_call *call)
{
    metric_add(&refused, tracer->sending.count);
    log_warn("collector_refused", "spans were refused with %d: see DOCKET_OTLP_ENDPOINT",
             call->status);
}

static void on_answered(struct http_call *call)
{
    bool is_taken = call->outcome == HTTP_CALL_ANSWERED && call->status / 100 == 2;

    tracer->is_calling = false;
    if (is_worth_another(call)) {
        rest_a_while(call);
    } else {
        tracer->pause_ms = 0;
        if (is_taken)
            metric_add(&sent, tracer->sending.count);
        else
            note_refused(call);
        forget_sent();
    }
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
    send_gathered();
    close_if_over();
}

/* --- open and close -----------------------------------------------------------------------------
 */

static void write_head(struct text *head, const struct trace_options *options)
{
    text_add(head, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    add_note(head, "service.name", options->service);
    text_add(head, ",");
    add_note(head, "service.instance.id", options->instance);
    text_add(head, ",");
    add_note(head, "service.version", DOCKET_VERSION);
    text_add(head, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"docket\"},\"spans\":[");
}

static char *print_url(const char *endpoint)
{
    size_t length = strlen(endpoint);
    struct text url;

    text_init(&url, HEAD_BYTES_MAX);
    while (length > 0 && endpoint[length - 1] == '/')
        length--;
    text_print(&url, "%.*s/v1/traces", (int)length, endpoint);
    return text_take(&url, NULL);
}

void trace_open(uv_loop_t *loop, const struct trace_options *options)
{
    struct text head;

    if (*options->endpoint == '\0')
        return;
    tracer = xcalloc(1, sizeof(*tracer));
    tracer->client = http_client_create(loop, &(struct http_client_options){1, NULL});
    tracer->url = print_url(options->endpoint);
    tracer->header = xstrdup(options->header);
    text_init(&head, HEAD_BYTES_MAX);
    write_head(&head, options);
    tracer->head = text_take(&head, NULL);
    text_init(&tracer->gathered.spans, SIZE_MAX / 2);
    text_init(&tracer->sending.spans, SIZE_MAX / 2);
    text_init(&tracer->body, SIZE_MAX / 2);
    if (RAND_bytes((unsigned char *)tracer->random, sizeof(tracer->random)) != 1)
        abort();
    uv_timer_init(loop, &tracer->tick);
    uv_timer_start(&tracer->tick, on_tick, TICK_MS, TICK_MS);
    uv_unref((uv_handle_t *)&tracer->tick);
}

static void on_tick_closed(uv_handle_t *handle)
{
    struct tracer *closed = container_of((uv_timer_t *)handle, struct tracer, tick);

    closed->on_closed(closed->owner);
    text_finish(&closed->gathered.spans);
    text_finish(&closed->sending.spans);
    text_finish(&closed->body);
    free(closed->url);
    free(closed->header);
    free(closed->head);
    free(closed);
}

/* Once there is nothing left to tell, or it has taken too long. */
static void close_if_over(void)
{
    struct tracer *closing = tracer;
    bool is_late;

    if (!closing->on_closed)
        return;
    is_late = clock_monotonic_ms() >= closing->closes_by_ms;
    if (closing->is_calling) {
        if (is_late)
            http_client_abandon(closing->client);
        return;
    }
    if (!is_late && closing->gathered.count > 0 && closing->pause_ms == 0) {
        send_gathered();
        return;
    }
    metric_add(&dropped, closing->gathered.count + closing->sending.count);
    tracer = NULL;
    http_client_destroy(closing->client);
    uv_close((uv_handle_t *)&closing->tick, on_tick_closed);
}

void trace_close(uint64_t wait_ms, void (*on_closed)(void *owner), void *owner)
{
    if (tracer == NULL) {
        on_closed(owner);
        return;
    }
    tracer->on_closed = on_closed;
    tracer->owner = owner;
    tracer->closes_by_ms = clock_monotonic_ms() + wait_ms;
    uv_timer_start(&tracer->tick, on_tick, 0, CLOSING_TICK_MS);
    uv_ref((uv_handle_t *)&tracer->tick);
}

void trace_register_metrics(void)
{
    metric_register(&sent);
    metric_register(&dropped);
    metric_register(&refused);
}
