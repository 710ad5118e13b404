#include "base/http/internal.h"

/* A client that began without TLS can at least read what is wrong; others get TLS's own alert. */
static void fail_handshake(struct http_connection *connection)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
                                 "Content-Length: 38\r\nConnection: close\r\n\r\n"
                                 "This port speaks HTTPS: use https://.\n";

    if (http_tls_was_plain_http()) {
        connection->sealed = http_server_take_text(connection->server);
        text_add(&connection->sealed, answer);
    }
    connection->is_tls_over = true;
    http_connection_enter(connection, HTTP_CONNECTION_LAST);
}

static void fail_tls(struct http_connection *connection)
{
    if (connection->state == HTTP_CONNECTION_HANDSHAKE)
        fail_handshake(connection);
    else
        http_connection_close(connection, HTTP_END_GENTLY);
}

/* A peer that makes TLS talk (key updates) and never reads is not listened to for ever. */
static bool is_flooding(const struct http_connection *connection)
{
    return http_tls_unsent(connection->tls) > HTTP_OUTPUT_BYTES_MAX;
}

void http_connection_receive_sealed(struct http_connection *connection, const char *bytes,
                                    size_t length)
{
    char *plain = connection->server->plain_buffer;
    enum http_tls_step step = HTTP_TLS_READ;
    size_t plain_length = 0;

    if (connection->is_tls_over)
        return;
    http_tls_feed(connection->tls, bytes, length);
    while (step == HTTP_TLS_READ && connection->state != HTTP_CONNECTION_CLOSED) {
        step = http_tls_read(connection->tls, plain, HTTP_PLAIN_BYTES, &plain_length);
        if (step == HTTP_TLS_FAILED) {
            fail_tls(connection);
            return;
        }
        if (connection->state == HTTP_CONNECTION_HANDSHAKE && SSL_is_init_finished(connection->tls))
            http_connection_begin(connection);
        if (step == HTTP_TLS_READ)
            http_connection_receive(connection, plain, plain_length);
    }
    connection->peer_ended |= step == HTTP_TLS_ENDED;
    if (is_flooding(connection))
        http_connection_close(connection, HTTP_END_RESET);
}

/* What is to be written: the answers, or what TLS makes of them. */
struct text *http_connection_seal(struct http_connection *connection)
{
    struct text *out = &connection->output, *sealed = &connection->sealed;

    if (connection->tls == NULL)
        return out;
    if (out->length > 0 || http_tls_unsent(connection->tls) > 0) {
        if (sealed->bytes == NULL)
            *sealed = http_server_take_text(connection->server);
        http_tls_seal(connection->tls, out->bytes, out->length, sealed);
        http_server_give_text(connection->server, out);
    }
    return sealed;
}

bool http_connection_say_end(struct http_connection *connection)
{
    if (connection->tls == NULL)
        return true;
    if (!connection->is_tls_over) {
        connection->is_tls_over = true;
        http_tls_say_end(connection->tls);
        http_connection_flush(connection);
    }
    return !connection->is_writing && !connection->is_broken;
}
