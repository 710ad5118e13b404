/* POST /v1/quotes: what a body would cost as an order, from memory alone
 *
 * Nothing is stored and nothing is promised: the order is priced again when it is accepted, and
 * `expected_total` makes it fail if the price has changed meanwhile.
 */
#include "api/api.h"
#include "api/fields.h"
#include "api/order_view.h"
#include "schema/card_scan.h"

struct quote {
    json_t *body;
    struct order order;
    struct problem_items items;
    struct problem refusal; /* code NULL: none */
};

static void refuse(struct quote *quote, const char *code, const char *detail)
{
    quote->refusal = (struct problem){.code = code, .detail = detail, .items = &quote->items};
}

static void price(struct quote *quote, const struct catalogue *catalogue)
{
    const char *card = card_scan(quote->body, quote->items.arena);

    if (card) {
        refuse(quote, "card_data_not_allowed",
               "card data is never needed here; this body was not kept");
        problem_note(&quote->items, card, "card_data_not_allowed", "looks like card data");
    } else if (!order_from_quote_json(&quote->order, quote->body, &quote->items)) {
        refuse(quote, "validation_failed", "`errors` says what is wrong, and where");
    } else if (!catalogue_price(catalogue, &quote->order, &quote->items)) {
        refuse(quote, "validation_failed", "`errors` says what cannot be ordered");
    }
}

static void read_quote(struct quote *quote, struct http_request *request)
{
    struct fault fault;
    size_t length;
    const char *bytes = http_body(request, &length);

    if (!field_is_json(http_header(request, "Content-Type"))) {
        refuse(quote, "unsupported_media_type", "send Content-Type: application/json");
        return;
    }
    quote->body = json_read(bytes, length, &fault);
    if (quote->body == NULL)
        refuse(quote, "invalid_json", arena_print(http_arena(request), "%s", fault.text));
    else
        price(quote, api_of(request)->catalogue);
}

static void reply(struct http_request *request, const struct order *order)
{
    CLEANUP(text_finish) struct text body;
    const struct money *seen = &order->expected_total;

    text_init(&body, VIEW_BYTES_MAX);
    text_add(&body, "{");
    order_view_prices(&body, order);
    text_print(&body, ",\"currency\":\"%s\",\"expected_total\":", order->currency);
    order_view_money(&body, order->total, order->currency);
    if (seen->currency[0] != '\0')
        text_print(&body, ",\"total_changed\":%s", seen->amount == order->total ? "false" : "true");
    text_add(&body, "}");
    http_reply_header(request, "Cache-Control", "no-store");
    http_reply(request, 200, "application/json", body.bytes, body.length);
}

void quotes_post(struct http_request *request)
{
    struct principal principal;
    struct quote quote = {.items = {.arena = http_arena(request)}};

    if (!api_admit_read(request, SCOPE_CHECKOUT, &principal))
        return;
    read_quote(&quote, request);
    if (quote.refusal.code)
        problem_reply(request, &quote.refusal);
    else
        reply(request, &quote.order);
    json_decref(quote.body);
}
