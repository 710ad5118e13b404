#include "base/http/message.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { KEPT_BYTES_MAX = 4096, KEPT_FIELDS_MAX = 64 };

void http_message_init(struct http_message *message)
{
    *message = (struct http_message){.method = "", .target = ""};
}

static void clear_text(struct text *text)
{
    if (text->room > KEPT_BYTES_MAX)
        text_finish(text);
    else
        text_clear(text);
}

void http_message_clear(struct http_message *message)
{
    struct http_message next = {.method = "", .target = ""};

    clear_text(&message->head);
    clear_text(&message->body);
    next.head = message->head;
    next.body = message->body;
    if (message->field_room > KEPT_FIELDS_MAX) {
        free(message->fields);
    } else {
        next.fields = message->fields;
        next.field_room = message->field_room;
    }
    *message = next;
}

void http_message_finish(struct http_message *message)
{
    text_finish(&message->head);
    text_finish(&message->body);
    free(message->fields);
    message->fields = NULL;
    message->field_count = message->field_room = 0;
}

static bool is_named(const struct http_field *field, const char *name, size_t length)
{
    return field->name_length == length && strncasecmp(field->name, name, length) == 0;
}

const struct http_field *http_message_field(const struct http_message *message, const char *name)
{
    size_t length = strlen(name);

    for (int i = 0; i < message->field_count; i++) {
        if (is_named(&message->fields[i], name, length))
            return &message->fields[i];
    }
    return NULL;
}

int http_message_count(const struct http_message *message, const char *name)
{
    size_t length = strlen(name);
    int count = 0;

    for (int i = 0; i < message->field_count; i++)
        count += is_named(&message->fields[i], name, length);
    return count;
}
