#include "api/admin/names.h"

#include <stdlib.h>
#include <string.h>

#include "api/admin/admin.h"
#include "schema/order_state.h"

static const char *status_of(int number)
{
    return order_status_name((enum order_status)number);
}

static const char *stage_of(int number)
{
    return stage_name((enum stage)number);
}

static const char *task_state_of(int number)
{
    return task_state_name((enum task_state)number);
}

static const char *attempt_state_of(int number)
{
    return attempt_state_name((enum attempt_state)number);
}

static const char *refund_state_of(int number)
{
    static const char *const names[] = {
        [REFUND_NONE] = "none",         [REFUND_OPENED] = "opened",   [REFUND_SENT] = "sent",
        [REFUND_ACCEPTED] = "accepted", [REFUND_UNKNOWN] = "unknown", [REFUND_MADE] = "made",
        [REFUND_REFUSED] = "refused",
    };

    return number >= 0 && (size_t)number < ARRAY_SIZE(names) ? names[number] : "?";
}

static const struct {
    const char *key;
    const char *(*name)(int number);
} numbers[] = {
    {"status", status_of},
    {"stage", stage_of},
    {"task_state", task_state_of},
    {"attempt_state", attempt_state_of},
    {"refund_state", refund_state_of},
};

static void name_object(json_t *object)
{
    const char *uuid = json_string_value(json_object_get(object, "order"));
    char id_text[ORDER_ID_TEXT_SIZE];
    struct order_id id;

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        const json_t *value = json_object_get(object, numbers[i].key);

        if (json_is_integer(value))
            json_object_set_new(object, numbers[i].key,
                                json_string(numbers[i].name((int)json_integer_value(value))));
    }
    if (uuid && order_id_parse_uuid(&id, uuid)) {
        order_id_format(&id, id_text);
        json_object_set_new(object, "order", json_string(id_text));
    }
}

static void name_all(json_t *value)
{
    const char *key;
    json_t *child;
    size_t index;

    if (json_is_array(value)) {
        json_array_foreach(value, index, child) name_all(child);
    } else if (json_is_object(value)) {
        name_object(value);
        json_object_foreach(value, key, child) name_all(child);
    }
}

void admin_reply_value(struct http_request *request, json_t *value)
{
    char *named;

    name_all(value);
    named = json_dumps(value, JSON_COMPACT);
    admin_reply_json(request, 200, named ? named : "null");
    free(named);
    json_decref(value);
}

void admin_reply_named(struct http_request *request, const char *json)
{
    admin_reply_value(request, json_loads(json, 0, NULL));
}
