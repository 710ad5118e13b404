/* POST /v1/orders
 *
 *     admit ─► room? ─► read ─► price ─┬─► intake_accept ┄┄ (commit) ┄┄► on_settled ─► 202
 *             │                        └─ refused: intake_look_up ┄┄► on_settled ─► what the key
 *             └─ no: 503, soon                                                   has, or the
 * refusal
 *
 * No refusal but of the key itself, or for want of room, is given before the key was looked up:
 * what was accepted once is given again, whatever holds today.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "api/fields.h"
#include "api/order_view.h"
#include "api/receipts.h"
#include "base/clock.h"
#include "base/trace.h"
#include "schema/card_scan.h"

/* Lives until it was answered and the intake has let go of it. */
struct acceptance {
    struct http_request *request; /* NULL: answered */
    struct principal principal;
    bool has_token; /* of the quota of new orders */
    struct arena arena;
    json_t *body;
    struct order order;
    struct intake_ticket ticket;
    char key[ORDER_KEY_LENGTH_MAX + 1];
    char trace[TRACEPARENT_SIZE]; /* of what comes after it */
    struct span span;
    struct problem_items items;
    struct problem refusal; /* code NULL: none */
};

static void read_body(struct acceptance *acceptance);
static void check_order(struct acceptance *acceptance);
static void take_quota(struct acceptance *acceptance);
static void submit(struct acceptance *acceptance);
static void on_settled(struct intake_ticket *ticket);
static void on_released(struct intake_ticket *ticket);
static void end_span(struct acceptance *acceptance);

static struct acceptance *acceptance_create(struct http_request *request, const char *key,
                                            const struct principal *principal)
{
    struct acceptance *acceptance = xcalloc(1, sizeof(*acceptance));

    acceptance->request = request;
    acceptance->principal = *principal;
    arena_init(&acceptance->arena);
    acceptance->items.arena = &acceptance->arena;
    snprintf(acceptance->key, sizeof(acceptance->key), "%s", key);
    field_trace(http_header(request, "traceparent"),
                api_of(request)->service.settings.trace_percent, acceptance->trace);
    trace_begin(&acceptance->span, SPAN_SERVER, "POST /v1/orders", acceptance->trace);
    trace_write_parent(&acceptance->span, acceptance->trace);
    acceptance->ticket = (struct intake_ticket){
        .account_id = principal->account_id,
        .key = acceptance->key,
        .order = &acceptance->order,
        .trace = acceptance->trace,
        .token_key = token_keys_newest(&api_of(request)->token_keys),
        .deadline_ms = deadline_of(request),
        .on_settled = on_settled,
        .on_released = on_released,
    };
    return acceptance;
}

void orders_post(struct http_request *request)
{
    char key[ORDER_KEY_LENGTH_MAX + 1];
    struct principal principal;
    struct acceptance *acceptance;

    if (!api_admit(request, SCOPE_CHECKOUT, &principal) || !key_read(request, key) ||
        !api_admit_post(request, &principal) ||
        !shed_takes(request, &principal, key, deadline_of(request)))
        return;
    acceptance = acceptance_create(request, key, &principal);
    read_body(acceptance);
    take_quota(acceptance);
    submit(acceptance);
}

/* The body was not read; its key can be. */
void orders_post_too_large(struct http_request *request, const char *detail)
{
    const char *authorization = http_header(request, "Authorization");
    const char *value = http_header(request, "Idempotency-Key");
    char key[ORDER_KEY_LENGTH_MAX + 1];
    struct principal principal;
    struct acceptance *acceptance;
    const struct problem problem = {.code = "body_too_large",
                                    .detail = detail,
                                    .accepted = ACCEPTED_UNKNOWN,
                                    .stored_nothing = true};

    http_reply_close(request);
    if (value == NULL || !field_key(value, key) || authorization == NULL ||
        strncasecmp(authorization, "Bearer ", 7) != 0 ||
        !keys_find(api_of(request)->keys, authorization + 7, &principal)) {
        problem_reply(request, &problem);
        return;
    }
    if (!api_admit_post(request, &principal))
        return;
    acceptance = acceptance_create(request, key, &principal);
    acceptance->refusal = problem;
    submit(acceptance);
}

static void refuse(struct acceptance *acceptance, const char *code, const char *detail)
{
    acceptance->refusal.code = code;
    acceptance->refusal.detail = detail;
}

static void read_body(struct acceptance *acceptance)
{
    struct fault fault;
    size_t length;
    const char *bytes = http_body(acceptance->request, &length);

    acceptance->body = json_read(bytes, length, &fault);
    if (acceptance->body == NULL) {
        refuse(acceptance, "invalid_json", arena_print(&acceptance->arena, "%s", fault.text));
    } else {
        acceptance->ticket.has_hash = true;
        json_content_hash(acceptance->body, acceptance->ticket.hash);
        acceptance->ticket.cart_id = order_json_cart(acceptance->body);
        check_order(acceptance);
    }
    if (!field_is_json(http_header(acceptance->request, "Content-Type")))
        refuse(acceptance, "unsupported_media_type", "send Content-Type: application/json");
}

static char *describe_prices(struct acceptance *acceptance)
{
    CLEANUP(text_finish) struct text more;

    text_init(&more, VIEW_BYTES_MAX);
    text_add(&more, ",");
    order_view_prices(&more, &acceptance->order);
    return arena_copy(&acceptance->arena, more.bytes, more.length);
}

static void check_order(struct acceptance *acceptance)
{
    struct order *order = &acceptance->order;
    const char *card = card_scan(acceptance->body, &acceptance->arena);

    if (card) {
        refuse(acceptance, "card_data_not_allowed",
               "pay with a token of the payment provider (\"pm_…\"); this body was not kept");
        problem_note(&acceptance->items, card, "card_data_not_allowed", "looks like card data");
    } else if (!order_from_json(order, acceptance->body, &acceptance->items)) {
        refuse(acceptance, "validation_failed", "`errors` says what is wrong, and where");
    } else if (!catalogue_price(api_of(acceptance->request)->catalogue, order,
                                &acceptance->items)) {
        refuse(acceptance, "validation_failed", "`errors` says what cannot be ordered");
    } else if (order->total != order->expected_total.amount) {
        refuse(acceptance, "total_changed",
               "the customer has seen another total: show this one and ask again");
        acceptance->refusal.more = describe_prices(acceptance);
    }
}

/* Whatever is refused anyway costs no token; a key that has an order is replayed without one. */
static void take_quota(struct acceptance *acceptance)
{
    struct quotas *quotas = api_of(acceptance->request)->quotas;

    if (acceptance->refusal.code)
        return;
    acceptance->has_token = quota_take(quotas, &acceptance->principal, QUOTA_ORDERS);
    if (acceptance->has_token)
        return;
    refuse(acceptance, "quota_exceeded",
           "this account has made as many new orders as it may for now");
    acceptance->refusal.retry_after_s = quota_wait_s(quotas, &acceptance->principal, QUOTA_ORDERS);
}

/* Only what is, or may be, a new order keeps its token. */
static void settle_quota(struct acceptance *acceptance, struct http_request *request, bool is_kept)
{
    struct quotas *quotas = api_of(request)->quotas;

    if (acceptance->has_token && !is_kept)
        quota_give(quotas, &acceptance->principal, QUOTA_ORDERS);
    quota_headers(quotas, &acceptance->principal, QUOTA_ORDERS, request);
}

static void acceptance_free(struct acceptance *acceptance)
{
    json_decref(acceptance->body);
    arena_finish(&acceptance->arena);
    free(acceptance);
}

static void submit(struct acceptance *acceptance)
{
    struct intake *intake = api_of(acceptance->request)->intake;
    bool is_taken = acceptance->refusal.code ? intake_look_up(intake, &acceptance->ticket)
                                             : intake_accept(intake, &acceptance->ticket);

    if (is_taken) {
        if (acceptance->refusal.code == NULL)
            shed_note_key(api_of(acceptance->request)->shed, &acceptance->principal,
                          acceptance->key);
        return;
    }
    settle_quota(acceptance, acceptance->request, false);
    shed_reply(acceptance->request);
    acceptance_free(acceptance);
}

static void reply_refusal(struct http_request *request, struct acceptance *acceptance)
{
    acceptance->refusal.accepted = ACCEPTED_NO;
    acceptance->refusal.stored_nothing = false;
    acceptance->refusal.items = &acceptance->items;
    problem_reply(request, &acceptance->refusal);
}

/* A body that was not read says nothing of whether it is the same. */
static bool is_unread(const struct acceptance *acceptance)
{
    return acceptance->refusal.code && strcmp(acceptance->refusal.code, "body_too_large") == 0;
}

/* A refused order that was not even looked up is still refused; what its key has is not known. */
static void reply_otherwise(struct http_request *request, struct acceptance *acceptance)
{
    if (acceptance->ticket.verdict == INTAKE_KEY_REUSED && is_unread(acceptance)) {
        acceptance->refusal.accepted = ACCEPTED_YES;
        problem_reply(request, &acceptance->refusal);
    } else {
        verdict_reply(request, acceptance->ticket.verdict);
    }
}

/* The order's fate is known; until here nobody was promised anything. */
static void on_settled(struct intake_ticket *ticket)
{
    struct acceptance *acceptance = container_of(ticket, struct acceptance, ticket);
    struct http_request *request = acceptance->request;

    acceptance->request = NULL;
    end_span(acceptance);
    stats_note_accept(ticket->verdict, (clock_monotonic_ns() - http_received_ns(request)) / 1000);
    settle_quota(acceptance, request,
                 ticket->verdict == INTAKE_ACCEPTED || ticket->verdict == INTAKE_UNKNOWN);
    if (ticket->verdict == INTAKE_ACCEPTED)
        hint_work(api_of(request)->hint);
    switch (ticket->verdict) {
    case INTAKE_ACCEPTED:
    case INTAKE_REPLAYED:
    case INTAKE_CART_REPLAYED:
        receipt_reply(request, ticket, ticket->verdict == INTAKE_CART_REPLAYED ? 200 : 202);
        break;
    case INTAKE_NOTHING:
        reply_refusal(request, acceptance);
        break;
    case INTAKE_KEY_REUSED:
    case INTAKE_KEY_ABANDONED:
    case INTAKE_CART_TAKEN:
    case INTAKE_CART_CLOSED:
    case INTAKE_IN_FLIGHT:
    case INTAKE_UNSENT:
    case INTAKE_UNKNOWN:
    case INTAKE_BROKEN:
        reply_otherwise(request, acceptance);
        break;
    }
}

/* What the order was told is told of its trace, too. */
static void end_span(struct acceptance *acceptance)
{
    const struct intake_ticket *ticket = &acceptance->ticket;
    bool is_accepted = ticket->verdict == INTAKE_ACCEPTED;
    char id[ORDER_ID_TEXT_SIZE] = "";
    const struct span_note notes[] = {{"docket.outcome", stats_outcome(ticket->verdict)},
                                      {is_accepted ? "docket.order" : NULL, id},
                                      {0}};

    if (!acceptance->span.is_told)
        return;
    if (is_accepted)
        order_id_format(&ticket->id, id);
    trace_end(&acceptance->span, notes,
              strcmp(notes[0].value, "unknown") == 0 ? notes[0].value : NULL);
}

static void on_released(struct intake_ticket *ticket)
{
    acceptance_free(container_of(ticket, struct acceptance, ticket));
}
