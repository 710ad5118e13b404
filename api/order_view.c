#include "api/order_view.h"

#include "base/clock.h"
#include "base/memory.h"

static void render_1(struct text *body, const char *id, const char *token)
{
    text_print(body,
               "{\"id\":\"%s\",\"accepted\":\"yes\",\"status\":\"accepted\",\"final\":false,"
               "\"version\":1,\"poll_after_ms\":1000,\"client_token\":\"%s\","
               "\"links\":{\"self\":\"/v1/orders/%s\"}}",
               id, token, id);
}

static void render_2(struct text *body, const char *id, const char *token)
{
    text_print(body,
               "{\"id\":\"%s\",\"accepted\":\"yes\",\"status\":\"accepted\",\"final\":false,"
               "\"version\":1,\"poll_after_ms\":1000,\"client_token\":\"%s\","
               "\"links\":{\"self\":\"/v1/orders/%s\",\"events\":\"/v1/orders/%s/events\"}}",
               id, token, id, id);
}

static void (*const renderers[])(struct text *body, const char *id, const char *token) = {
    [1] = render_1,
    [2] = render_2,
};

bool order_view_receipt(struct text *body, const struct order_id *id, int16_t renderer,
                        int16_t token_key, const struct token_keys *keys)
{
    char public_id[ORDER_ID_TEXT_SIZE], token[CLIENT_TOKEN_SIZE];

    if (renderer < 1 || (size_t)renderer >= ARRAY_SIZE(renderers) ||
        !client_token_make(keys, token_key, id, token))
        return false;
    order_id_format(id, public_id);
    renderers[renderer](body, public_id, token);
    return true;
}

/* What may be asked for next: only routes that exist, and only where they would be accepted in this
 * status.  The one place where a link is added (`cancel`, `payment_attempts`, …). */
static void add_links(struct text *body, const char *id, const struct order_face *face)
{
    text_print(body, ",\"links\":{\"self\":\"/v1/orders/%s\"", id);
    if (!face->is_final)
        text_print(body, ",\"events\":\"/v1/orders/%s/events\"", id);
    if (face->can_pay_again)
        text_print(body, ",\"payment_attempts\":\"/v1/orders/%s/payment_attempts\"", id);
    if (order_status_is_edge(face->status, ORDER_CANCELING))
        text_print(body, ",\"cancel\":\"/v1/orders/%s/cancel\"", id);
    text_add(body, "}");
}

static const char *flag(bool value)
{
    return value ? "true" : "false";
}

static void add_payment(struct text *body, const struct order_face *face)
{
    const struct payment_face *payment = face->payment;

    text_print(body, ",\"payment\":{\"attempt\":%d,\"state\":\"%s\"", (int)payment->attempt,
               attempt_state_name(payment->state));
    if (payment->state == ATTEMPT_DECLINED) {
        text_add(body, ",\"decline\":{\"reason\":");
        text_add_json(body, payment->decline_reason);
        text_print(body, ",\"retry_same_card\":%s,\"try_another_card\":%s}",
                   flag(payment->retry_same_card), flag(payment->try_another_card));
    }
    if (face->status == ORDER_REQUIRES_ACTION && *payment->next_action)
        text_print(body, ",\"next_action\":%s", payment->next_action);
    text_add(body, "}");
}

void order_view_head(struct text *body, const struct order_face *face)
{
    char id[ORDER_ID_TEXT_SIZE];

    order_id_format(&face->id, id);
    text_print(body, "{\"id\":\"%s\",\"status\":\"%s\",\"final\":%s,\"version\":%d,\"reason\":", id,
               order_status_name(face->status), flag(face->is_final), face->version);
    text_add_json(body, face->reason);
}

void order_view_tail(struct text *body, const struct order_face *face)
{
    char id[ORDER_ID_TEXT_SIZE];

    order_id_format(&face->id, id);
    if (face->tracking) {
        text_add(body, ",\"tracking\":");
        text_add_json(body, face->tracking);
    }
    text_add(body, "}");
    if (face->payment)
        add_payment(body, face);
    if (face->refunded > 0) {
        text_add(body, ",\"refunded\":");
        order_view_money(body, face->refunded, face->currency);
    }
    text_add(body, ",\"accepted_at\":");
    order_view_time(body, face->accepted_us);
    text_add(body, ",\"updated_at\":");
    order_view_time(body, face->updated_us);
    add_links(body, id, face);
    text_add(body, "}");
}

void order_view_money(struct text *body, int64_t amount, const char *currency)
{
    text_print(body, "{\"amount\":%lld,\"currency\":\"%s\"}", (long long)amount, currency);
}

void order_view_time(struct text *body, int64_t unix_us)
{
    char stamp[CLOCK_RFC3339_SIZE];

    clock_format(unix_us, stamp, sizeof(stamp));
    text_print(body, "\"%s\"", stamp);
}

static void add_lines(struct text *body, const struct order *order)
{
    text_add(body, "\"lines\":[");
    for (int i = 0; i < order->line_count; i++) {
        text_add(body, i ? ",{\"sku\":" : "{\"sku\":");
        text_add_json(body, order->lines[i].sku);
        text_add(body, ",\"name\":");
        text_add_json(body, order->lines[i].name);
        text_print(body, ",\"quantity\":%lld,\"price\":", (long long)order->lines[i].quantity);
        order_view_money(body, order->lines[i].price, order->currency);
        text_add(body, "}");
    }
    text_add(body, "]");
}

void order_view_prices(struct text *body, const struct order *order)
{
    add_lines(body, order);
    text_add(body, ",\"items_total\":");
    order_view_money(body, order->items_total, order->currency);
    text_add(body, ",\"shipping_total\":");
    order_view_money(body, order->shipping_total, order->currency);
    text_add(body, ",\"total\":");
    order_view_money(body, order->total, order->currency);
}
