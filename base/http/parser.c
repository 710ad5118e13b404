#include "base/http/parser.h"

#include <string.h>

#include "base/http/head.h"

/* A chunk-size line or a trailer field; all extensions of one body.  RFC 9112 §7.1.1 asks for a
 * bound and for ignoring what is within it. */
enum { FRAMING_LINE_BYTES_MAX = 1024, EXTENSION_BYTES_MAX = 2048 };

static size_t feed_head(struct http_parser *parser, const char *bytes, size_t length,
                        enum http_parser_event *event);
static enum http_parser_event end_head(struct http_parser *parser);
static bool parse_head(struct http_parser *parser);
static size_t feed_body(struct http_parser *parser, const char *bytes, size_t length,
                        enum http_parser_event *event);
static const llhttp_settings_t callbacks;

void http_parser_init(struct http_parser *parser, const struct http_parser_limits *limits)
{
    *parser = (struct http_parser){.limits = limits};
}

void http_parser_begin(struct http_parser *parser, struct http_message *message)
{
    parser->message = message;
    message->head.length_max = parser->limits->head_bytes_max;
    message->body.length_max = parser->limits->body_bytes_max;
    http_guard_init(&parser->guard);
    llhttp_init(&parser->llhttp, HTTP_REQUEST, &callbacks);
    parser->in_body = parser->saw_empty_line = false;
    parser->url = NULL;
    parser->extension_bytes = parser->trailer_bytes = 0;
    parser->refusal = (struct http_refusal){0};
}

size_t http_parser_feed(struct http_parser *parser, const char *bytes, size_t length,
                        enum http_parser_event *event)
{
    size_t used = 0;

    *event = HTTP_PARSER_MORE;
    while (used < length && *event == HTTP_PARSER_MORE) {
        if (parser->in_body)
            used += feed_body(parser, bytes + used, length - used, event);
        else
            used += feed_head(parser, bytes + used, length - used, event);
    }
    return used;
}

static bool malformed(struct http_parser *parser, const char *detail)
{
    return http_head_refuse(&parser->refusal, 400, "malformed_request", detail);
}

static bool refuse_long_head(struct http_parser *parser)
{
    if (parser->guard.lines == 0)
        return http_head_refuse(&parser->refusal, 414, "target_too_long",
                                "The request line is longer than the head may be.");
    return http_head_refuse(&parser->refusal, 431, "head_too_large",
                            "The request head is larger than this server reads.");
}

static size_t feed_head(struct http_parser *parser, const char *bytes, size_t length,
                        enum http_parser_event *event)
{
    struct text *head = &parser->message->head;
    size_t room = parser->limits->head_bytes_max - head->length, used = 0;
    const char *detail = NULL;
    enum http_guard_verdict verdict =
        http_guard_scan(&parser->guard, bytes, length < room ? length : room, &used, &detail);

    text_add_bytes(head, bytes, used);
    switch (verdict) {
    case HTTP_GUARD_BAD:
        malformed(parser, detail);
        *event = HTTP_PARSER_REFUSED;
        break;
    case HTTP_GUARD_EMPTY_LINE:
        *event = end_head(parser);
        break;
    case HTTP_GUARD_MORE:
        if (head->length == parser->limits->head_bytes_max) {
            refuse_long_head(parser);
            *event = HTTP_PARSER_REFUSED;
        }
        break;
    }
    return used;
}

/* One empty line before a request is forgiven (RFC 9112 §2.2). */
static enum http_parser_event end_head(struct http_parser *parser)
{
    if (parser->guard.lines == 0) {
        text_clear(&parser->message->head);
        if (!parser->saw_empty_line) {
            parser->saw_empty_line = true;
            return HTTP_PARSER_MORE;
        }
        malformed(parser, "Empty lines where a request should begin.");
        return HTTP_PARSER_REFUSED;
    }
    if (!parse_head(parser))
        return HTTP_PARSER_REFUSED;
    if (!parser->message->is_chunked && parser->message->content_length == 0)
        return HTTP_PARSER_MESSAGE;
    parser->in_body = true;
    http_guard_init(&parser->guard);
    parser->guard.line_bytes_max = FRAMING_LINE_BYTES_MAX;
    return HTTP_PARSER_HEAD;
}

/* The parser was stopped by us at the end of a message, or needs more. */
static bool run_llhttp(struct http_parser *parser)
{
    struct text *head = &parser->message->head;

    switch (llhttp_execute(&parser->llhttp, head->bytes, head->length)) {
    case HPE_OK:
    case HPE_PAUSED:
        return true;
    case HPE_INVALID_METHOD:
        return http_head_refuse(&parser->refusal, 501, "method_not_implemented",
                                "This server does not know the method.");
    default:
        return parser->refusal.status == 0 &&
               malformed(parser, llhttp_get_error_reason(&parser->llhttp));
    }
}

static void make_field_room(struct http_message *message, int count)
{
    if (count > message->field_room) {
        message->field_room = count > 16 ? count : 16;
        message->fields =
            xrealloc(message->fields, (size_t)message->field_room * sizeof(*message->fields));
    }
}

static void cut(struct http_message *message, const char *at)
{
    message->head.bytes[at - message->head.bytes] = '\0';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The parser is done with the bytes: every name and value becomes a string. */
static void cut_fields(struct http_message *message)
{
    for (int i = 0; i < message->field_count; i++) {
        struct http_field *field = &message->fields[i];

        while (field->value_length > 0 && is_blank(field->value[field->value_length - 1]))
            field->value_length--;
        if (field->value_length == 0) /* llhttp may have pointed into the next line */
            field->value = field->name + field->name_length;
        cut(message, field->name + field->name_length);
        cut(message, field->value + field->value_length);
    }
}

/* What the two parsers understood must be the same. */
static bool agree(struct http_parser *parser, const char *target, size_t target_length, int fields)
{
    const struct http_message *message = parser->message;
    bool chunked = (parser->llhttp.flags & F_CHUNKED) != 0;

    if (parser->url != target || parser->url_length != target_length ||
        message->field_count != fields)
        return malformed(parser, "The head can be read in two ways.");
    if (!http_head_check_fields(parser->message, &parser->refusal))
        return false;
    if (chunked != message->is_chunked || parser->llhttp.content_length != message->content_length)
        return malformed(parser, "The length of the body can be read in two ways.");
    if (message->content_length > parser->limits->body_bytes_max)
        return http_head_refuse(&parser->refusal, 413, "body_too_large",
                                "The body is larger than this server reads.");
    return true;
}

static bool parse_head(struct http_parser *parser)
{
    struct http_message *message = parser->message;
    struct text *head = &message->head;
    size_t target_at, target_length;
    int fields = parser->guard.lines - 1;
    const char *line_end = memchr(head->bytes, '\r', head->length);

    if (!http_head_check_line(head->bytes, (size_t)(line_end - head->bytes), message, &target_at,
                              &target_length, &parser->refusal))
        return false;
    if (fields > parser->limits->fields_max)
        return http_head_refuse(&parser->refusal, 431, "too_many_fields",
                                "The request head has more fields than this server reads.");
    make_field_room(message, fields);
    if (!run_llhttp(parser)) {
        message->field_count = 0;
        return false;
    }
    cut_fields(message);
    cut(message, head->bytes + target_at - 1);
    cut(message, head->bytes + target_at + target_length);
    message->method = head->bytes;
    message->target = head->bytes + target_at;
    return agree(parser, message->target, target_length, fields);
}

/* What of the bytes at hand is framing, up to `end`, is shown to the guard. */
static bool guard_framing(struct http_parser *parser, const char *end)
{
    const char *detail;
    size_t used;

    while (parser->message->is_chunked && parser->unguarded < end) {
        if (http_guard_scan(&parser->guard, parser->unguarded, (size_t)(end - parser->unguarded),
                            &used, &detail) == HTTP_GUARD_BAD)
            return malformed(parser, detail);
        parser->unguarded += used;
    }
    return true;
}

static size_t feed_body(struct http_parser *parser, const char *bytes, size_t length,
                        enum http_parser_event *event)
{
    enum llhttp_errno error;
    const char *end = bytes + length;

    parser->unguarded = bytes;
    error = llhttp_execute(&parser->llhttp, bytes, length);
    if (error == HPE_PAUSED)
        end = llhttp_get_error_pos(&parser->llhttp);
    if (error != HPE_OK && error != HPE_PAUSED) {
        if (parser->refusal.status == 0)
            malformed(parser, llhttp_get_error_reason(&parser->llhttp));
        *event = HTTP_PARSER_REFUSED;
    } else if (!guard_framing(parser, end)) {
        *event = HTTP_PARSER_REFUSED;
    } else if (error == HPE_PAUSED) {
        *event = HTTP_PARSER_MESSAGE;
    }
    return (size_t)(end - bytes);
}

/* llhttp's callbacks: 0 goes on, -1 refuses. */

static int on_url(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *parser = container_of(llhttp, struct http_parser, llhttp);

    if (parser->url == NULL) {
        parser->url = at;
        parser->url_length = 0;
    }
    if (at != parser->url + parser->url_length)
        return -1;
    parser->url_length += length;
    return 0;
}

/* The trailer is read over: what it says came too late to be checked. */
static int count_trailer(struct http_parser *parser, size_t length)
{
    parser->trailer_bytes += length;
    if (parser->trailer_bytes <= parser->limits->head_bytes_max)
        return 0;
    http_head_refuse(&parser->refusal, 431, "head_too_large", "The trailer is too large.");
    return -1;
}

static int on_name(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *parser = container_of(llhttp, struct http_parser, llhttp);
    struct http_message *message = parser->message;
    struct http_field *last = message->fields + message->field_count - 1;

    if (parser->in_body)
        return count_trailer(parser, length);
    if (message->field_count > 0 && last->value == NULL && last->name + last->name_length == at) {
        last->name_length += length;
        return 0;
    }
    if (message->field_count == message->field_room)
        return -1;
    message->fields[message->field_count++] = (struct http_field){at, NULL, length, 0};
    return 0;
}

static int on_value(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *parser = container_of(llhttp, struct http_parser, llhttp);
    struct http_message *message = parser->message;
    struct http_field *last = message->fields + message->field_count - 1;

    if (parser->in_body)
        return count_trailer(parser, length);
    if (message->field_count == 0)
        return -1;
    if (last->value == NULL)
        last->value = at;
    if (last->value + last->value_length != at)
        return -1;
    last->value_length += length;
    return 0;
}

/* An upgrade is never taken (RFC 9110 §7.8 lets us): the message is an ordinary one. */
static int on_headers_complete(llhttp_t *llhttp)
{
    struct http_parser *parser = container_of(llhttp, struct http_parser, llhttp);

    parser->message->keeps_alive = llhttp_should_keep_alive(llhttp);
    llhttp->upgrade = 0;
    if (llhttp->method != HTTP_CONNECT)
        return 0;
    http_head_refuse(&parser->refusal, 501, "method_not_implemented", "This server is no proxy.");
    return -1;
}

static int refuse_body(struct http_parser *parser)
{
    http_head_refuse(&parser->refusal, 413, "body_too_large",
                     "The body is larger than this server reads.");
    return -1;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *parser = container_of(llhttp, struct http_parser, llhttp);
    struct text *body = &parser->message->body;

    if (!guard_framing(parser, at))
        return -1;
    parser->unguarded = at + length;
    text_add_bytes(body, at, length);
    return body->cut ? refuse_body(parser) : 0;
}

/* A chunk that cannot fit is refused by its size, before its bytes. */
static int on_chunk_header(llhttp_t *llhttp)
{
    struct http_parser *parser = container_of(llhttp, struct http_parser, llhttp);
    const struct text *body = &parser->message->body;

    return llhttp->content_length > body->length_max - body->length ? refuse_body(parser) : 0;
}

static int on_extension(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *parser = container_of(llhttp, struct http_parser, llhttp);

    (void)at;
    parser->extension_bytes += length;
    if (parser->extension_bytes <= EXTENSION_BYTES_MAX)
        return 0;
    malformed(parser, "The chunk extensions are too long.");
    return -1;
}

static int on_message_complete(llhttp_t *llhttp)
{
    (void)llhttp;
    return HPE_PAUSED;
}

static const llhttp_settings_t callbacks = {
    .on_url = on_url,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_header = on_chunk_header,
    .on_chunk_extension_name = on_extension,
    .on_chunk_extension_value = on_extension,
    .on_message_complete = on_message_complete,
};
