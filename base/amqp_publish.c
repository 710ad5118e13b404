#include "base/amqp_publish.h"

#include <string.h>

#include "base/memory.h"

static const char *copy_text(char **free_at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*free_at, text, size);

    *free_at += size;
    return copy;
}

static size_t size_of(const struct amqp_message *message)
{
    size_t size = strlen(message->routing_key) + strlen(message->message_id) +
                  strlen(message->type) + strlen(message->content_type) + 4;

    for (int i = 0; i < message->header_count; i++)
        size += sizeof(struct amqp_header) + strlen(message->headers[i].name) +
                strlen(message->headers[i].value) + 2;
    return size + message->body_length;
}

/* One allocation: the struct, the headers, then all that they point to. */
struct amqp_publish *amqp_publish_copy(const struct amqp_message *message)
{
    struct amqp_publish *publish = xcalloc(1, sizeof(*publish) + size_of(message));
    struct amqp_header *headers = (struct amqp_header *)(publish + 1);
    char *free_at = (char *)(headers + message->header_count);

    publish->message = *message;
    publish->message.headers = headers;
    for (int i = 0; i < message->header_count; i++) {
        headers[i].name = copy_text(&free_at, message->headers[i].name);
        headers[i].value = copy_text(&free_at, message->headers[i].value);
    }
    publish->message.routing_key = copy_text(&free_at, message->routing_key);
    publish->message.message_id = copy_text(&free_at, message->message_id);
    publish->message.type = copy_text(&free_at, message->type);
    publish->message.content_type = copy_text(&free_at, message->content_type);
    if (message->body_length > 0)
        memcpy(free_at, message->body, message->body_length);
    publish->message.body = free_at;
    return publish;
}
