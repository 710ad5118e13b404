#include "tests/base/http/transcript.h"

#include <stdlib.h>
#include <string.h>

struct reader {
    struct http_parser parser;
    struct http_message message;
    struct text *transcript;
    bool is_refused, is_begun;
};

static void add_message(struct reader *reader)
{
    const struct http_message *message = &reader->message;

    text_print(reader->transcript, "%s %s", message->method, message->target);
    for (int i = 0; i < message->field_count; i++) {
        if (strcasecmp(message->fields[i].name, "Host") != 0 &&
            strcasecmp(message->fields[i].name, "Content-Length") != 0 &&
            strcasecmp(message->fields[i].name, "Transfer-Encoding") != 0)
            text_print(reader->transcript, " %s=%s", message->fields[i].name,
                       message->fields[i].value);
    }
    text_add(reader->transcript, " [");
    text_add_bytes(reader->transcript, message->body.bytes, message->body.length);
    text_print(reader->transcript, "]%s; ", message->keeps_alive ? "" : " close");
}

static void begin(struct reader *reader)
{
    http_message_clear(&reader->message);
    http_parser_begin(&reader->parser, &reader->message);
    reader->is_begun = true;
}

static void feed(struct reader *reader, const char *bytes, size_t length)
{
    enum http_parser_event event;
    size_t used = 0;

    while (used < length && !reader->is_refused) {
        if (!reader->is_begun)
            begin(reader);
        used += http_parser_feed(&reader->parser, bytes + used, length - used, &event);
        if (event == HTTP_PARSER_MESSAGE) {
            add_message(reader);
            reader->is_begun = false;
        } else if (event == HTTP_PARSER_REFUSED) {
            text_print(reader->transcript, "refused %d; ", reader->parser.refusal.status);
            reader->is_refused = true;
        }
    }
}

static void feed_copy(struct reader *reader, const char *bytes, size_t length)
{
    char *copy = xrealloc(NULL, length);

    if (length > 0)
        memcpy(copy, bytes, length);
    feed(reader, copy, length);
    free(copy);
}

void transcript_add(struct text *transcript, const struct http_parser_limits *limits,
                    const char *bytes, size_t length, const size_t *cuts, size_t cut_count)
{
    struct reader reader = {.transcript = transcript};
    size_t at = 0;

    http_message_init(&reader.message);
    http_parser_init(&reader.parser, limits);
    for (size_t i = 0; i < cut_count; i++) {
        feed_copy(&reader, bytes + at, cuts[i] - at);
        at = cuts[i];
    }
    feed_copy(&reader, bytes + at, length - at);
    if (reader.is_begun && !reader.is_refused)
        text_add(transcript, "more");
    http_message_finish(&reader.message);
}
