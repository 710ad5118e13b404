/* api/order_view.h - what the outside sees of an order
 *
 * The receipt (the body of the 202) is made from stored columns alone, by the renderer whose number
 * the order carries: it is the same, byte for byte, for ever.  A renderer is never changed; a new
 * one gets the next number.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "schema/client_token.h"
#include "schema/money.h"
#include "schema/order.h"
#include "schema/order_state.h"

enum { RECEIPT_BYTES_MAX = 1024, VIEW_BYTES_MAX = 256 * 1024 };

/* False: no such renderer, or the key of its token is gone from DOCKET_TOKEN_KEYS. */
bool order_view_receipt(struct text *body, const struct order_id *id, int16_t renderer,
                        int16_t token_key, const struct token_keys *keys)
    __attribute__((warn_unused_result));

/* The newest attempt to pay. */
struct payment_face {
    int16_t attempt;
    enum attempt_state state;
    const char *decline_reason; /* of a declined one */
    bool retry_same_card, try_another_card;
    const char *next_action; /* JSON; "": none */
};

/* What differs between the versions of one order; all else of it is between head and tail. */
struct order_face {
    struct order_id id;
    int32_t version;
    enum order_status status;
    bool is_final;
    const char *reason;
    const char *tracking;               /* NULL: not shipped yet */
    const struct payment_face *payment; /* NULL: none yet */
    bool can_pay_again;
    int64_t refunded;
    const char *currency; /* of what was given back */
    int64_t accepted_us, updated_us;
};

void order_view_head(struct text *body, const struct order_face *face);
void order_view_tail(struct text *body, const struct order_face *face);

void order_view_money(struct text *body, int64_t amount, const char *currency);
/* The members "lines", "items_total", "shipping_total" and "total" of a priced order. */
void order_view_prices(struct text *body, const struct order *order);
void order_view_time(struct text *body, int64_t unix_us);
