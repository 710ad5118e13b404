/*     admit ─► feeds_follow ┄┄► on_look ─┬─► 404, 429, 503; 204: it has the final version
 *                                        └─► 200, on_event … on_event, on_over
 *
 * `on_look` and `on_event` may end the stream; `on_gone` comes when the client does.
 */
#include "api/events.h"

#include <stdlib.h>
#include <string.h>

#include "api/feeds.h"
#include "api/read.h"
#include "api/sse.h"
#include "base/clock.h"
#include "base/metrics.h"

/* Clients come back spread over some seconds: a restart ends all streams at once. */
enum { TICK_MS = 1000, HEARTBEAT_MS = 9000, RETRY_MS_LEAST = 2000, RETRY_MS_SPREAD = 2000 };
enum { PREFACE_BYTES_MAX = 64 };

/* Whose orders are followed. */
struct account {
    int64_t id;
    int64_t count;
    LIST_ENTRY(account) next;
};

/* Lives until it was answered, or ended. */
struct stream {
    struct http_request *request;
    struct events *events;
    struct follower follower;
    struct principal principal;
    bool has_principal;
    struct account *account; /* NULL: not begun */
    uint64_t beat_ms;        /* when the next heartbeat is due */
    TAILQ_ENTRY(stream) next;
};

TAILQ_HEAD(stream_list, stream);

struct events {
    struct api *api;
    struct feeds *feeds;
    uv_timer_t *tick;
    struct stream_list begun; /* the next heartbeat first */
    LIST_HEAD(, account) accounts;
    int count;
};

static struct metric open_streams =
    METRIC(METRIC_GAUGE, "docket_streams", "Streams of order events that are open.");
static struct metric sent =
    METRIC(METRIC_COUNTER, "docket_stream_events_total", "Events written to streams.");
static struct metric slow = METRIC(METRIC_COUNTER, "docket_streams_too_slow_total",
                                   "Streams ended because their client did not read.");

/* In the order they happen. */
static bool may_ask(struct http_request *request, struct stream *stream, const struct order_id *id);
static bool has_known_version(struct http_request *request, int32_t *version);
static void follow(struct http_request *request, const struct stream *asked);
static bool on_look(struct follower *follower, const struct reading *reading);
static bool begin(struct stream *stream, struct account *account);
static bool on_event(struct follower *follower, const struct text *event);
static void on_over(struct follower *follower);
static void on_gone(struct http_request *request, void *data);

void order_events_get(struct http_request *request)
{
    struct stream asked = {.follower.version = FOLLOWER_HAS_NOTHING};
    struct order_id id;

    if (!order_id_parse(&id, http_param(request, "id"))) {
        problem_reply(request, &(struct problem){.code = "order_not_found"});
        return;
    }
    if (!may_ask(request, &asked, &id))
        return;
    if (!has_known_version(request, &asked.follower.version)) {
        problem_reply(request, &(struct problem){.code = "invalid_query",
                                                 .detail = "Last-Event-ID is the number that an "
                                                           "event's id gave, or nothing"});
        return;
    }
    asked.follower.id = id;
    follow(request, &asked);
}

/* A token that is none costs no read. */
static bool is_signed(const struct token_keys *keys, const struct order_id *id, const char *token)
{
    for (int i = 0; i < keys->count; i++) {
        if (client_token_is_of(keys, keys->keys[i].number, id, token))
            return true;
    }
    return false;
}

/* False: the request was answered, or this handler will be called again. */
static bool may_ask(struct http_request *request, struct stream *stream, const struct order_id *id)
{
    const char *token = read_client_token(request);

    if (api_has_key(request) || token == NULL) {
        stream->has_principal = true;
        return api_admit_read(request, SCOPE_CHECKOUT | SCOPE_ORDERS_READ, &stream->principal);
    }
    if (!is_signed(&api_of(request)->token_keys, id, token)) {
        problem_reply(request, &(struct problem){.code = "order_not_found"});
        return false;
    }
    return true;
}

static bool has_known_version(struct http_request *request, int32_t *version)
{
    const char *value = http_header(request, "Last-Event-ID");

    if (value == NULL)
        value = http_query(request, "last_event_id");
    return value == NULL || *value == '\0' || sse_parse_id(value, version);
}

static void refuse(struct http_request *request, const char *code, const char *detail)
{
    problem_reply(request, &(struct problem){.code = code, .detail = detail});
}

static void refuse_full(struct http_request *request)
{
    refuse(request, "overloaded",
           "this server has all the streams it can serve: poll /v1/orders/{id}?wait=20");
}

static void refuse_many(struct http_request *request, const char *detail)
{
    refuse(request, "too_many_streams", detail);
}

static void follow(struct http_request *request, const struct stream *asked)
{
    struct api *api = api_of(request);
    struct events *events = api->events;
    struct stream *stream;

    if (events->count >= api->service.settings.streams_max) {
        refuse_full(request);
        return;
    }
    stream = xcalloc(1, sizeof(*stream));
    *stream = *asked;
    stream->request = request;
    stream->events = events;
    stream->follower.on_look = on_look;
    stream->follower.on_event = on_event;
    stream->follower.on_over = on_over;
    events->count++;
    switch (feeds_follow(events->feeds, &stream->follower)) {
    case FEEDS_TAKEN:
        http_on_gone(request, on_gone, stream);
        return;
    case FEEDS_ORDER_FULL:
        refuse_many(request, "this order is followed by as many streams as it may: close one");
        break;
    case FEEDS_BUSY:
        refuse_full(request);
        break;
    }
    events->count--;
    free(stream);
}

static struct account *account_of(struct events *events, int64_t id)
{
    struct account *account;

    LIST_FOREACH (account, &events->accounts, next) {
        if (account->id == id)
            return account;
    }
    account = xcalloc(1, sizeof(*account));
    account->id = id;
    LIST_INSERT_HEAD(&events->accounts, account, next);
    return account;
}

static void leave_account(struct account *account)
{
    if (--account->count > 0)
        return;
    LIST_REMOVE(account, next);
    free(account);
}

/* The request was answered, or ended. */
static void forget(struct stream *stream)
{
    if (stream->account) {
        TAILQ_REMOVE(&stream->events->begun, stream, next);
        leave_account(stream->account);
    }
    stream->events->count--;
    free(stream);
}

/* False: there is an answer that is none of a stream. */
static bool may_begin(struct stream *stream, const struct reading *reading)
{
    struct http_request *request = stream->request;
    const struct principal *principal = stream->has_principal ? &stream->principal : NULL;

    if (!reading->is_read) {
        refuse(request, "temporarily_unavailable", NULL);
    } else if (!read_is_allowed(request, principal, reading)) {
        refuse(request, "order_not_found", NULL);
    } else if (reading->is_final && stream->follower.version >= reading->version) {
        http_reply_header(request, "Cache-Control", "no-store");
        http_reply(request, 204, NULL, NULL, 0); /* nothing will come: EventSource stops */
    } else {
        return true;
    }
    return false;
}

static bool on_look(struct follower *follower, const struct reading *reading)
{
    struct stream *stream = container_of(follower, struct stream, follower);
    const struct settings *settings = &stream->events->api->service.settings;
    struct account *account;

    http_on_gone(stream->request, NULL, NULL);
    if (!may_begin(stream, reading)) {
        forget(stream);
        return false;
    }
    account = account_of(stream->events, reading->account_id);
    if (account->count++ >= settings->streams_account_max) {
        leave_account(account);
        refuse_many(stream->request, "the shop has as many streams as it may: poll "
                                     "/v1/orders/{id}?wait=20");
        forget(stream);
        return false;
    }
    return begin(stream, account);
}

static void beat_later(struct stream *stream)
{
    TAILQ_REMOVE(&stream->events->begun, stream, next);
    stream->beat_ms = clock_monotonic_ms() + HEARTBEAT_MS;
    TAILQ_INSERT_TAIL(&stream->events->begun, stream, next);
}

static void end(struct stream *stream)
{
    http_on_gone(stream->request, NULL, NULL);
    http_stream_end(stream->request);
    forget(stream);
}

/* False: the stream was ended. */
static bool write_to(struct stream *stream, const char *bytes, size_t length)
{
    if (http_stream_write(stream->request, bytes, length)) {
        beat_later(stream);
        return true;
    }
    if (!http_is_gone(stream->request))
        metric_add(&slow, 1);
    end(stream);
    return false;
}

static bool begin(struct stream *stream, struct account *account)
{
    struct http_request *request = stream->request;
    bool is_head = strcmp(http_method(request), "HEAD") == 0;
    CLEANUP(text_finish) struct text preface;

    text_init(&preface, PREFACE_BYTES_MAX);
    stream->account = account;
    TAILQ_INSERT_TAIL(&stream->events->begun, stream, next);
    http_reply_header(request, "Cache-Control", "no-store");
    http_reply_header(request, "X-Accel-Buffering", "no"); /* nginx would hold events back */
    http_stream_begin(request, 200, "text/event-stream");
    if (is_head) {
        end(stream);
        return false;
    }
    http_on_gone(request, on_gone, stream);
    sse_add_retry(&preface, RETRY_MS_LEAST + random() % RETRY_MS_SPREAD);
    return write_to(stream, preface.bytes, preface.length);
}

static bool on_event(struct follower *follower, const struct text *event)
{
    metric_add(&sent, 1);
    return write_to(container_of(follower, struct stream, follower), event->bytes, event->length);
}

static void on_over(struct follower *follower)
{
    end(container_of(follower, struct stream, follower));
}

static void on_gone(struct http_request *request, void *data)
{
    struct stream *stream = data;

    feeds_leave(&stream->follower);
    if (stream->account)
        http_stream_end(request);
    else
        http_reply(request, 204, NULL, NULL, 0);
    forget(stream);
}

static void on_tick(uv_timer_t *timer)
{
    struct events *events = timer->data;
    struct stream *stream, *following;
    uint64_t now_ms = clock_monotonic_ms();

    for (stream = TAILQ_FIRST(&events->begun); stream && stream->beat_ms <= now_ms;
         stream = following) {
        following = TAILQ_NEXT(stream, next);
        if (http_stream_write(stream->request, sse_heartbeat, strlen(sse_heartbeat))) {
            beat_later(stream);
            continue;
        }
        feeds_leave(&stream->follower);
        end(stream);
    }
}

void events_refresh_metrics(const struct events *events)
{
    metric_set(&open_streams, events->count);
}

void events_register_metrics(void)
{
    metric_register(&open_streams);
    metric_register(&sent);
    metric_register(&slow);
}

struct events *events_create(struct api *api)
{
    struct events *events = xcalloc(1, sizeof(*events));
    const struct feeds_options options = {
        .reader = api->reader,
        .waiters = api->waiters,
        .deadline_ms = api->service.settings.accept_deadline_ms,
    };

    events->api = api;
    events->feeds = feeds_create(&options);
    TAILQ_INIT(&events->begun);
    LIST_INIT(&events->accounts);
    events->tick = xcalloc(1, sizeof(*events->tick));
    events->tick->data = events;
    uv_timer_init(&api->service.loop, events->tick);
    uv_timer_start(events->tick, on_tick, TICK_MS, TICK_MS);
    return events;
}

void events_stop(struct events *events)
{
    feeds_stop(events->feeds);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void events_destroy(struct events *events)
{
    if (events == NULL)
        return;
    uv_close((uv_handle_t *)events->tick, free_handle);
    feeds_destroy(events->feeds);
    free(events);
}
