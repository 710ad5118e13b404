#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/http/internal.h"

struct status_line {
    int status;
    const char *line;
};

static const struct status_line status_lines[] = {
    {200, "HTTP/1.1 200 OK\r\n"},
    {201, "HTTP/1.1 201 Created\r\n"},
    {202, "HTTP/1.1 202 Accepted\r\n"},
    {204, "HTTP/1.1 204 No Content\r\n"},
    {303, "HTTP/1.1 303 See Other\r\n"},
    {304, "HTTP/1.1 304 Not Modified\r\n"},
    {400, "HTTP/1.1 400 Bad Request\r\n"},
    {401, "HTTP/1.1 401 Unauthorized\r\n"},
    {402, "HTTP/1.1 402 Payment Required\r\n"},
    {403, "HTTP/1.1 403 Forbidden\r\n"},
    {404, "HTTP/1.1 404 Not Found\r\n"},
    {405, "HTTP/1.1 405 Method Not Allowed\r\n"},
    {408, "HTTP/1.1 408 Request Timeout\r\n"},
    {409, "HTTP/1.1 409 Conflict\r\n"},
    {412, "HTTP/1.1 412 Precondition Failed\r\n"},
    {413, "HTTP/1.1 413 Content Too Large\r\n"},
    {414, "HTTP/1.1 414 URI Too Long\r\n"},
    {415, "HTTP/1.1 415 Unsupported Media Type\r\n"},
    {417, "HTTP/1.1 417 Expectation Failed\r\n"},
    {422, "HTTP/1.1 422 Unprocessable Content\r\n"},
    {428, "HTTP/1.1 428 Precondition Required\r\n"},
    {429, "HTTP/1.1 429 Too Many Requests\r\n"},
    {431, "HTTP/1.1 431 Request Header Fields Too Large\r\n"},
    {500, "HTTP/1.1 500 Internal Server Error\r\n"},
    {501, "HTTP/1.1 501 Not Implemented\r\n"},
    {502, "HTTP/1.1 502 Bad Gateway\r\n"},
    {503, "HTTP/1.1 503 Service Unavailable\r\n"},
    {504, "HTTP/1.1 504 Gateway Timeout\r\n"},
    {505, "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
};

static void add_status(struct text *out, int status)
{
    for (size_t i = 0; i < ARRAY_SIZE(status_lines); i++) {
        if (status_lines[i].status == status) {
            text_add(out, status_lines[i].line);
            return;
        }
    }
    text_print(out, "HTTP/1.1 %d Status\r\n", status);
}

static void add_number(struct text *out, size_t number)
{
    char digits[24], *at = digits + sizeof(digits);

    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    text_add_bytes(out, at, (size_t)(digits + sizeof(digits) - at));
}

static void add_connection(struct text *out, const struct http_request *request)
{
    if (request->is_last)
        text_add(out, "Connection: close\r\n");
    else if (request->message.is_http_1_0)
        text_add(out, "Connection: keep-alive\r\n");
}

/* All but what frames the body and the empty line. */
static void add_head(struct text *out, struct http_request *request, int status,
                     const char *content_type)
{
    if (request->server->options.on_answering != NULL)
        request->server->options.on_answering(request);
    add_status(out, status);
    text_add(out, http_server_date(request->server));
    text_add(out, "Request-Id: ");
    text_add_bytes(out, request->id, HTTP_ID_SIZE - 1);
    text_add(out, "\r\n");
    if (content_type != NULL) {
        text_add(out, "Content-Type: ");
        text_add(out, content_type);
        text_add(out, "\r\n");
    }
    if (request->fields.length > 0)
        text_add_bytes(out, request->fields.bytes, request->fields.length);
    add_connection(out, request);
}

static bool is_head(const struct http_request *request)
{
    return strcmp(request->message.method, "HEAD") == 0;
}

/* The answer is complete; the request may be gone when this returns. */
static void end(struct http_request *request)
{
    const struct http_server_options *options = &request->server->options;
    struct http_connection *connection = request->connection;

    request->stage = HTTP_REQUEST_ENDED;
    if (options->on_answered != NULL && !request->server->is_over)
        options->on_answered(request, connection && !request->is_aborted ? request->status : 0,
                             (uv_hrtime() - request->received_ns) / 1000);
    if (connection != NULL)
        http_answers_advance(connection);
    else if (!request->is_being_lost)
        http_request_destroy(request);
}

static struct text *output(struct http_request *request)
{
    return request->connection ? http_answers_output(request->connection, request) : NULL;
}

void http_reply_header(struct http_request *request, const char *name, const char *format, ...)
{
    struct text *fields = &request->fields;
    char small[256], *value = small;
    va_list args, again;
    int length;

    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(small, sizeof(small), format, args);
    va_end(args);
    assert(length >= 0);
    if ((size_t)length >= sizeof(small)) {
        value = arena_alloc(&request->arena, (size_t)length + 1);
        vsnprintf(value, (size_t)length + 1, format, again);
    }
    va_end(again);
    assert(strpbrk(value, "\r\n") == NULL && strpbrk(name, "\r\n: ") == NULL);
    text_add(fields, name);
    text_add(fields, ": ");
    text_add_bytes(fields, value, (size_t)length);
    text_add(fields, "\r\n");
    assert(!fields->cut);
}

void http_reply_close(struct http_request *request)
{
    request->is_last = true;
}

void http_reply_hold(struct http_request *request)
{
    struct http_connection *connection = request->connection;

    if (connection)
        http_deadline_start(&connection->server->deadlines, HTTP_WAIT_HOLD, &connection->holding);
}

void http_reply(struct http_request *request, int status, const char *content_type,
                const void *body, size_t length)
{
    struct text *out = output(request);

    assert(request->stage == HTTP_REQUEST_HANDLING);
    request->status = status;
    if (content_type == NULL)
        length = 0;
    if (out != NULL) {
        add_head(out, request, status, content_type);
        if (status != 204 && status != 304) {
            text_add(out, "Content-Length: ");
            add_number(out, length);
            text_add(out, "\r\n");
        }
        text_add(out, "\r\n");
        if (!is_head(request))
            text_add_bytes(out, body, length);
    }
    end(request);
}

void http_stream_begin(struct http_request *request, int status, const char *content_type)
{
    struct text *out;

    assert(request->stage == HTTP_REQUEST_HANDLING);
    request->stage = HTTP_REQUEST_STREAMING;
    request->status = status;
    request->is_unchunked = request->message.is_http_1_0;
    request->is_last = request->is_last || request->is_unchunked;
    out = output(request);
    if (out == NULL)
        return;
    add_head(out, request, status, content_type);
    if (!request->is_unchunked)
        text_add(out, "Transfer-Encoding: chunked\r\n");
    text_add(out, "\r\n");
    http_connection_wake(request->connection);
}

static void add_chunk(struct text *out, const void *bytes, size_t length)
{
    text_print(out, "%zx\r\n", length);
    text_add_bytes(out, bytes, length);
    text_add(out, "\r\n");
}

/* Tries the socket before it gives up: the limit is on what the client leaves unread, not on what
 * was written in one turn. */
static bool has_room(struct http_request *request, size_t length)
{
    size_t most = request->server->options.limits.unread_bytes_max;

    if (http_is_gone(request))
        return false;
    if (http_answers_unread(request->connection, request) + length > most)
        http_connection_flush(request->connection);
    return http_answers_unread(request->connection, request) <= most && !http_is_gone(request);
}

bool http_stream_write(struct http_request *request, const void *bytes, size_t length)
{
    struct text *out;

    assert(request->stage == HTTP_REQUEST_STREAMING);
    if (!has_room(request, length))
        return false;
    if (length == 0 || is_head(request))
        return true;
    out = output(request);
    if (request->is_unchunked)
        text_add_bytes(out, bytes, length);
    else
        add_chunk(out, bytes, length);
    http_connection_wake(request->connection);
    return true;
}

void http_stream_end(struct http_request *request)
{
    struct text *out = output(request);

    assert(request->stage == HTTP_REQUEST_STREAMING);
    if (out != NULL && !request->is_unchunked && !is_head(request))
        text_add(out, "0\r\n\r\n");
    end(request);
}

void http_abort(struct http_request *request, const void *bytes, size_t length, bool reset)
{
    struct text *out = output(request);

    assert(request->stage == HTTP_REQUEST_HANDLING || request->stage == HTTP_REQUEST_STREAMING);
    request->is_last = request->is_aborted = true;
    request->ending = reset ? HTTP_END_RESET : HTTP_END_GENTLY;
    if (out != NULL && bytes != NULL)
        text_add_bytes(out, bytes, length);
    end(request);
}
