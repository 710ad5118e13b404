#include "ops/sandbox/carrier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ops/sandbox/intent.h"
#include "ops/sandbox/sandbox.h"

static const int64_t key_lifetime_us = INT64_C(24) * 3600 * 1000000;

struct shipment {
    struct table_item in_ids, in_references;
    TAILQ_ENTRY(shipment) link;
    char id[INTENT_ID_SIZE], tracking[INTENT_ID_SIZE];
    char print[IDEMPOTENCY_PRINT_SIZE]; /* of its content */
    char *reference, *order;
};

/* What one call wants, read from its body before any delay. */
struct carrier_call {
    struct carrier *carrier;
    const char *reference, *order, *content;
    const char *problem; /* what is wrong with the body, or NULL */
    bool undeliverable;
};

/* --- wording ------------------------------------------------------------------------------- */

static void add_error(struct text *body, const char *code, const char *message, bool permanent)
{
    text_add(body, "{\"error\":{\"code\":");
    text_add_json(body, code);
    text_add(body, ",\"message\":");
    text_add_json(body, message);
    text_print(body, ",\"permanent\":%s}}", permanent ? "true" : "false");
}

static void refuse(struct exchange *exchange, int status, const char *code, const char *message)
{
    exchange->status = status;
    exchange->executed = status != 400 && status != 404;
    add_error(&exchange->body, code, message, true);
}

static const struct {
    int status;
    bool permanent;
    const char *code, *message;
} refusals[] = {
    [REFUSAL_RATE_LIMIT] = {429, false, "rate_limit", "Too many calls; try again later."},
    [REFUSAL_UNAVAILABLE] = {503, false, "unavailable", "The carrier is not available."},
    [REFUSAL_INTERNAL] = {500, false, "internal_error", "An unknown error occurred."},
    [REFUSAL_KEY_IN_USE] = {409, false, "idempotency_key_in_use",
                            "A call with this key is being executed; try again later."},
    [REFUSAL_KEY_REUSED] = {400, true, "idempotency_error",
                            "This key was first used with other parameters."},
    [REFUSAL_KEY_TOO_LONG] = {400, true, "idempotency_error",
                              "An idempotency key has at most 255 characters."},
};

static int word_refusal(enum exchange_refusal refusal, struct text *body)
{
    add_error(body, refusals[refusal].code, refusals[refusal].message, refusals[refusal].permanent);
    return refusals[refusal].status;
}

static void render(const struct shipment *shipment, struct text *json)
{
    text_print(json, "{\"id\":\"%s\",\"reference\":", shipment->id);
    text_add_json(json, shipment->reference);
    text_add(json, ",\"order\":");
    text_add_json(json, shipment->order);
    text_print(json, ",\"tracking\":\"%s\",\"status\":\"created\"}", shipment->tracking);
}

static void show(struct exchange *exchange, int status, const struct shipment *shipment)
{
    exchange->status = status;
    exchange->executed = true;
    render(shipment, &exchange->body);
}

/* --- the acts ------------------------------------------------------------------------------ */

static struct shipment *find(const struct carrier *carrier, const char *reference)
{
    struct table_item *item = table_find(&carrier->by_reference, reference);

    return item ? container_of(item, struct shipment, in_references) : NULL;
}

static struct shipment *add_shipment(struct carrier *carrier, const char *reference,
                                     const char *order, const char *print)
{
    struct shipment *shipment = xcalloc(1, sizeof(*shipment));

    make_id(shipment->id, "shp_");
    make_id(shipment->tracking, "TRK");
    snprintf(shipment->print, sizeof(shipment->print), "%s", print);
    shipment->reference = xstrdup(reference);
    shipment->order = xstrdup(order);
    TAILQ_INSERT_TAIL(&carrier->shipments, shipment, link);
    table_add(&carrier->by_reference, &shipment->in_references, shipment->reference);
    return shipment;
}

static void record(struct exchange *exchange, const struct shipment *shipment)
{
    const struct ledger_fact fact = {.kind = "shipment",
                                     .order = shipment->order,
                                     .key = exchange_key(exchange),
                                     .shipment = shipment->id,
                                     .reference = shipment->reference};
    CLEANUP(text_finish) struct text state;

    text_init(&state, SIZE_MAX / 2);
    text_print(&state, "\"content\":\"%s\",\"shipment\":", shipment->print);
    render(shipment, &state);
    ledger_record(exchange->side->ledger, &fact, state.bytes);
}

static void take(struct exchange *exchange, const struct carrier_call *call, const char *print)
{
    struct shipment *shipment = add_shipment(call->carrier, call->reference, call->order, print);

    table_add(&call->carrier->by_id, &shipment->in_ids, shipment->id);
    record(exchange, shipment);
    show(exchange, 201, shipment);
}

static void act_ship(struct exchange *exchange)
{
    const struct carrier_call *call = exchange->subject;
    const char *decline = exchange_decline(exchange);
    const struct shipment *before;
    char print[IDEMPOTENCY_PRINT_SIZE];

    if (call->problem) {
        refuse(exchange, 400, "invalid_request", call->problem);
        return;
    }
    idempotency_print(print, "SHIP", "", call->content);
    before = call->carrier->reference_unaware ? NULL : find(call->carrier, call->reference);
    if (before && strcmp(before->print, print) == 0)
        show(exchange, 200, before);
    else if (before)
        refuse(exchange, 409, "reference_conflict", "The reference belongs to another shipment.");
    else if (decline)
        refuse(exchange, 422, decline, "The carrier refuses this shipment for good.");
    else if (call->undeliverable)
        refuse(exchange, 422, "address_undeliverable", "Nothing can be delivered there.");
    else
        take(exchange, call, print);
}

static void act_look_up(struct exchange *exchange)
{
    const struct carrier_call *call = exchange->subject;
    struct table_item *item = table_find(&call->carrier->by_reference, call->reference);

    if (!*call->reference) {
        refuse(exchange, 400, "invalid_request", "reference is missing in the query");
        return;
    }
    text_add(&exchange->body, "{\"data\":[");
    for (const char *comma = ""; item; item = table_next(item), comma = ",") {
        text_add(&exchange->body, comma);
        render(container_of(item, struct shipment, in_references), &exchange->body);
    }
    text_add(&exchange->body, "]}");
    exchange->status = 200;
}

static void act_retrieve(struct exchange *exchange)
{
    const struct carrier_call *call = exchange->subject;
    struct table_item *item =
        table_find(&call->carrier->by_id, http_param(exchange->request, "id"));

    if (item)
        show(exchange, 200, container_of(item, struct shipment, in_ids));
    else
        refuse(exchange, 404, "not_found", "No such shipment.");
}

/* --- from the request to the exchange ------------------------------------------------------ */

static const char *text_member(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text ? text : "";
}

static bool are_lines(const json_t *lines)
{
    const json_t *line;
    size_t i;

    json_array_foreach(lines, i, line) if (!*text_member(line, "sku") ||
                                           json_integer_value(json_object_get(line, "quantity")) <
                                               1) return false;
    return json_array_size(lines) > 0;
}

static const char *problem_of(const json_t *json)
{
    if (!json_is_object(json))
        return "the body is no JSON object";
    if (!*text_member(json, "reference") || strlen(text_member(json, "reference")) > 255)
        return "reference is a text of 1 to 255 characters";
    if (!*text_member(json, "order"))
        return "order is missing";
    if (!are_lines(json_object_get(json, "lines")))
        return "lines is a list of at least one {\"sku\", \"quantity\" from 1}";
    if (!*text_member(json, "method") || !*text_member(json, "name"))
        return "method or name is missing";
    if (!json_is_object(json_object_get(json, "address")))
        return "address is no object";
    return NULL;
}

static bool is_undeliverable(json_t *address)
{
    const char *name;
    json_t *value;

    json_object_foreach(address, name, value) if (json_is_string(value) &&
                                                  strcasestr(json_string_value(value),
                                                             "UNDELIVERABLE")) return true;
    return false;
}

static void read_body(struct http_request *request, struct carrier_call *call, const char **method)
{
    struct arena *arena = http_arena(request);
    size_t length;
    const char *body = http_body(request, &length);
    json_t *json = json_loadb(body, length, JSON_REJECT_DUPLICATES, NULL);
    char *content = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);

    call->problem = problem_of(json);
    call->reference = arena_print(arena, "%s", text_member(json, "reference"));
    call->order = arena_print(arena, "%s", text_member(json, "order"));
    call->content = content ? arena_print(arena, "%s", content) : body;
    call->undeliverable = is_undeliverable(json_object_get(json, "address"));
    *method = arena_print(arena, "%s", text_member(json, "method"));
    free(content);
    json_decref(json);
}

static void begin(struct http_request *request, struct carrier_call *call, enum op op,
                  const char *method, void (*act)(struct exchange *exchange))
{
    struct exchange *exchange = exchange_create(call->carrier->exchanges, request);

    exchange->side = &call->carrier->side;
    exchange->op = op;
    exchange->order = call->order;
    exchange->method = method;
    exchange->parameters = call->content;
    exchange->subject = call;
    exchange->act = act;
    exchange_begin(exchange);
}

static struct carrier_call *open_call(struct http_request *request)
{
    struct sandbox *sandbox = http_owner(request);
    struct carrier_call *call = arena_alloc(http_arena(request), sizeof(*call));

    call->carrier = &sandbox->carrier;
    call->reference = call->order = call->content = "";
    return call;
}

void carrier_on_ship(struct http_request *request)
{
    struct carrier_call *call = open_call(request);
    const char *method;

    read_body(request, call, &method);
    begin(request, call, OP_SHIP, method, act_ship);
}

void carrier_on_look_up(struct http_request *request)
{
    struct carrier_call *call = open_call(request);
    const char *reference = http_query(request, "reference");
    const struct shipment *shipment = reference ? find(call->carrier, reference) : NULL;

    call->reference = reference ? reference : "";
    if (shipment)
        call->order = shipment->order;
    begin(request, call, OP_LOOKUP, "", act_look_up);
}

void carrier_on_retrieve(struct http_request *request)
{
    begin(request, open_call(request), OP_LOOKUP, "", act_retrieve);
}

/* --- restart ------------------------------------------------------------------------------- */

static void restore(void *owner, const json_t *state)
{
    struct carrier *carrier = owner;
    const json_t *json = json_object_get(state, "shipment");
    struct shipment *shipment;

    if (json_object_get(state, "answer"))
        idempotency_restore(&carrier->side.keys, json_object_get(state, "answer"));
    if (!json)
        return;
    shipment = add_shipment(carrier, text_member(json, "reference"), text_member(json, "order"),
                            text_member(state, "content"));
    snprintf(shipment->id, sizeof(shipment->id), "%s", text_member(json, "id"));
    snprintf(shipment->tracking, sizeof(shipment->tracking), "%s", text_member(json, "tracking"));
    table_add(&carrier->by_id, &shipment->in_ids, shipment->id);
}

bool carrier_open(struct carrier *carrier, struct exchanges *exchanges, struct ledger *ledger,
                  struct fault *fault)
{
    *carrier =
        (struct carrier){.exchanges = exchanges, .side = {.ledger = ledger, .word = word_refusal}};
    TAILQ_INIT(&carrier->shipments);
    idempotency_init(&carrier->side.keys, key_lifetime_us);
    return ledger_restore(ledger, restore, carrier, fault);
}

void carrier_close(struct carrier *carrier)
{
    struct shipment *shipment;

    while ((shipment = TAILQ_FIRST(&carrier->shipments))) {
        TAILQ_REMOVE(&carrier->shipments, shipment, link);
        free(shipment->reference);
        free(shipment->order);
        free(shipment);
    }
    table_finish(&carrier->by_id);
    table_finish(&carrier->by_reference);
    idempotency_finish(&carrier->side.keys);
}
