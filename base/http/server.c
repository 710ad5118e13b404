#include "base/http/server.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/http/internal.h"
#include "base/log.h"

enum { BACKLOG = 1024, LINGER_MS = 2000, HOLD_MS = 250, DATE_MS = 200 };
enum { SURPLUS_MAX = 64, SURPLUS_GAP_MS = 10 };

const struct http_limits http_limits_default = {
    .head_bytes_max = 16 << 10,
    .body_bytes_max = 64 << 10,
    .unread_bytes_max = 256 << 10,
    .fields_max = 100,
    .connections_max = 10000,
    .pipeline_max = 32,
    .head_ms = 10000,
    .body_ms = 30000,
    .idle_ms = 60000,
    .write_ms = 30000,
};

static void on_connection(uv_stream_t *listener, int status);
static void on_prepare(uv_prepare_t *prepare);
static void on_check(uv_check_t *check);
static void on_grace(uv_timer_t *timer);
static void on_surplus(uv_timer_t *timer);
static void accept_pending(struct http_server *server);
static void close_handles(struct http_server *server);
static void on_closed_handle(uv_handle_t *handle);

/* Accepting. */

/* The one that has been idle longest makes room. */
static bool evict_idle(struct http_server *server)
{
    struct http_deadline *oldest = TAILQ_FIRST(&server->deadlines.lists[HTTP_WAIT_IDLE].waiting);

    if (oldest == NULL)
        return false;
    http_connection_close(container_of(oldest, struct http_connection, reading), HTTP_END_GENTLY);
    return true;
}

/* Once a second at most: where descriptors have run out, it happens for every client. */
static void warn_of_failure(struct http_server *server, int error)
{
    uint64_t now_ms = uv_now(server->loop);

    if (server->warned_at_ms != 0 && now_ms - server->warned_at_ms < 1000)
        return;
    server->warned_at_ms = now_ms;
    log_warn("http_accept_failed", "a connection could not be accepted: %s", uv_strerror(error));
}

/* One that is too many costs little to be told so, but with TLS a handshake, too. */
static bool may_turn_away(struct http_server *server)
{
    uint64_t since_ms = uv_now(server->loop) - server->turned_away_ms;
    int most = server->options.limits.connections_max;

    if (server->connection_count >= most + SURPLUS_MAX)
        return false;
    if (server->options.tls && since_ms < SURPLUS_GAP_MS) {
        uv_timer_start(&server->surplus, on_surplus, SURPLUS_GAP_MS - since_ms, 0);
        return false;
    }
    server->turned_away_ms = uv_now(server->loop);
    return true;
}

static void on_surplus(uv_timer_t *timer)
{
    accept_pending(container_of(timer, struct http_server, surplus));
}

/* Over the limit an idle connection is closed for the new one; if all are busy the new one is told
 * 503; if even those are many it stays in the listener (libuv then stops accepting) until one
 * closes (server.h says why).  When the process has no descriptor left, libuv accepts and closes
 * with one it keeps in reserve. */
static void on_connection(uv_stream_t *listener, int status)
{
    struct http_server *server = container_of(listener, struct http_server, listener);
    int most = server->options.limits.connections_max;

    if (status < 0)
        warn_of_failure(server, status);
    if (status < 0 || server->is_draining)
        return;
    if (!server->is_pausing && (server->connection_count < most || evict_idle(server)))
        http_connection_accept(server, false);
    else if (!server->is_pausing && may_turn_away(server))
        http_connection_accept(server, true);
    else
        server->has_pending = true;
}

static void accept_pending(struct http_server *server)
{
    if (server->has_pending && !server->is_draining) {
        server->has_pending = false;
        on_connection((uv_stream_t *)&server->listener, 0);
    }
}

void http_server_pause(struct http_server *server, bool is_pausing)
{
    server->is_pausing = is_pausing;
    accept_pending(server);
}

void http_server_on_closed_connection(struct http_server *server)
{
    server->connection_count--;
    accept_pending(server);
    if (server->is_draining && TAILQ_EMPTY(&server->connections))
        close_handles(server);
}

/* The end of a loop turn: directly after and directly before waiting for events, so that whatever
 * replied, from whichever kind of callback, is written before the loop sleeps. */
static void take_turns(struct http_server *server)
{
    struct http_connection *connection;

    do {
        while ((connection = TAILQ_FIRST(&server->turn)) != NULL) {
            TAILQ_REMOVE(&server->turn, connection, turn_link);
            http_connection_turn(connection);
        }
        http_answers_tell_lost(server);
    } while (!TAILQ_EMPTY(&server->turn));
}

static void on_prepare(uv_prepare_t *prepare)
{
    take_turns(container_of(prepare, struct http_server, prepare));
}

static void on_check(uv_check_t *check)
{
    take_turns(container_of(check, struct http_server, check));
}

/* What connections share. */

struct text http_server_take_text(struct http_server *server)
{
    struct text text;

    if (server->spare_text_count > 0)
        return server->spare_texts[--server->spare_text_count];
    text_init(&text, SIZE_MAX / 2);
    text.room = 4096;
    text.bytes = xrealloc(NULL, text.room);
    text_clear(&text);
    return text;
}

void http_server_give_text(struct http_server *server, struct text *text)
{
    if (text->bytes == NULL)
        return;
    if (server->is_over || server->spare_text_count == HTTP_SPARES_MAX ||
        text->room > HTTP_SPARE_BYTES_MAX) {
        text_finish(text);
    } else {
        text_clear(text);
        server->spare_texts[server->spare_text_count++] = *text;
    }
    *text = (struct text){0};
}

const char *http_server_date(struct http_server *server)
{
    uint64_t now_ms = uv_now(server->loop);

    if (server->date[0] == '\0' || now_ms - server->date_at_ms >= DATE_MS) {
        time_t now = time(NULL);
        struct tm parts;

        gmtime_r(&now, &parts);
        strftime(server->date, sizeof(server->date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
        server->date_at_ms = now_ms;
    }
    return server->date;
}

int http_server_port(const struct http_server *server)
{
    struct sockaddr_storage address;
    int length = sizeof(address);

    if (uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &length) < 0)
        return -1;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

int http_server_connections(const struct http_server *server)
{
    return server->connection_count;
}

/* Draining. */

void http_server_drain(struct http_server *server, uint64_t grace_ms,
                       void (*on_drained)(void *owner), void *owner)
{
    struct http_connection *connection;

    assert(!server->is_draining);
    server->is_draining = true;
    server->on_drained = on_drained;
    server->on_drained_owner = owner;
    uv_close((uv_handle_t *)&server->listener, on_closed_handle);
    uv_timer_start(&server->grace, on_grace, grace_ms, 0);
    TAILQ_FOREACH (connection, &server->connections, link)
        http_connection_drain(connection);
    if (TAILQ_EMPTY(&server->connections))
        close_handles(server);
}

static void on_grace(uv_timer_t *timer)
{
    struct http_server *server = container_of(timer, struct http_server, grace);
    struct http_connection *connection;

    TAILQ_FOREACH (connection, &server->connections, link)
        http_connection_close(connection, HTTP_END_GENTLY);
}

static void close_handles(struct http_server *server)
{
    uv_close((uv_handle_t *)&server->prepare, on_closed_handle);
    uv_close((uv_handle_t *)&server->check, on_closed_handle);
    uv_close((uv_handle_t *)&server->grace, on_closed_handle);
    uv_close((uv_handle_t *)&server->surplus, on_closed_handle);
    http_deadlines_close(&server->deadlines, on_closed_handle);
}

static void on_closed_handle(uv_handle_t *handle)
{
    struct http_server *server = handle->data;

    if (--server->handles_open > 0)
        return;
    http_answers_tell_lost(server);
    server->is_over = true;
    if (server->on_drained != NULL)
        server->on_drained(server->on_drained_owner);
    http_server_release(server);
}

void http_server_release(struct http_server *server)
{
    struct http_request *request;

    if (!server->is_over || server->requests_alive > 0)
        return;
    while ((request = STAILQ_FIRST(&server->spare_requests)) != NULL) {
        STAILQ_REMOVE_HEAD(&server->spare_requests, link);
        http_message_finish(&request->message);
        text_finish(&request->fields);
        free(request);
    }
    for (int i = 0; i < server->spare_text_count; i++)
        text_finish(&server->spare_texts[i]);
    free(server);
}

/* Opening. */

/* "127.0.0.1:8080" or "[::1]:8080". */
static bool parse_address(const char *address, struct sockaddr_storage *parsed)
{
    const char *colon = strrchr(address, ':');
    char host[64] = "", *end;
    size_t length;
    long port;

    if (colon == NULL || colon[1] < '0' || colon[1] > '9')
        return false;
    port = strtol(colon + 1, &end, 10);
    length = (size_t)(colon - address);
    if (*end != '\0' || port > 65535 || length < 2 || length >= sizeof(host))
        return false;
    if (address[0] == '[' && colon[-1] == ']') {
        memcpy(host, address + 1, length - 2);
        return uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)parsed) == 0;
    }
    memcpy(host, address, length);
    return uv_ip4_addr(host, (int)port, (struct sockaddr_in *)parsed) == 0;
}

static void open_handles(struct http_server *server)
{
    const struct http_limits *limits = &server->options.limits;
    uv_handle_t *handles[] = {
        (uv_handle_t *)&server->listener, (uv_handle_t *)&server->prepare,
        (uv_handle_t *)&server->check,    (uv_handle_t *)&server->grace,
        (uv_handle_t *)&server->surplus,  (uv_handle_t *)&server->deadlines.timer};

    uv_tcp_init(server->loop, &server->listener);
    uv_prepare_init(server->loop, &server->prepare);
    uv_check_init(server->loop, &server->check);
    uv_timer_init(server->loop, &server->grace);
    uv_timer_init(server->loop, &server->surplus);
    http_deadlines_init(&server->deadlines, server->loop);
    for (size_t i = 0; i < ARRAY_SIZE(handles); i++)
        handles[i]->data = server;
    server->handles_open = ARRAY_SIZE(handles);
    uv_prepare_start(&server->prepare, on_prepare);
    uv_check_start(&server->check, on_check);

    http_deadline_list_init(&server->deadlines, HTTP_WAIT_IDLE, limits->idle_ms,
                            http_connection_on_deadline);
    http_deadline_list_init(&server->deadlines, HTTP_WAIT_HEAD, limits->head_ms,
                            http_connection_on_deadline);
    http_deadline_list_init(&server->deadlines, HTTP_WAIT_BODY, limits->body_ms,
                            http_connection_on_deadline);
    http_deadline_list_init(&server->deadlines, HTTP_WAIT_LINGER, LINGER_MS,
                            http_connection_on_deadline);
    http_deadline_list_init(&server->deadlines, HTTP_WAIT_WRITE, limits->write_ms,
                            http_connection_on_write_deadline);
    http_deadline_list_init(&server->deadlines, HTTP_WAIT_HOLD, HOLD_MS, http_connection_on_held);
}

static struct http_server *create(uv_loop_t *loop, const struct http_server_options *options)
{
    struct http_server *server = xcalloc(1, sizeof(*server));

    server->loop = loop;
    server->options = *options;
    server->parser_limits = (struct http_parser_limits){
        .head_bytes_max = options->limits.head_bytes_max,
        .body_bytes_max = options->limits.body_bytes_max,
        .fields_max = options->limits.fields_max,
    };
    TAILQ_INIT(&server->connections);
    TAILQ_INIT(&server->turn);
    STAILQ_INIT(&server->lost);
    STAILQ_INIT(&server->spare_requests);
    uv_random(NULL, NULL, &server->id_prefix, sizeof(server->id_prefix), 0, NULL);
    open_handles(server);
    return server;
}

static struct http_server *give_up(struct http_server *server)
{
    server->is_draining = true;
    uv_close((uv_handle_t *)&server->listener, on_closed_handle);
    close_handles(server);
    return NULL;
}

struct http_server *http_server_open(uv_loop_t *loop, const char *address,
                                     const struct http_server_options *options, struct fault *fault)
{
    struct sockaddr_storage parsed = {0};
    struct http_server *server;
    int error;

    if (!parse_address(address, &parsed)) {
        fail(fault, FAULT_REFUSED,
             "\"%s\" is not an address to listen on: write 127.0.0.1:8080 or [::1]:8080", address);
        return NULL;
    }
    /* A client that leaves must be an error of one write, not the end of the process. */
    signal(SIGPIPE, SIG_IGN);
    server = create(loop, options);
    error = uv_tcp_bind(&server->listener, (struct sockaddr *)&parsed, 0);
    if (error == 0)
        error = uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection);
    if (error == 0)
        return server;
    fail(fault, FAULT_REFUSED,
         "cannot listen on %s: %s; stop what listens there, or choose another address", address,
         uv_strerror(error));
    return give_up(server);
}
