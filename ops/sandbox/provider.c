#include "ops/sandbox/provider.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ops/sandbox/provider_acts.h"
#include "ops/sandbox/sandbox.h"

static const int64_t key_lifetime_us = INT64_C(24) * 3600 * 1000000;

/* --- what the machinery refuses, in Stripe's words ----------------------------------------- */

static const struct refusal refusals[] = {
    [REFUSAL_RATE_LIMIT] = {429, "invalid_request_error", "rate_limit", NULL, NULL, false,
                            "Request rate limit exceeded."},
    [REFUSAL_UNAVAILABLE] = {503, "api_error", NULL, NULL, NULL, false,
                             "The provider is not available."},
    [REFUSAL_INTERNAL] = {500, "api_error", NULL, NULL, NULL, false, "An unknown error occurred."},
    [REFUSAL_KEY_IN_USE] = {409, "invalid_request_error", "idempotency_key_in_use", NULL, NULL,
                            false,
                            "There is currently another in-progress request using this Idempotent "
                            "Key. Please try again later."},
    [REFUSAL_KEY_REUSED] = {400, "idempotency_error", NULL, NULL, NULL, false,
                            "Keys for idempotent requests can only be used with the same "
                            "parameters they were first used with. Try using a key other than "
                            "this one if you meant to execute a different request."},
    [REFUSAL_KEY_TOO_LONG] = {400, "idempotency_error", NULL, NULL, NULL, false,
                              "An idempotency key has at most 255 characters."},
};

static int word_refusal(enum exchange_refusal refusal, struct text *body)
{
    refusal_render(&refusals[refusal], NULL, body);
    return refusals[refusal].status;
}

static void reply_refusal(struct http_request *request, int status, const char *message)
{
    CLEANUP(text_finish) struct text body;

    text_init(&body, SIZE_MAX / 2);
    text_add(&body, "{\"error\":{\"type\":\"invalid_request_error\",\"message\":");
    text_add_json(&body, message);
    text_add(&body, "}}");
    http_reply(request, status, "application/json", body.bytes, body.length);
}

/* --- from the request to the exchange ------------------------------------------------------ */

static bool is_authorised(const struct http_request *request)
{
    const char *value = http_header(request, "Authorization");

    return value && strncmp(value, "Bearer sk_", 10) == 0;
}

static struct intent *find_charged(const struct provider *provider, const char *charge)
{
    struct table_item *item = table_find(&provider->charges, charge);

    return item ? container_of(item, struct intent, by_charge) : NULL;
}

/* Refunds name their intent, or its charge, among the parameters. */
static void find_intent(struct http_request *request, struct provider_call *call)
{
    const char *id = http_param(request, "id");
    const char *charge = form_value(&call->form, "charge");

    if (!id)
        id = form_value(&call->form, "payment_intent");
    if (!id)
        id = http_query(request, "payment_intent");
    call->id = id ? id : "";
    call->intent = provider_find(call->provider, call->id);
    if (!id && charge)
        call->intent = find_charged(call->provider, charge);
}

static void begin(struct http_request *request, struct provider_call *call, enum op op,
                  void (*act)(struct exchange *exchange))
{
    struct exchange *exchange = exchange_create(call->provider->exchanges, request);
    const char *order = form_value(&call->form, "metadata[order_id]");
    const char *method = form_value(&call->form, "payment_method");

    exchange->side = &call->provider->side;
    exchange->op = op;
    exchange->parameters = form_canonical(&call->form, http_arena(request));
    exchange->subject = call;
    exchange->act = act;
    exchange->order = order ? order : "";
    exchange->method = method ? method : "";
    if (call->intent)
        exchange->order = call->intent->order;
    if (call->intent && !method)
        exchange->method = call->intent->method;
    exchange_begin(exchange);
}

static void handle(struct http_request *request, enum op op, void (*act)(struct exchange *exchange))
{
    struct sandbox *sandbox = http_owner(request);
    struct provider_call *call = arena_alloc(http_arena(request), sizeof(*call));
    struct fault fault;
    size_t length;
    const char *body = http_body(request, &length);

    if (!is_authorised(request)) {
        reply_refusal(request, 401, "No valid API key: send Authorization: Bearer sk_...");
        return;
    }
    if (!form_parse(&call->form, http_arena(request), body, length, &fault)) {
        reply_refusal(request, 400, fault.text);
        return;
    }
    call->provider = &sandbox->provider;
    find_intent(request, call);
    begin(request, call, op, act);
}

void provider_on_create(struct http_request *request)
{
    handle(request, OP_CREATE, act_create);
}

void provider_on_list(struct http_request *request)
{
    handle(request, OP_RETRIEVE, act_list);
}

void provider_on_retrieve(struct http_request *request)
{
    handle(request, OP_RETRIEVE, act_retrieve);
}

void provider_on_confirm(struct http_request *request)
{
    handle(request, OP_CONFIRM, act_confirm);
}

void provider_on_capture(struct http_request *request)
{
    handle(request, OP_CAPTURE, act_capture);
}

void provider_on_cancel(struct http_request *request)
{
    handle(request, OP_CANCEL, act_cancel);
}

void provider_on_refund(struct http_request *request)
{
    handle(request, OP_REFUND, act_refund);
}

void provider_on_list_refunds(struct http_request *request)
{
    handle(request, OP_RETRIEVE, act_list_refunds);
}

void provider_on_retrieve_refund(struct http_request *request)
{
    handle(request, OP_RETRIEVE, act_retrieve_refund);
}

/* --- outside of calls ---------------------------------------------------------------------- */

struct intent *provider_find(const struct provider *provider, const char *id)
{
    struct table_item *item = table_find(&provider->intents, id);

    return item ? container_of(item, struct intent, by_id) : NULL;
}

bool provider_finish_action(struct provider *provider, struct intent *intent, bool agreed,
                            struct refusal *refusal)
{
    int64_t received = intent->received;

    if (!intent_finish_action(intent, agreed, refusal))
        return false;
    provider_record(provider, intent, intent->received > received ? "charge" : NULL,
                    intent->received - received, "");
    return true;
}

/* --- restart ------------------------------------------------------------------------------- */

static void restore_intent(struct provider *provider, const json_t *json)
{
    const char *id = json_string_value(json_object_get(json, "id"));
    struct intent *intent = id ? provider_find(provider, id) : NULL;

    if (intent) {
        intent_update(intent, json);
    } else if (id) {
        intent = intent_restore(json);
        table_add(&provider->intents, &intent->by_id, intent->id);
        TAILQ_INSERT_HEAD(&provider->newest_first, intent, newest_first);
    }
    if (intent && *intent->charge && !intent->by_charge.key)
        table_add(&provider->charges, &intent->by_charge, intent->charge);
}

static void restore_refund(struct provider *provider, const json_t *json)
{
    const char *id = json_string_value(json_object_get(json, "payment_intent"));
    struct intent *intent = id ? provider_find(provider, id) : NULL;
    struct refund *refund;

    if (!intent)
        return;
    refund = refund_restore(intent, json);
    table_add(&provider->refunds, &refund->by_id, refund->id);
}

static void restore(void *owner, const json_t *state)
{
    struct provider *provider = owner;

    if (json_object_get(state, "intent"))
        restore_intent(provider, json_object_get(state, "intent"));
    if (json_object_get(state, "refund"))
        restore_refund(provider, json_object_get(state, "refund"));
    if (json_object_get(state, "answer"))
        idempotency_restore(&provider->side.keys, json_object_get(state, "answer"));
}

bool provider_open(struct provider *provider, struct exchanges *exchanges,
                   struct webhooks *webhooks, struct ledger *ledger, struct fault *fault)
{
    *provider = (struct provider){.exchanges = exchanges,
                                  .webhooks = webhooks,
                                  .side = {.ledger = ledger, .word = word_refusal}};
    TAILQ_INIT(&provider->newest_first);
    idempotency_init(&provider->side.keys, key_lifetime_us);
    return ledger_restore(ledger, restore, provider, fault);
}

void provider_close(struct provider *provider)
{
    struct intent *intent;

    while ((intent = TAILQ_FIRST(&provider->newest_first))) {
        TAILQ_REMOVE(&provider->newest_first, intent, newest_first);
        intent_destroy(intent);
    }
    table_finish(&provider->intents);
    table_finish(&provider->charges);
    table_finish(&provider->refunds);
    idempotency_finish(&provider->side.keys);
}
