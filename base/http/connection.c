#include <stdlib.h>
#include <string.h>

#include "base/http/internal.h"
#include "base/log.h"

/* In the order they happen. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer);
static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer);
static size_t step_receive(struct http_connection *connection, const char *bytes, size_t length);
static size_t step_discard(struct http_connection *connection, const char *bytes, size_t length);
static void on_head(struct http_connection *connection);
static void on_message(struct http_connection *connection);
static void refuse(struct http_connection *connection, const struct http_refusal *refusal);
static void turn_away(struct http_connection *connection);
static void settle(struct http_connection *connection);
static void on_shut(uv_shutdown_t *shutdown, int status);
static void on_closed(uv_handle_t *handle);

enum { NO_DEADLINE = -1 };

/* What a state reads, and for how long it may last. */
static const struct {
    const char *name;
    int deadline;
    bool reads;
    size_t (*step)(struct http_connection *connection, const char *bytes, size_t length);
} states[] = {
    [HTTP_CONNECTION_HANDSHAKE] = {"handshake", HTTP_WAIT_HEAD, true, NULL},
    [HTTP_CONNECTION_IDLE] = {"idle", HTTP_WAIT_IDLE, true, step_receive},
    [HTTP_CONNECTION_HEAD] = {"head", HTTP_WAIT_HEAD, true, step_receive},
    [HTTP_CONNECTION_BODY] = {"body", HTTP_WAIT_BODY, true, step_receive},
    [HTTP_CONNECTION_FULL] = {"full", NO_DEADLINE, true, NULL},
    [HTTP_CONNECTION_LAST] = {"last", NO_DEADLINE, true, step_discard},
    [HTTP_CONNECTION_LINGER] = {"linger", HTTP_WAIT_LINGER, true, step_discard},
    [HTTP_CONNECTION_CLOSED] = {"closed", NO_DEADLINE, false, step_discard},
};

static void start_deadline(struct http_connection *connection)
{
    int deadline = states[connection->state].deadline;

    if (connection->is_surplus && deadline == HTTP_WAIT_HEAD)
        deadline = HTTP_WAIT_LINGER;
    if (deadline == NO_DEADLINE || (deadline == HTTP_WAIT_IDLE && connection->request_count > 0))
        http_deadline_stop(&connection->reading);
    else
        http_deadline_start(&connection->server->deadlines, deadline, &connection->reading);
}

void http_connection_enter(struct http_connection *connection, enum http_connection_state state)
{
    if (connection->state == state)
        return;
    log_debug("http_connection", "%p: %s to %s", (void *)connection, states[connection->state].name,
              states[state].name);
    connection->state = state;
    start_deadline(connection);
}

void http_connection_wake(struct http_connection *connection)
{
    if (connection->on_turn || connection->state == HTTP_CONNECTION_CLOSED)
        return;
    connection->on_turn = true;
    TAILQ_INSERT_TAIL(&connection->server->turn, connection, turn_link);
}

/* Reading. */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct http_connection *connection = container_of(handle, struct http_connection, tcp);

    (void)suggested;
    *buffer = uv_buf_init(connection->server->read_buffer, HTTP_READ_BYTES);
}

/* How many bytes the states took; the rest has to wait. */
static size_t consume(struct http_connection *connection, const char *bytes, size_t length)
{
    size_t used = 0;

    while (used < length && states[connection->state].step != NULL)
        used += states[connection->state].step(connection, bytes + used, length - used);
    return used;
}

static void keep_input(struct http_connection *connection, const char *bytes, size_t length)
{
    if (length > 0)
        text_add_bytes(&connection->input, bytes, length);
}

static void update_reading(struct http_connection *connection)
{
    bool wants = states[connection->state].reads && !connection->peer_ended &&
                 connection->input.length == 0 && connection->holding.list == NULL;

    if (wants == connection->is_reading)
        return;
    connection->is_reading = wants;
    if (wants)
        uv_read_start((uv_stream_t *)&connection->tcp, on_alloc, on_read);
    else
        uv_read_stop((uv_stream_t *)&connection->tcp);
}

void http_connection_receive(struct http_connection *connection, const char *bytes, size_t length)
{
    size_t used = consume(connection, bytes, length);

    keep_input(connection, bytes + used, length - used);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct http_connection *connection = container_of(stream, struct http_connection, tcp);

    if (length == 0)
        return;
    if (length == UV_EOF) {
        connection->peer_ended = true;
        connection->is_reading = false;
    } else if (length < 0) {
        http_connection_close(connection, HTTP_END_GENTLY);
    } else {
        if (connection->tls)
            http_connection_receive_sealed(connection, buffer->base, (size_t)length);
        else
            http_connection_receive(connection, buffer->base, (size_t)length);
        if (connection->state != HTTP_CONNECTION_CLOSED)
            update_reading(connection);
    }
    http_connection_wake(connection);
}

/* Receiving. */

static void begin_request(struct http_connection *connection)
{
    connection->receiving = http_request_create(connection->server, connection);
    http_parser_begin(&connection->parser, &connection->receiving->message);
}

static size_t step_receive(struct http_connection *connection, const char *bytes, size_t length)
{
    enum http_parser_event event;
    size_t used;

    if (connection->receiving == NULL)
        begin_request(connection);
    used = http_parser_feed(&connection->parser, bytes, length, &event);
    switch (event) {
    case HTTP_PARSER_MORE:
        if (connection->parser.in_body)
            http_connection_enter(connection, HTTP_CONNECTION_BODY);
        else if (connection->receiving->message.head.length > 0)
            http_connection_enter(connection, HTTP_CONNECTION_HEAD);
        break;
    case HTTP_PARSER_HEAD:
        on_head(connection);
        if (connection->is_surplus)
            turn_away(connection);
        break;
    case HTTP_PARSER_MESSAGE:
        if (connection->is_surplus)
            turn_away(connection);
        else
            on_message(connection);
        break;
    case HTTP_PARSER_REFUSED:
        refuse(connection, &connection->parser.refusal);
        break;
    }
    return used;
}

static size_t step_discard(struct http_connection *connection, const char *bytes, size_t length)
{
    (void)connection, (void)bytes;
    return length;
}

static void on_head(struct http_connection *connection)
{
    struct http_request *request = connection->receiving;

    http_answers_push(connection, request);
    http_connection_enter(connection, HTTP_CONNECTION_BODY);
}

/* Takes the request out of the receiver, and makes sure that it is in the line for answers. */
static struct http_request *take_received(struct http_connection *connection)
{
    struct http_request *request = connection->receiving;

    request->stage = HTTP_REQUEST_HANDLING;
    if (!connection->parser.in_body)
        http_answers_push(connection, request);
    connection->receiving = NULL;
    http_deadline_stop(&connection->reading); /* who waits for an answer is not idle */
    return request;
}

static bool is_full(const struct http_connection *connection)
{
    return connection->request_count >= connection->server->options.limits.pipeline_max ||
           connection->is_writing || connection->output.length >= HTTP_OUTPUT_BYTES_MAX;
}

static void on_message(struct http_connection *connection)
{
    struct http_request *request = take_received(connection);

    request->is_last = !request->message.keeps_alive || connection->server->is_draining;
    if (request->is_last)
        http_connection_enter(connection, HTTP_CONNECTION_LAST);
    else
        http_connection_enter(connection,
                              is_full(connection) ? HTTP_CONNECTION_FULL : HTTP_CONNECTION_IDLE);
    http_request_dispatch(request);
}

static void refuse(struct http_connection *connection, const struct http_refusal *refusal)
{
    struct http_request *request = take_received(connection);

    http_connection_enter(connection, HTTP_CONNECTION_LAST);
    http_request_refuse(request, refusal);
}

/* Answering. */

void http_connection_stop(struct http_connection *connection)
{
    text_finish(&connection->input);
    text_init(&connection->input, SIZE_MAX / 2);
    if (connection->state != HTTP_CONNECTION_CLOSED)
        http_connection_enter(connection, HTTP_CONNECTION_LAST);
}

void http_connection_on_answered(struct http_connection *connection)
{
    if (connection->state == HTTP_CONNECTION_IDLE)
        start_deadline(connection);
    http_connection_wake(connection);
}

/* A turn: the socket's share of what happened. */

/* What had to wait, if it need not any more. */
static bool resume(struct http_connection *connection)
{
    struct text input = connection->input;
    size_t used;

    if (connection->state != HTTP_CONNECTION_FULL || is_full(connection))
        return false;
    text_init(&connection->input, SIZE_MAX / 2);
    http_connection_enter(connection, HTTP_CONNECTION_IDLE);
    used = consume(connection, input.bytes, input.length);
    keep_input(connection, input.bytes + used, input.length - used);
    text_finish(&input);
    return used > 0;
}

void http_connection_turn(struct http_connection *connection)
{
    connection->on_turn = false;
    if (connection->state == HTTP_CONNECTION_CLOSED)
        return;
    do
        http_connection_flush(connection);
    while (resume(connection));
    if (connection->is_broken)
        http_connection_close(connection, HTTP_END_GENTLY);
    else
        settle(connection);
}

/* The client has shut its side: what was received whole is answered, the rest cannot come. */
static void after_peer_ended(struct http_connection *connection)
{
    static const struct http_refusal incomplete = {400, "incomplete_request",
                                                   "The request ended before it was complete."};

    switch (connection->state) {
    case HTTP_CONNECTION_HANDSHAKE:
    case HTTP_CONNECTION_IDLE:
        http_connection_enter(connection, HTTP_CONNECTION_LAST);
        break;
    case HTTP_CONNECTION_HEAD:
    case HTTP_CONNECTION_BODY:
        refuse(connection, &incomplete);
        break;
    case HTTP_CONNECTION_FULL:
        if (connection->input.length == 0)
            http_connection_enter(connection, HTTP_CONNECTION_LAST);
        break;
    case HTTP_CONNECTION_LAST:
    case HTTP_CONNECTION_LINGER:
    case HTTP_CONNECTION_CLOSED:
        break;
    }
    http_answers_tell_leaving(connection);
}

/* All is answered and written, and nothing more may come.  A close while the client still sends
 * would be a reset, which can destroy the answer on its way (RFC 9112 §9.6): so our side is shut,
 * and what still comes is read until the client closes too. */
static void finish(struct http_connection *connection)
{
    if (connection->ending == HTTP_END_RESET || connection->peer_ended ||
        uv_shutdown(&connection->shutdown, (uv_stream_t *)&connection->tcp, on_shut) < 0)
        http_connection_close(connection, connection->ending);
    else
        http_connection_enter(connection, HTTP_CONNECTION_LINGER);
}

static void settle(struct http_connection *connection)
{
    bool is_answered;

    if (connection->peer_ended)
        after_peer_ended(connection);
    is_answered =
        connection->request_count == 0 && connection->output.length == 0 && !connection->is_writing;
    if (connection->state == HTTP_CONNECTION_LAST && is_answered &&
        http_connection_say_end(connection))
        finish(connection);
    else if (connection->state == HTTP_CONNECTION_LINGER && connection->peer_ended)
        http_connection_close(connection, HTTP_END_GENTLY);
    if (connection->state != HTTP_CONNECTION_CLOSED)
        update_reading(connection);
}

static void on_shut(uv_shutdown_t *shutdown, int status)
{
    struct http_connection *connection = container_of(shutdown, struct http_connection, shutdown);

    if (status < 0)
        http_connection_close(connection, HTTP_END_GENTLY);
}

/* Deadlines. */

void http_connection_on_deadline(struct http_deadline *deadline)
{
    static const struct http_refusal late = {408, "request_timeout",
                                             "The request did not arrive in time."};
    struct http_connection *connection = container_of(deadline, struct http_connection, reading);

    if (connection->state == HTTP_CONNECTION_HEAD && connection->is_surplus)
        turn_away(connection);
    else if (connection->state == HTTP_CONNECTION_HEAD || connection->state == HTTP_CONNECTION_BODY)
        refuse(connection, &late);
    else
        http_connection_close(connection, HTTP_END_GENTLY);
}

/* Its time of not being listened to is over. */
void http_connection_on_held(struct http_deadline *deadline)
{
    http_connection_wake(container_of(deadline, struct http_connection, holding));
}

/* The end. */

void http_connection_drain(struct http_connection *connection)
{
    struct http_request *request, *last = NULL;
    bool is_waiting = connection->state == HTTP_CONNECTION_IDLE ||
                      (connection->state == HTTP_CONNECTION_FULL && connection->input.length == 0);

    if (connection->state == HTTP_CONNECTION_HANDSHAKE)
        http_connection_close(connection, HTTP_END_GENTLY);
    if (!is_waiting)
        return;
    STAILQ_FOREACH (request, &connection->requests, link)
        last = request;
    if (last != NULL)
        last->is_last = true;
    http_connection_enter(connection, HTTP_CONNECTION_LAST);
    http_connection_wake(connection);
}

void http_connection_close(struct http_connection *connection, enum http_ending ending)
{
    uv_handle_t *handle = (uv_handle_t *)&connection->tcp;

    if (connection->state == HTTP_CONNECTION_CLOSED)
        return;
    if (ending == HTTP_END_GENTLY)
        (void)http_connection_say_end(connection);
    http_connection_enter(connection, HTTP_CONNECTION_CLOSED);
    http_deadline_stop(&connection->writing);
    http_deadline_stop(&connection->holding);
    if (ending != HTTP_END_RESET || uv_tcp_close_reset(&connection->tcp, on_closed) < 0)
        uv_close(handle, on_closed);
    http_answers_lose(connection);
}

static void on_closed(uv_handle_t *handle)
{
    struct http_connection *connection = container_of(handle, struct http_connection, tcp);
    struct http_server *server = connection->server;

    if (connection->on_turn)
        TAILQ_REMOVE(&server->turn, connection, turn_link);
    TAILQ_REMOVE(&server->connections, connection, link);
    text_finish(&connection->input);
    SSL_free(connection->tls);
    http_server_give_text(server, &connection->sealed);
    http_server_give_text(server, &connection->output);
    http_server_give_text(server, &connection->in_flight);
    free(connection);
    http_server_on_closed_connection(server);
}

/* One that is too many is told so once its head is there, which says to whom the answer belongs (a
 * page of which origin, about which key), and soon if it is not. */
static void turn_away(struct http_connection *connection)
{
    static const struct http_refusal full = {503, "too_many_connections",
                                             "This server has all the connections it can serve."};

    refuse(connection, &full);
}

void http_connection_begin(struct http_connection *connection)
{
    connection->state = HTTP_CONNECTION_IDLE;
    start_deadline(connection);
    if (connection->is_surplus) {
        begin_request(connection);
        http_connection_enter(connection, HTTP_CONNECTION_HEAD);
    }
}

bool http_connection_accept(struct http_server *server, bool is_surplus)
{
    struct http_connection *connection = xcalloc(1, sizeof(*connection));

    connection->server = server;
    connection->state = HTTP_CONNECTION_IDLE;
    STAILQ_INIT(&connection->requests);
    text_init(&connection->input, SIZE_MAX / 2);
    http_parser_init(&connection->parser, &server->parser_limits);
    uv_tcp_init(server->loop, &connection->tcp);
    TAILQ_INSERT_TAIL(&server->connections, connection, link);
    server->connection_count++;
    if (uv_accept((uv_stream_t *)&server->listener, (uv_stream_t *)&connection->tcp) < 0) {
        http_connection_close(connection, HTTP_END_GENTLY);
        return false;
    }
    uv_tcp_nodelay(&connection->tcp, 1);
    if (server->options.tls)
        connection->tls = http_tls_begin(server->options.tls);
    connection->is_surplus = is_surplus;
    if (connection->tls) {
        connection->state = HTTP_CONNECTION_HANDSHAKE;
        start_deadline(connection);
    } else {
        http_connection_begin(connection);
    }
    update_reading(connection);
    return true;
}
