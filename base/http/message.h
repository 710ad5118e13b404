/* base/http/message.h - one request as it was received: head, fields, body
 *
 * Owns the bytes; its strings point into them.  Kept in the request's pool, so that a request
 * normally allocates nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/text.h"

struct http_field {
    const char *name, *value;
    size_t name_length, value_length;
};

struct http_message {
    struct text head, body;
    struct http_field *fields;
    int field_count, field_room;

    /* Set when the head is complete and was found good; "" before. */
    const char *method, *target;
    bool is_http_1_0, keeps_alive, expects_continue, is_chunked;
    uint64_t content_length;
};

void http_message_init(struct http_message *message);
void http_message_clear(
    struct http_message *message); /* for the next request; keeps what is small */
void http_message_finish(struct http_message *message);

/* First field of that name (case does not matter), or NULL. */
const struct http_field *http_message_field(const struct http_message *message, const char *name);
int http_message_count(const struct http_message *message, const char *name);
