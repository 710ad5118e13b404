/* base/http/internal.h - what the server's own files share; nobody else includes it
 *
 *     http_server ──< http_connection ──< http_request, first in, first answered
 *
 * Replies only change memory and wake their connection; all that touches the socket (writing,
 * reading on, closing) happens in http_connection_turn, once a loop turn, outside every handler.
 */
#pragma once

#include <sys/queue.h>
#include <uv.h>

#include "base/http/deadline.h"
#include "base/http/message.h"
#include "base/http/parser.h"
#include "base/http/router.h"
#include "base/http/server.h"
#include "base/http/target.h"
#include "base/http/tls.h"
#include "base/text.h"

enum http_request_stage {
    HTTP_REQUEST_RECEIVING,
    HTTP_REQUEST_HANDLING,
    HTTP_REQUEST_STREAMING,
    HTTP_REQUEST_ENDED, /* kept until the answers before it are out */
};

enum http_ending { HTTP_END_GENTLY, HTTP_END_RESET };

enum { HTTP_ID_SIZE = sizeof("req_0123456789abcdef0123456789") };

struct http_request {
    STAILQ_ENTRY(http_request) link; /* of its connection, or of the server's pool */
    struct http_server *server;
    struct http_connection *connection; /* NULL: gone */
    enum http_request_stage stage;
    struct http_message message;
    struct http_target target;
    const char *path;
    struct http_match match;
    struct arena arena;
    uint64_t received_ns;
    char id[HTTP_ID_SIZE];

    struct text fields; /* of the answer, as http_reply_header gave them */
    struct text answer; /* rendered while an earlier request is not answered yet */
    int status;
    bool is_last;      /* the connection ends after this answer */
    bool is_unchunked; /* a stream to an HTTP/1.0 client: its end is the connection's */
    bool is_aborted;
    bool is_being_lost; /* on the server's list `lost`; destroyed from there */
    enum http_ending ending;
    void (*on_gone)(struct http_request *request, void *data);
    void *on_gone_data;
};

STAILQ_HEAD(http_request_list, http_request);

struct http_request *http_request_create(struct http_server *server,
                                         struct http_connection *connection);
void http_request_destroy(struct http_request *request); /* into the pool */
void http_request_dispatch(struct http_request *request);
void http_request_refuse(struct http_request *request, const struct http_refusal *refusal);

enum http_connection_state {
    HTTP_CONNECTION_HANDSHAKE, /* TLS is not agreed yet */
    HTTP_CONNECTION_IDLE,      /* no byte of a next request is here */
    HTTP_CONNECTION_HEAD,      /* part of a head is */
    HTTP_CONNECTION_BODY,      /* a head is, part of its body may be */
    HTTP_CONNECTION_FULL,      /* too much is unanswered or unwritten: what comes has to wait */
    HTTP_CONNECTION_LAST,      /* no further request is read; closes when all is answered */
    HTTP_CONNECTION_LINGER,    /* our side is shut; reads until the client has closed too */
    HTTP_CONNECTION_CLOSED,
};

struct http_connection {
    uv_tcp_t tcp;
    struct http_server *server;
    enum http_connection_state state;
    TAILQ_ENTRY(http_connection) link;
    TAILQ_ENTRY(http_connection) turn_link;
    bool on_turn;

    struct http_parser parser;
    struct http_request *receiving; /* NULL: no byte of it has come */
    struct http_request_list requests;
    int request_count;
    SSL *tls;           /* NULL: plain */
    bool is_tls_over;   /* nothing can be sealed any more */
    struct text sealed; /* what is to be written of it */
    struct text input;  /* read, and has to wait */

    struct text output;    /* to be written at the end of the turn */
    struct text in_flight; /* what the kernel did not take at once */
    uv_write_t write;
    uv_shutdown_t shutdown;
    size_t queued_bytes; /* of in_flight, when its deadline was last set */

    struct http_deadline reading, writing, holding;
    enum http_ending ending;
    bool is_reading, is_writing;
    bool peer_ended; /* the client has shut its side; it may still read */
    bool is_broken;  /* a write failed */
    bool is_surplus; /* over the limit: its first request is answered 503 */
};

TAILQ_HEAD(http_connection_list, http_connection);

bool http_connection_accept(struct http_server *server, bool is_surplus);
void http_connection_begin(struct http_connection *connection); /* requests may come now */
void http_connection_turn(struct http_connection *connection);
void http_connection_wake(struct http_connection *connection); /* a turn, soon */
void http_connection_on_answered(struct http_connection *connection);
void http_connection_stop(struct http_connection *connection); /* nothing more is read */
void http_connection_drain(struct http_connection *connection);
void http_connection_close(struct http_connection *connection, enum http_ending ending);
void http_connection_on_deadline(struct http_deadline *deadline);
void http_connection_on_held(struct http_deadline *deadline);
void http_connection_enter(struct http_connection *connection, enum http_connection_state state);
void http_connection_receive(struct http_connection *connection, const char *bytes, size_t length);
/* connection_write.c: what goes to the socket, as far as it takes it, and a client that takes
 * nothing */
void http_connection_flush(struct http_connection *connection);
void http_connection_on_write_deadline(struct http_deadline *deadline);
/* connection_tls.c: what TLS makes of bytes that come, and of what is to be written */
void http_connection_receive_sealed(struct http_connection *connection, const char *bytes,
                                    size_t length);
struct text *http_connection_seal(struct http_connection *connection);
/* TLS has a last word, so that the client knows that nothing was cut off.  False: it is not out. */
bool http_connection_say_end(struct http_connection *connection);

/* The requests of a connection, in the order of their answers (answers.c). */
void http_answers_push(struct http_connection *connection, struct http_request *request);
/* Where its answer is to be written: the socket's output, or aside until its turn comes. */
struct text *http_answers_output(struct http_connection *connection, struct http_request *request);
/* Bytes of it (and before it) that the client has not taken. */
size_t http_answers_unread(const struct http_connection *connection,
                           const struct http_request *request);
void http_answers_advance(struct http_connection *connection); /* a request ended */
/* The client shut its side, and may still read: who asked is told. */
void http_answers_tell_leaving(struct http_connection *connection);
/* Nobody reads the answers any more; who asked is told at the end of the turn. */
void http_answers_lose(struct http_connection *connection);
void http_answers_tell_lost(struct http_server *server);

enum http_deadline_kind {
    HTTP_WAIT_IDLE,
    HTTP_WAIT_HEAD,
    HTTP_WAIT_BODY,
    HTTP_WAIT_LINGER,
    HTTP_WAIT_WRITE,
    HTTP_WAIT_HOLD
};

enum {
    HTTP_READ_BYTES = 64 * 1024,
    HTTP_PLAIN_BYTES = 16 * 1024,      /* a record of TLS */
    HTTP_OUTPUT_BYTES_MAX = 64 * 1024, /* unwritten answers that stop reading */
    HTTP_SPARES_MAX = 256,
    HTTP_SPARE_BYTES_MAX = 16 * 1024,
};

struct http_server {
    uv_loop_t *loop;
    uv_tcp_t listener;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_timer_t grace;
    uv_timer_t surplus; /* when the next one that is too many may be told so */
    uint64_t turned_away_ms;
    struct http_deadlines deadlines;
    struct http_server_options options;
    struct http_parser_limits parser_limits;

    struct http_connection_list connections, turn;
    struct http_request_list lost; /* their clients are gone, and nobody was told yet */
    int connection_count;
    bool has_pending; /* a connection waits in the listener until one closes, or all may come */
    bool is_pausing;  /* none is accepted for now */
    bool is_draining, is_over;
    int handles_open, requests_alive;
    void (*on_drained)(void *owner);
    void *on_drained_owner;

    struct http_request_list spare_requests;
    int spare_request_count;
    struct text spare_texts[HTTP_SPARES_MAX];
    int spare_text_count;
    char date[sizeof("Date: Mon, 23 Nov 2026 14:00:00 GMT\r\n")];
    uint64_t date_at_ms;
    uint64_t warned_at_ms; /* 0: never */
    uint64_t id_prefix, id_next;
    char read_buffer[HTTP_READ_BYTES], plain_buffer[HTTP_PLAIN_BYTES];
};

struct text http_server_take_text(struct http_server *server);
void http_server_give_text(struct http_server *server, struct text *text);
const char *http_server_date(struct http_server *server); /* a whole header line */
void http_server_on_closed_connection(struct http_server *server);
void http_server_release(struct http_server *server); /* frees it if it is over and not needed */
