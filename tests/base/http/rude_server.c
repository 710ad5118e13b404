#include <arpa/inet.h>
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/base/http/rude_server.h"

#include "base/http/client.h"
#include "base/memory.h"

enum { REQUEST_BYTES_MAX = 64 * 1024, DRIP_MS = 5 };

struct rude_connection {
    uv_tcp_t tcp;
    uv_timer_t drip;
    struct rude_server *server;
    struct rude_connection *next;
    char request[REQUEST_BYTES_MAX];
    size_t length;
    int handles;
    bool is_held, is_closing;
};

#define ANSWER(status, more, body) "HTTP/1.1 " status "\r\n" more "\r\n" body

static void on_handle_closed(uv_handle_t *handle)
{
    struct rude_connection *connection = handle->data;

    if (--connection->handles == 0)
        free(connection);
}

static void end(struct rude_connection *connection, bool reset)
{
    struct rude_connection **link = &connection->server->first;

    if (connection->is_closing)
        return;
    connection->is_closing = true;
    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
    uv_close((uv_handle_t *)&connection->drip, on_handle_closed);
    if (!reset || uv_tcp_close_reset(&connection->tcp, on_handle_closed) != 0)
        uv_close((uv_handle_t *)&connection->tcp, on_handle_closed);
}

/* Small answers to a reader on the same machine: they fit into the socket's buffer. */
static void say(struct rude_connection *connection, const char *bytes, size_t length)
{
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)length);

    uv_try_write((uv_stream_t *)&connection->tcp, &buffer, 1);
}

static void say_text(struct rude_connection *connection, const char *text)
{
    say(connection, text, strlen(text));
}

static void on_drip(uv_timer_t *timer)
{
    say(timer->data, " ", 1);
}

static void say_huge(struct rude_connection *connection)
{
    size_t length = HTTP_CALL_ANSWER_BYTES_MAX + 1;
    char *body = xcalloc(1, length + 128);
    int head = sprintf(body, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", length);

    memset(body + head, 'x', length);
    say(connection, body, (size_t)head + length);
    free(body);
}

static bool asks(const struct rude_connection *connection, const char *path)
{
    const char *found = strchr(connection->request, ' ') + 1;

    return strncmp(found, path, strlen(path)) == 0 && strchr(" ?", found[strlen(path)]) != NULL;
}

static void answer_well(struct rude_connection *connection)
{
    if (asks(connection, "/headers"))
        say_text(connection, ANSWER("429 Too Many Requests",
                                    "Content-Length: 0\r\nRetry-After: 7\r\nRequest-Id: req_1\r\n"
                                    "Stripe-Should-Retry: true\r\n",
                                    ""));
    else if (asks(connection, "/redirect"))
        say_text(connection, ANSWER("302 Found", "Content-Length: 0\r\nLocation: /ok\r\n", ""));
    else
        say_text(connection, ANSWER("200 OK", "Content-Length: 5\r\n", "hello"));
    if (asks(connection, "/whole_then_reset"))
        end(connection, true);
    if (asks(connection, "/ok_then_close"))
        end(connection, false);
}

/* True if the request was met with one of the faults. */
static bool answer_badly(struct rude_connection *connection)
{
    if (asks(connection, "/die")) {
        end(connection, false);
    } else if (asks(connection, "/reset")) {
        end(connection, true);
    } else if (asks(connection, "/torn")) {
        say_text(connection, ANSWER("200 OK", "Content-Length: 100\r\n", "{\"id\":"));
        end(connection, false);
    } else if (asks(connection, "/unframed")) {
        say_text(connection, ANSWER("200 OK", "", "hello"));
        end(connection, false);
    } else if (asks(connection, "/junk")) {
        say_text(connection, "220 smtp.example ready\r\n");
        end(connection, false);
    } else if (asks(connection, "/drip")) {
        say_text(connection, ANSWER("200 OK", "Content-Length: 100000\r\n", ""));
        uv_timer_start(&connection->drip, on_drip, DRIP_MS, DRIP_MS);
    } else if (asks(connection, "/huge")) {
        say_huge(connection);
    } else {
        return false;
    }
    return true;
}

static void hold(struct rude_connection *connection)
{
    struct rude_server *server = connection->server;

    connection->is_held = true;
    server->held++;
    if (server->on_held)
        server->on_held(server);
}

static void take_request(struct rude_connection *connection)
{
    struct rude_server *server = connection->server;
    const char *head_end = strstr(connection->request, "\r\n\r\n");
    const char *length = strstr(connection->request, "Content-Length: ");
    size_t wanted;

    if (head_end == NULL)
        return;
    wanted = (size_t)(head_end + 4 - connection->request);
    if (length && length < head_end)
        wanted += strtoul(length + strlen("Content-Length: "), NULL, 10);
    if (connection->length < wanted)
        return;
    server->requests++;
    snprintf(server->last, sizeof(server->last), "%.1000s", connection->request);
    connection->length = 0;
    if (asks(connection, "/hold"))
        hold(connection);
    else if (!answer_badly(connection))
        answer_well(connection);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct rude_connection *connection = handle->data;

    (void)suggested;
    *buffer = uv_buf_init(connection->request + connection->length,
                          (unsigned)(REQUEST_BYTES_MAX - 1 - connection->length));
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct rude_connection *connection = stream->data;

    (void)buffer;
    if (length < 0) {
        end(connection, false);
        return;
    }
    connection->length += (size_t)length;
    connection->server->bytes += (size_t)length;
    connection->request[connection->length] = '\0';
    if (!connection->server->silent)
        take_request(connection);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct rude_server *server = stream->data;
    struct rude_connection *connection = xcalloc(1, sizeof(*connection));

    assert(status == 0);
    server->connections++;
    connection->server = server;
    connection->next = server->first;
    server->first = connection;
    connection->handles = 2;
    uv_timer_init(stream->loop, &connection->drip);
    uv_tcp_init(stream->loop, &connection->tcp);
    connection->tcp.data = connection->drip.data = connection;
    uv_accept(stream, (uv_stream_t *)&connection->tcp);
    uv_read_start((uv_stream_t *)&connection->tcp, on_alloc, on_read);
}

void rude_open(struct rude_server *server, uv_loop_t *loop)
{
    struct sockaddr_in address;
    int size = sizeof(address);

    *server = (struct rude_server){0};
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(loop, &server->tcp);
    server->tcp.data = server;
    uv_tcp_bind(&server->tcp, (struct sockaddr *)&address, 0);
    if (uv_listen((uv_stream_t *)&server->tcp, 1024, on_connection) != 0)
        abort();
    uv_tcp_getsockname(&server->tcp, (struct sockaddr *)&address, &size);
    server->port = ntohs(address.sin_port);
}

void rude_release(struct rude_server *server)
{
    for (struct rude_connection *c = server->first; c; c = c->next)
        if (c->is_held) {
            c->is_held = false;
            server->held--;
            say_text(c, ANSWER("200 OK", "Content-Length: 5\r\n", "hello"));
        }
}

void rude_close(struct rude_server *server)
{
    while (server->first)
        end(server->first, false);
    uv_close((uv_handle_t *)&server->tcp, NULL);
}
