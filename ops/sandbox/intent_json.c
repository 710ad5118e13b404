/* How intents, refunds and refusals look in JSON, and back. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ops/sandbox/intent.h"

static void add_text(struct text *json, const char *name, const char *value)
{
    text_print(json, ",\"%s\":", name);
    if (value && *value)
        text_add_json(json, value);
    else
        text_add(json, "null");
}

static void add_number(struct text *json, const char *name, int64_t value)
{
    text_print(json, ",\"%s\":%" PRId64, name, value);
}

static void add_failure(struct text *json, const struct decline *failure)
{
    if (!failure) {
        text_add(json, ",\"last_payment_error\":null");
        return;
    }
    text_add(json, ",\"last_payment_error\":{\"type\":\"card_error\"");
    add_text(json, "code", failure->code);
    add_text(json, "decline_code", failure->decline_code);
    add_text(json, "advice_code", failure->advice);
    add_text(json, "message", failure->message);
    text_add(json, "}");
}

static void add_next_action(struct text *json, const struct intent *intent)
{
    if (intent->status != INTENT_REQUIRES_ACTION) {
        text_add(json, ",\"next_action\":null");
        return;
    }
    text_print(json,
               ",\"next_action\":{\"type\":\"redirect_to_url\",\"redirect_to_url\":{\"url\":"
               "\"https://sandbox.invalid/authenticate/%s\",\"return_url\":null}}",
               intent->id);
}

void intent_render(const struct intent *intent, struct text *json)
{
    text_print(json, "{\"id\":\"%s\",\"object\":\"payment_intent\"", intent->id);
    add_number(json, "amount", intent->amount);
    add_number(json, "amount_capturable", intent->capturable);
    add_number(json, "amount_received", intent->received);
    if (intent->canceled_s)
        add_number(json, "canceled_at", intent->canceled_s);
    else
        text_add(json, ",\"canceled_at\":null");
    add_text(json, "cancellation_reason", intent->cancellation_reason);
    add_text(json, "capture_method", intent->manual ? "manual" : "automatic");
    text_print(json, ",\"client_secret\":\"%s_secret_sandbox\"", intent->id);
    add_number(json, "created", intent->created_s);
    add_text(json, "currency", intent->currency);
    add_failure(json, intent->failure);
    add_text(json, "latest_charge", intent->charge);
    text_print(json, ",\"livemode\":false,\"metadata\":%s", intent->metadata);
    add_next_action(json, intent);
    add_text(json, "payment_method", intent->method);
    add_text(json, "status", intent_status_name(intent->status));
    text_add(json, "}");
}

void refund_render(const struct refund *refund, struct text *json)
{
    text_print(json, "{\"id\":\"%s\",\"object\":\"refund\"", refund->id);
    add_number(json, "amount", refund->amount);
    add_text(json, "charge", refund->intent->charge);
    add_number(json, "created", refund->created_s);
    add_text(json, "currency", refund->intent->currency);
    text_print(json, ",\"metadata\":%s", refund->metadata);
    add_text(json, "payment_intent", refund->intent->id);
    add_text(json, "reason", refund->reason);
    text_add(json, ",\"status\":\"succeeded\"}");
}

void refusal_render(const struct refusal *refusal, const struct intent *intent, struct text *json)
{
    text_print(json, "{\"error\":{\"type\":\"%s\"", refusal->type);
    if (refusal->code)
        add_text(json, "code", refusal->code);
    if (refusal->decline)
        add_text(json, "decline_code", refusal->decline->decline_code);
    if (refusal->decline && refusal->decline->advice)
        add_text(json, "advice_code", refusal->decline->advice);
    if (refusal->param)
        add_text(json, "param", refusal->param);
    add_text(json, "message", refusal->message);
    if (refusal->embeds_intent && intent) {
        text_add(json, ",\"payment_intent\":");
        intent_render(intent, json);
    }
    text_add(json, "}}");
}

/* --- and back ------------------------------------------------------------------------------ */

/* "" where there is none. */
static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text ? text : "";
}

static int64_t number_of(const json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}

static enum intent_status status_of(const json_t *json)
{
    const char *name = text_of(json, "status");
    enum intent_status status = INTENT_CANCELED;

    while (status > 0 && strcmp(intent_status_name(status), name) != 0)
        status--;
    return status;
}

static const struct decline *failure_of(const json_t *json)
{
    const json_t *failure = json_object_get(json, "last_payment_error");
    const char *code = text_of(failure, "decline_code");

    code = *code ? code : text_of(failure, "code");
    return *code ? decline_find(code) : NULL;
}

void intent_update(struct intent *intent, const json_t *json)
{
    intent->status = status_of(json);
    intent->capturable = number_of(json, "amount_capturable");
    intent->received = number_of(json, "amount_received");
    intent->canceled_s = number_of(json, "canceled_at");
    intent->failure = failure_of(json);
    snprintf(intent->charge, sizeof(intent->charge), "%s", text_of(json, "latest_charge"));
    snprintf(intent->method, sizeof(intent->method), "%s", text_of(json, "payment_method"));
    snprintf(intent->cancellation_reason, sizeof(intent->cancellation_reason), "%s",
             text_of(json, "cancellation_reason"));
}

struct intent *intent_restore(const json_t *json)
{
    const json_t *metadata = json_object_get(json, "metadata");
    char *rendered = json_dumps(metadata, JSON_COMPACT);
    struct intent *intent;

    if (!rendered)
        return NULL;
    intent = intent_create(number_of(json, "amount"), text_of(json, "currency"), "",
                           text_of(metadata, "order_id"), rendered);
    snprintf(intent->id, sizeof(intent->id), "%s", text_of(json, "id"));
    intent->manual = strcmp(text_of(json, "capture_method"), "manual") == 0;
    intent->created_s = number_of(json, "created");
    intent_update(intent, json);
    free(rendered);
    return intent;
}
