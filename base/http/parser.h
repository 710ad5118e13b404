/* base/http/parser.h - bytes to messages; knows nothing of sockets
 *
 *     HEAD ──(empty line)──► checked ──► BODY ──(as framed)──► complete
 *       └───────────────┴──────────────────┴──► refused (nothing after it may be parsed)
 *
 * Two parsers look at each head and must agree: the guard (raw bytes) on where lines end, llhttp
 * (strict) on what they say.  What comes out, and where the next message begins, does not depend on
 * how the bytes were cut into reads (tests/fuzz/http_framing_fuzz.c).
 */
#pragma once

#include <llhttp.h>

#include "base/http/guard.h"
#include "base/http/message.h"

struct http_parser_limits {
    size_t head_bytes_max, body_bytes_max;
    int fields_max;
};

struct http_refusal {
    int status;
    const char *code, *detail;
};

enum http_parser_event {
    HTTP_PARSER_MORE,    /* every byte was used; the message is not complete */
    HTTP_PARSER_HEAD,    /* the head is complete and good, a body follows */
    HTTP_PARSER_MESSAGE, /* complete */
    HTTP_PARSER_REFUSED, /* see refusal; the connection can carry nothing more */
};

struct http_parser {
    const struct http_parser_limits *limits;
    struct http_message *message;
    struct http_refusal refusal;

    /* Private. */
    llhttp_t llhttp;
    struct http_guard guard;
    bool in_body, saw_empty_line;
    const char *unguarded; /* of the bytes at hand: framing that the guard has not seen */
    const char *url;       /* as llhttp sees it */
    size_t url_length;
    size_t extension_bytes, trailer_bytes;
};

void http_parser_init(struct http_parser *parser, const struct http_parser_limits *limits);
/* The next message is built in `message`, which is clear. */
void http_parser_begin(struct http_parser *parser, struct http_message *message);
/* Returns how many bytes were used. */
size_t http_parser_feed(struct http_parser *parser, const char *bytes, size_t length,
                        enum http_parser_event *event);
