#include "ops/sandbox/control.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ops/sandbox/sandbox.h"

enum { LIFETIME_S_MAX = 100 * 24 * 3600 };

static void reply_json(struct http_request *request, int status, const struct text *body)
{
    http_reply(request, status, "application/json", body->bytes, body->length);
}

static void reply_error(struct http_request *request, int status, const char *message)
{
    CLEANUP(text_finish) struct text body;

    text_init(&body, SIZE_MAX / 2);
    text_add(&body, "{\"error\":{\"type\":\"sandbox_error\",\"message\":");
    text_add_json(&body, message);
    text_add(&body, "}}");
    reply_json(request, status, &body);
}

/* NULL: refused already. */
static json_t *read_json(struct http_request *request)
{
    size_t length;
    const char *body = http_body(request, &length);
    json_t *json = json_loadb(body, length, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(json)) {
        json_decref(json);
        reply_error(request, 400, "the body is no JSON object");
        return NULL;
    }
    return json;
}

void control_on_health(struct http_request *request)
{
    http_reply(request, 200, "application/json", "{\"status\":\"ready\"}", 18);
}

void control_on_error(struct http_request *request, int status, const char *code,
                      const char *detail)
{
    CLEANUP(text_finish) struct text body;

    text_init(&body, SIZE_MAX / 2);
    text_print(&body,
               "{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"%s\",\"message\":", code);
    text_add_json(&body, detail ? detail : code);
    text_add(&body, "}}");
    reply_json(request, status, &body);
}

/* --- rules --------------------------------------------------------------------------------- */

void control_on_add_rule(struct http_request *request)
{
    struct sandbox *sandbox = http_owner(request);
    json_t *json = read_json(request);
    struct fault fault;
    int64_t id;
    CLEANUP(text_finish) struct text body;

    text_init(&body, 100);
    if (!json)
        return;
    id = rules_add(&sandbox->rules, json, &fault);
    json_decref(json);
    if (id == 0) {
        reply_error(request, 400, fault.text);
        return;
    }
    text_print(&body, "{\"id\":%" PRId64 "}", id);
    reply_json(request, 201, &body);
}

void control_on_list_rules(struct http_request *request)
{
    struct sandbox *sandbox = http_owner(request);
    CLEANUP(text_finish) struct text body;

    text_init(&body, SIZE_MAX / 2);
    rules_render(&sandbox->rules, &body);
    reply_json(request, 200, &body);
}

void control_on_clear_rules(struct http_request *request)
{
    struct sandbox *sandbox = http_owner(request);

    rules_clear(&sandbox->rules);
    http_reply(request, 204, NULL, NULL, 0);
}

/* --- settings and calls -------------------------------------------------------------------- */

void control_on_get_settings(struct http_request *request)
{
    struct sandbox *sandbox = http_owner(request);
    CLEANUP(text_finish) struct text body;

    text_init(&body, 200);
    text_print(&body, "{\"key_lifetime_s\":%.3f,\"reference_unaware\":%s}",
               (double)sandbox->provider.side.keys.lifetime_us / 1e6,
               sandbox->carrier.reference_unaware ? "true" : "false");
    reply_json(request, 200, &body);
}

void control_on_put_settings(struct http_request *request)
{
    struct sandbox *sandbox = http_owner(request);
    json_t *json = read_json(request);
    double lifetime_s = (double)sandbox->provider.side.keys.lifetime_us / 1e6;
    int unaware = sandbox->carrier.reference_unaware;
    json_error_t error;

    if (!json)
        return;
    if (json_unpack_ex(json, &error, JSON_STRICT, "{s?F, s?b}", "key_lifetime_s", &lifetime_s,
                       "reference_unaware", &unaware) != 0) {
        reply_error(request, 400, error.text);
    } else if (!(lifetime_s >= 0 && lifetime_s <= LIFETIME_S_MAX)) {
        reply_error(request, 400, "key_lifetime_s is from 0 to 8640000 seconds");
    } else {
        sandbox->provider.side.keys.lifetime_us = (int64_t)(lifetime_s * 1e6);
        sandbox->carrier.side.keys.lifetime_us = (int64_t)(lifetime_s * 1e6);
        sandbox->carrier.reference_unaware = unaware;
        control_on_get_settings(request);
    }
    json_decref(json);
}

void control_on_get_webhooks(struct http_request *request)
{
    struct sandbox *sandbox = http_owner(request);
    CLEANUP(text_finish) struct text body;

    text_init(&body, SIZE_MAX / 2);
    webhooks_render(&sandbox->webhooks, &body);
    reply_json(request, 200, &body);
}

void control_on_put_webhooks(struct http_request *request)
{
    struct sandbox *sandbox = http_owner(request);
    json_t *json = read_json(request);
    struct fault fault;

    if (!json)
        return;
    if (webhooks_set(&sandbox->webhooks, json, &fault))
        control_on_get_webhooks(request);
    else
        reply_error(request, 400, fault.text);
    json_decref(json);
}

void control_on_calls(struct http_request *request)
{
    struct sandbox *sandbox = http_owner(request);
    const struct exchanges *exchanges = &sandbox->exchanges;
    CLEANUP(text_finish) struct text body;

    text_init(&body, 1000);
    text_print(&body, "{\"open\":%d,\"open_most\":%d,\"begun\":{", exchanges->open,
               exchanges->open_most);
    for (int op = 0; op < OP_COUNT; op++)
        text_print(&body, "%s\"%s\":%" PRId64, op ? "," : "", op_name((enum op)op),
                   exchanges->begun[op]);
    text_add(&body, "}}");
    reply_json(request, 200, &body);
}

/* --- what has to be durable before it is told ---------------------------------------------- */

struct telling {
    struct ledger_wait wait;
    struct http_request *request;
    struct sandbox *sandbox;
    struct intent *intent; /* of a finish */
};

static struct telling *telling_create(struct http_request *request,
                                      void (*on_durable)(struct ledger_wait *wait))
{
    struct telling *telling = arena_alloc(http_arena(request), sizeof(*telling));

    telling->request = request;
    telling->sandbox = http_owner(request);
    telling->wait.on_durable = on_durable;
    return telling;
}

static void add_line(struct text *body, const struct ledger *ledger, size_t index,
                     const char *order)
{
    const char *line = ledger_line(ledger, index, order);

    if (line)
        text_add(body, line);
}

/* Both ledgers grow by `seq`: merged as two sorted lists are. */
static void merge_ledgers(const struct sandbox *sandbox, const char *order, struct text *body)
{
    const struct ledger *left = sandbox->provider_ledger, *right = sandbox->carrier_ledger;
    size_t i = 0, j = 0;

    while (i < ledger_count(left) || j < ledger_count(right)) {
        if (j == ledger_count(right) ||
            (i < ledger_count(left) && ledger_sequence(left, i) < ledger_sequence(right, j)))
            add_line(body, left, i++, order);
        else
            add_line(body, right, j++, order);
    }
}

static void tell_ledger(struct ledger_wait *wait)
{
    struct telling *telling = container_of(wait, struct telling, wait);
    const char *order = http_query(telling->request, "order");
    CLEANUP(text_finish) struct text body;

    text_init(&body, SIZE_MAX / 2);
    text_add(&body, "");
    merge_ledgers(telling->sandbox, order, &body);
    http_reply(telling->request, 200, "application/x-ndjson", body.bytes, body.length);
}

static void on_provider_durable(struct ledger_wait *wait)
{
    struct telling *telling = container_of(wait, struct telling, wait);

    wait->on_durable = tell_ledger;
    if (!ledger_wait(telling->sandbox->carrier_ledger, wait))
        tell_ledger(wait);
}

void control_on_ledger(struct http_request *request)
{
    struct telling *telling = telling_create(request, on_provider_durable);

    if (!ledger_wait(telling->sandbox->provider_ledger, &telling->wait))
        on_provider_durable(&telling->wait);
}

static void tell_intent(struct ledger_wait *wait)
{
    struct telling *telling = container_of(wait, struct telling, wait);
    CLEANUP(text_finish) struct text body;

    text_init(&body, SIZE_MAX / 2);
    intent_render(telling->intent, &body);
    reply_json(telling->request, 200, &body);
}

/* "succeeded" → 1, "failed" → 0, all else -1 and refused. */
static int read_decision(struct http_request *request)
{
    json_t *json = read_json(request);
    const char *as = json_string_value(json_object_get(json, "as"));
    int decision = -1;

    if (!json)
        return -1;
    if (as && strcmp(as, "succeeded") == 0)
        decision = 1;
    else if (as && strcmp(as, "failed") == 0)
        decision = 0;
    else
        reply_error(request, 400, "as is \"succeeded\" or \"failed\"");
    json_decref(json);
    return decision;
}

void control_on_finish(struct http_request *request)
{
    struct sandbox *sandbox = http_owner(request);
    struct intent *intent = provider_find(&sandbox->provider, http_param(request, "id"));
    struct refusal refusal;
    struct telling *telling;
    int decision;

    if (!intent) {
        reply_error(request, 404, "no such intent");
        return;
    }
    decision = read_decision(request);
    if (decision < 0)
        return;
    if (!provider_finish_action(&sandbox->provider, intent, decision == 1, &refusal)) {
        reply_error(request, 409, refusal.message);
        return;
    }
    telling = telling_create(request, tell_intent);
    telling->intent = intent;
    if (!ledger_wait(sandbox->provider_ledger, &telling->wait))
        tell_intent(&telling->wait);
}
