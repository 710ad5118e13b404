/* The line in which the requests of a connection wait for their answers: first in, first out. */

#include "base/http/internal.h"

static void promote(struct http_connection *connection, struct http_request *request);

void http_answers_push(struct http_connection *connection, struct http_request *request)
{
    request->received_ns = uv_hrtime();
    STAILQ_INSERT_TAIL(&connection->requests, request, link);
    connection->request_count++;
    if (STAILQ_FIRST(&connection->requests) == request)
        promote(connection, request);
}

struct text *http_answers_output(struct http_connection *connection, struct http_request *request)
{
    struct text *out =
        STAILQ_FIRST(&connection->requests) == request ? &connection->output : &request->answer;

    if (out->bytes == NULL)
        *out = http_server_take_text(connection->server);
    return out;
}

size_t http_answers_unread(const struct http_connection *connection,
                           const struct http_request *request)
{
    if (STAILQ_FIRST(&connection->requests) != request)
        return request->answer.length;
    return connection->output.length +
           uv_stream_get_write_queue_size((const uv_stream_t *)(const void *)&connection->tcp);
}

/* It is this request's turn: what was rendered early goes out, and who waits for leave to send a
 * body gets it (RFC 9110 §10.1.1). */
static void promote(struct http_connection *connection, struct http_request *request)
{
    if (request->answer.length > 0)
        text_add_bytes(http_answers_output(connection, request), request->answer.bytes,
                       request->answer.length);
    http_server_give_text(connection->server, &request->answer);
    if (request->stage == HTTP_REQUEST_RECEIVING && request->message.expects_continue)
        text_add(http_answers_output(connection, request), "HTTP/1.1 100 Continue\r\n\r\n");
}

void http_answers_advance(struct http_connection *connection)
{
    struct http_request *first;

    while ((first = STAILQ_FIRST(&connection->requests)) != NULL &&
           first->stage == HTTP_REQUEST_ENDED) {
        bool is_last = first->is_last;

        STAILQ_REMOVE_HEAD(&connection->requests, link);
        connection->request_count--;
        connection->ending = first->ending;
        http_request_destroy(first);
        if (is_last) {
            http_connection_stop(connection);
            http_answers_lose(connection);
        } else if ((first = STAILQ_FIRST(&connection->requests)) != NULL) {
            promote(connection, first);
        }
    }
    http_connection_on_answered(connection);
}

/* It may reply to any request, which changes the line: so each look begins at its front. */
void http_answers_tell_leaving(struct http_connection *connection)
{
    struct http_request *request = STAILQ_FIRST(&connection->requests);

    while (request != NULL) {
        void (*on_gone)(struct http_request *, void *) = request->on_gone;

        if (on_gone == NULL || request->stage == HTTP_REQUEST_ENDED) {
            request = STAILQ_NEXT(request, link);
            continue;
        }
        request->on_gone = NULL;
        on_gone(request, request->on_gone_data);
        request = STAILQ_FIRST(&connection->requests);
    }
}

void http_answers_lose(struct http_connection *connection)
{
    struct http_request *request;

    if (connection->receiving != NULL && !connection->parser.in_body)
        http_request_destroy(connection->receiving);
    connection->receiving = NULL;
    STAILQ_FOREACH (request, &connection->requests, link) {
        request->connection = NULL;
        request->is_being_lost = true;
    }
    STAILQ_CONCAT(&connection->server->lost, &connection->requests);
    connection->request_count = 0;
}

/* Whoever is told may end this request and others of the list. */
void http_answers_tell_lost(struct http_server *server)
{
    struct http_request *request;

    while ((request = STAILQ_FIRST(&server->lost)) != NULL) {
        STAILQ_REMOVE_HEAD(&server->lost, link);
        request->is_being_lost = false;
        if (request->stage == HTTP_REQUEST_RECEIVING || request->stage == HTTP_REQUEST_ENDED)
            http_request_destroy(request);
        else if (request->on_gone != NULL)
            request->on_gone(request, request->on_gone_data);
    }
}
