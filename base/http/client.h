/* base/http/client.h - calls to the outside, hundreds at once on one loop, never sent twice
 *
 * libcurl's multi_socket on libuv.  What a caller must know to act rightly is in the outcome:
 *
 *   NOT_SENT  no byte of the request left this process: the same call may be made again
 *   UNKNOWN   bytes were sent and no whole, well-framed answer came (time-out, reset, torn answer):
 *             perhaps it happened
 *   ANSWERED  status and body are complete
 *
 * libcurl repeats a request silently when a kept-alive connection dies before an answer; all but a
 * GET are stopped from it, with and without a body (base/http/client_transfer.h).  No redirects, no
 * Expect: 100-continue, no proxy from the environment; hosts are resolved by uv_getaddrinfo, not by
 * libcurl's threads.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/fault.h"

struct http_client;

enum http_call_outcome { HTTP_CALL_NOT_SENT, HTTP_CALL_UNKNOWN, HTTP_CALL_ANSWERED };

enum { HTTP_CALL_HEADERS_MAX = 12, HTTP_CALL_ANSWER_BYTES_MAX = 256 * 1024 };

/* The caller owns it and keeps it, and all it points to, until on_done. */
struct http_call {
    const char *method;                         /* "GET", "POST" */
    const char *url;                            /* http:// or https:// */
    const char *headers[HTTP_CALL_HEADERS_MAX]; /* "Name: value"; NULL ends */
    const char *body;                           /* NULL: none */
    size_t body_length;
    uint64_t connect_ms, total_ms; /* connect_ms: until a connection is ready, a wait for its turn
                                    * and for the name included; neither is 0 */
    /* Asked directly before the request is handed to the network (it may have waited for a
     * connection or a name): false stops it as NOT_SENT.  A worker checks its lease here.  It must
     * not call the client.  May be NULL. */
    bool (*may_send)(struct http_call *call);
    void (*on_done)(struct http_call *call); /* once, never from inside http_client_send */
    const char *point; /* kill points "<point>.call_before", ".call_sent", ".call_after" */

    /* The answer, valid during on_done. */
    enum http_call_outcome outcome;
    int status;
    const char *answer; /* NUL-terminated; a body over the limit makes the outcome UNKNOWN */
    size_t answer_length;
    int64_t retry_after_ms;              /* -1: none */
    bool should_retry, should_not_retry; /* Stripe-Should-Retry: true | false */
    char request_id[64];                 /* the other side's Request-Id, or "" */
    struct fault fault;                  /* of NOT_SENT and UNKNOWN */
    uint64_t took_us;

    void *private;
};

struct http_client_options {
    int connections_max; /* to one host; more calls wait for their turn */
    const char *ca_file; /* NULL: the system's */
};

struct http_client *http_client_create(uv_loop_t *loop, const struct http_client_options *options);
void http_client_send(struct http_client *client, struct http_call *call);
int http_client_open_calls(const struct http_client *client);
/* Ends every open call, for a process that has to stop: by the evidence NOT_SENT or UNKNOWN, code
 * "abandoned"; on_done comes from the loop's next turn.  Not from inside may_send. */
void http_client_abandon(struct http_client *client);
/* Only with no call open. */
void http_client_destroy(struct http_client *client);
