#include "queue/dead_message.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

bool dead_message_parse(const void *body, size_t length, struct order_id *order, enum stage *stage,
                        struct fault *fault)
{
    json_error_t error;
    json_t *root = json_loadb(body, length, JSON_REJECT_DUPLICATES, &error);
    const char *id = json_string_value(json_object_get(root, "order"));
    const char *name = json_string_value(json_object_get(root, "stage"));
    bool is_hint = id && name && order_id_parse_uuid(order, id) && stage_parse(name, stage);

    if (root == NULL)
        fail(fault, FAULT_REFUSED, "not JSON: %s", error.text);
    else if (!is_hint)
        fail(fault, FAULT_REFUSED, "JSON, but no hint: it must have an order (uuid) and a stage");
    json_decref(root);
    return is_hint;
}

static void add_printable(struct text *json, const char *name, const char *bytes, size_t length)
{
    char copy[DEAD_MESSAGE_BODY_MAX + 1];

    if (length > DEAD_MESSAGE_BODY_MAX)
        length = DEAD_MESSAGE_BODY_MAX;
    for (size_t i = 0; i < length; i++)
        copy[i] = isprint((unsigned char)bytes[i]) ? bytes[i] : '?';
    copy[length] = '\0';
    log_redact(copy);
    text_print(json, "\"%s\":", name);
    text_add_json(json, copy);
    text_add(json, ",");
}

static void add_text(struct text *json, const char *name, const char *value)
{
    add_printable(json, name, value, strlen(value));
}

void dead_message_describe(const struct amqp_delivery *delivery, struct text *json)
{
    text_add(json, "{");
    add_text(json, "message_id", delivery->message_id);
    add_text(json, "type", delivery->type);
    add_text(json, "routing_key", delivery->routing_key);
    add_printable(json, "body", delivery->body, delivery->body_length);
    text_print(json, "\"body_bytes\":%zu}", delivery->body_length);
}
