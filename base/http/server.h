/* base/http/server.h - HTTP/1.1 on a libuv loop: strict framing, answers in order, everything
 * bounded
 *
 *     read ─► pre-scan ─► llhttp (strict) ─► route ─► handle ┄┄┄► http_reply ─► written in order
 *
 * A request is handled when its head and body are complete.  Its handler replies when it likes,
 * from any later callback on the same loop; pipelined requests are handled at once, up to
 * `pipeline_max` a connection, and answered in the order they came.  A request lives until it is
 * replied to, also when its client has left meanwhile (the reply is then dropped): a handler may
 * keep the pointer until http_reply, and must call exactly one of http_reply, http_stream_end and
 * http_abort once.
 *
 * One connection over `connections_max` makes room by ending the one that has been idle longest. If
 * all are busy it is told 503 `too_many_connections` with `Connection: close`, once its head is
 * there or after 2 s: a client understands that, and a browser, which sees a cut as a failure of
 * the network, asks again later.  With TLS that takes a handshake, which is the dearest thing a
 * stranger can ask for (up to 1 ms of this loop with an RSA key): so no more than 100 a second are
 * begun, each ends within 2 s, and the rest, like those beyond 64 at once, wait in the kernel's
 * queue, whose end pushes back on who connects.  That bounds what a crowd costs to a tenth of the
 * loop.
 *
 * OPTIONS is answered by the server itself: 204 and Allow (RFC 9110 §9.3.7).
 *
 * What cannot be framed (RFC 9112: CL and TE together, a repeated or signed length, a bare CR or
 * LF, obs-fold, a space before the colon, an unknown coding, no or two Hosts) is answered 400 and
 * the connection is closed; nothing after it is parsed.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/fault.h"
#include "base/memory.h"

struct http_server;
struct http_request;
struct http_tls;

struct http_route {
    const char *method;
    const char *path; /* "/v1/orders/{id}": a {name} matches one non-empty segment */
    void (*handle)(struct http_request *request);
};

struct http_limits {
    size_t head_bytes_max, body_bytes_max;
    size_t unread_bytes_max; /* of a stream: written, and not read by the client yet */
    int fields_max, connections_max, pipeline_max;
    uint64_t head_ms, body_ms, idle_ms, write_ms; /* deadlines; write_ms: a reader that stalls */
};

extern const struct http_limits
    http_limits_default; /* DESIGN.md §7: 16 KiB, 64 KiB, 100 fields … */

struct http_server_options {
    const struct http_route *routes; /* ends with a route whose method is NULL */
    struct http_limits limits;
    /* Words an answer that the server itself gives (400 framing, 404, 405, 408, 413, 414, 431, 503
     * …): must call http_reply.  `code` is snake_case ("malformed_request", "not_found",
     * "method_not_allowed", "request_timeout", "body_too_large", "head_too_large", …).  For 413 the
     * head is complete and its fields can be read. */
    void (*on_error)(struct http_request *request, int status, const char *code,
                     const char *detail);
    /* May be NULL.  Called once before the head of an answer is written, also of a stream and of
     * what the server itself says: may add fields (http_reply_header), and nothing else. */
    void (*on_answering)(struct http_request *request);
    /* May be NULL.  Called when a request was answered, for metrics and logs: status 0 if the
     * connection was gone. */
    void (*on_answered)(struct http_request *request, int status, uint64_t microseconds);
    /* NULL: no TLS.  Outlives the server. */
    const struct http_tls *tls;
    void *owner;
};

/* address: "127.0.0.1:8080", "[::1]:8080"; port 0 takes a free one.  On failure says who should do
 * what.  The loop must outlive the server. */
struct http_server *http_server_open(uv_loop_t *loop, const char *address,
                                     const struct http_server_options *options, struct fault *fault)
    __attribute__((warn_unused_result));
int http_server_port(const struct http_server *server);
int http_server_connections(const struct http_server *server);

/* Push-back: while it pauses, new connections wait in the kernel's queue. */
void http_server_pause(struct http_server *server, bool is_pausing);

/* Stops listening, answers what was received with `Connection: close`, closes idle connections at
 * once and the rest when answered or after `grace_ms`; then calls on_drained once (not from inside
 * this call), after which the server is gone. */
void http_server_drain(struct http_server *server, uint64_t grace_ms,
                       void (*on_drained)(void *owner), void *owner);

/* What a handler may ask of a request.  All that is returned is lent until the reply. */
void *http_owner(const struct http_request *request);
struct arena *http_arena(struct http_request *request);
const char *http_method(const struct http_request *request);
const char *http_path(const struct http_request *request); /* decoded path without the query */
const struct http_route *http_route(const struct http_request *request); /* NULL: none matched */
/* "GET, HEAD, OPTIONS": what its path answers to; NULL: there is no such path. */
const char *http_methods(struct http_request *request);
const char *http_param(const struct http_request *request, const char *name); /* of the route */
const char *http_query(const struct http_request *request,
                       const char *name); /* percent-decoded or NULL */
/* Of the query's parameter number `index` (from 0), decoded; NULL: there are not so many. */
const char *http_query_name(const struct http_request *request, int index);
const char *http_query_value(const struct http_request *request, int index);
const char *http_header(const struct http_request *request, const char *name); /* first, or NULL */
/* The same, but also of a head that was refused before its fields were understood (400, 431). */
const char *http_header_early(struct http_request *request, const char *name);
int http_header_count(const struct http_request *request, const char *name);
const char *http_body(const struct http_request *request, size_t *length); /* NUL-terminated */
const char *http_id(
    const struct http_request *request); /* our Request-Id, "req_…": sent with every answer */
uint64_t http_received_ns(const struct http_request *request); /* monotonic: head complete */
bool http_is_gone(const struct http_request *request); /* the client has left: a reply is dropped */
/* For long polls and streams: tells once, on the loop, when the client leaves before the reply.
 * NULL unsets.  A client that has shut its sending side counts as leaving here, since nothing else
 * shows that it has closed; should it still read, it gets the reply all the same, so the best a
 * handler can do is to reply at once.  (http_is_gone is true only when a reply cannot arrive.) */
void http_on_gone(struct http_request *request,
                  void (*on_gone)(struct http_request *request, void *data), void *data);

/* The answer.  Header values must not contain CR or LF (asserted). */
void http_reply_header(struct http_request *request, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void http_reply_close(struct http_request *request); /* this answer is the connection's last */
/* Push-back: for a quarter of a second nothing more is read from its connection. */
void http_reply_hold(struct http_request *request);
/* content_type NULL: no body (204, 304).  The body is copied.  Ends the request. */
void http_reply(struct http_request *request, int status, const char *content_type,
                const void *body, size_t length);

/* A chunked answer, for streams: begin, any number of writes, end.  write returns false when the
 * client has left or its unread bytes exceed the limit (then end it). */
void http_stream_begin(struct http_request *request, int status, const char *content_type);
bool http_stream_write(struct http_request *request, const void *bytes, size_t length);
void http_stream_end(struct http_request *request);

/* For fault simulation (ops/sandbox): the connection ends here.  bytes (may be NULL) are written
 * raw first; reset: RST instead of FIN.  Ends the request. */
void http_abort(struct http_request *request, const void *bytes, size_t length, bool reset);
