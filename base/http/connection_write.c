/* What was answered goes to the socket, at once as far as the kernel takes it; a client that takes
 * nothing of the rest for too long is given up. */
#include "base/http/internal.h"

static void on_written(uv_write_t *write, int status);

void http_connection_flush(struct http_connection *connection)
{
    struct text *out;
    uv_buf_t buffer;
    int written;

    if (connection->is_writing || connection->is_broken)
        return;
    out = http_connection_seal(connection);
    if (out->length == 0)
        return;
    buffer = uv_buf_init(out->bytes, (unsigned)out->length);
    written = uv_try_write((uv_stream_t *)&connection->tcp, &buffer, 1);
    if (written < 0 && written != UV_EAGAIN) {
        connection->is_broken = true;
        http_connection_wake(connection);
    } else if ((size_t)written == out->length) {
        http_server_give_text(connection->server, out);
    } else {
        size_t sent = written > 0 ? (size_t)written : 0;

        connection->in_flight = *out;
        *out = (struct text){0};
        buffer = uv_buf_init(connection->in_flight.bytes + sent,
                             (unsigned)(connection->in_flight.length - sent));
        connection->is_writing = true;
        uv_write(&connection->write, (uv_stream_t *)&connection->tcp, &buffer, 1, on_written);
        connection->queued_bytes = buffer.len;
        http_deadline_start(&connection->server->deadlines, HTTP_WAIT_WRITE, &connection->writing);
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct http_connection *connection = container_of(write, struct http_connection, write);

    connection->is_writing = false;
    http_deadline_stop(&connection->writing);
    http_server_give_text(connection->server, &connection->in_flight);
    if (status < 0)
        connection->is_broken = true;
    http_connection_wake(connection);
}

/* The client may be slow, but not stand still. */
void http_connection_on_write_deadline(struct http_deadline *deadline)
{
    struct http_connection *connection = container_of(deadline, struct http_connection, writing);
    size_t queued =
        uv_stream_get_write_queue_size((const uv_stream_t *)(const void *)&connection->tcp);

    if (queued < connection->queued_bytes) {
        connection->queued_bytes = queued;
        http_deadline_start(&connection->server->deadlines, HTTP_WAIT_WRITE, deadline);
    } else {
        http_connection_close(connection, HTTP_END_RESET);
    }
}
