#include "api/webhook_event.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "schema/canonical_json.h"

/* Whose task has to look, and the state that the books may have by then already. */
static const struct {
    const char *type;
    enum stage stage;
    enum attempt_state says;
} looked_at[] = {
    {"payment_intent.succeeded", STAGE_PAYMENT, ATTEMPT_CAPTURED},
    {"payment_intent.payment_failed", STAGE_PAYMENT, ATTEMPT_DECLINED},
    {"payment_intent.requires_action", STAGE_PAYMENT, ATTEMPT_REQUIRES_ACTION},
    {"payment_intent.canceled", STAGE_PAYMENT, ATTEMPT_VOIDED},
    {"payment_intent.processing", STAGE_PAYMENT, ATTEMPT_NONE},
    {"payment_intent.amount_capturable_updated", STAGE_PAYMENT, ATTEMPT_NONE},
    {"charge.refunded", STAGE_REFUND, ATTEMPT_NONE},
    {"charge.refund.updated", STAGE_REFUND, ATTEMPT_NONE},
    {"refund.updated", STAGE_REFUND, ATTEMPT_NONE},
    {"refund.failed", STAGE_REFUND, ATTEMPT_NONE},
};

static bool is_visible(const char *text)
{
    for (; *text; text++)
        if (*text < '!' || *text > '~')
            return false;
    return true;
}

/* A text of visible ASCII that fits.  False: it is none. */
static bool read_text(const json_t *object, const char *name, char *text, size_t size)
{
    const char *value = json_string_value(json_object_get(object, name));

    if (value == NULL || *value == '\0' || !is_visible(value) || strlen(value) >= size)
        return false;
    snprintf(text, size, "%s", value);
    return true;
}

static void read_stage(struct inbox_event *event)
{
    for (size_t i = 0; i < ARRAY_SIZE(looked_at); i++) {
        if (strcmp(looked_at[i].type, event->type) != 0)
            continue;
        event->stage = looked_at[i].stage;
        event->says = looked_at[i].says;
    }
}

static void read_order(const json_t *object, struct inbox_event *event)
{
    const char *order =
        json_string_value(json_object_get(json_object_get(object, "metadata"), "order_id"));

    event->has_order = order && order_id_parse(&event->order_id, order);
}

bool webhook_event_read(const char *body, size_t length, struct inbox_event *event,
                        struct fault *fault)
{
    CLEANUP(json_release) json_t *root = json_read(body, length, fault);
    const json_t *object = json_object_get(json_object_get(root, "data"), "object");
    const char *kind = json_string_value(json_object_get(object, "object"));

    memset(event, 0, sizeof(*event));
    if (root == NULL)
        return false;
    if (!read_text(root, "id", event->id, sizeof(event->id)) ||
        !read_text(root, "type", event->type, sizeof(event->type)) || kind == NULL)
        return fail(fault, FAULT_REFUSED, "it is no event: id, type or data.object is missing");
    read_stage(event);
    if (!read_text(object, strcmp(kind, "payment_intent") == 0 ? "id" : "payment_intent",
                   event->intent_id, sizeof(event->intent_id)))
        event->stage = STAGE_NONE;
    read_order(object, event);
    return true;
}
