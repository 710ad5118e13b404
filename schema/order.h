/* schema/order.h - an order as a client states it, and as the server has priced it
 *
 * Texts are lent: they live as long as the body they were read from and its arena.
 */
#pragma once

#include <stdint.h>

#include "schema/canonical_json.h"
#include "schema/money.h"
#include "schema/order_id.h"

enum {
    ORDER_LINES_MAX = 100,
    ORDER_QUANTITY_MAX = 9999,
    ORDER_KEY_LENGTH_MAX = 255,
    ORDER_RENDERER = 2 /* of the 202's body: see api/order_view.h */
};

struct order_line {
    const char *sku;
    int64_t quantity;
    const char *name; /* from here on the catalogue's, frozen into the order */
    int64_t price;    /* of one */
};

struct order {
    const char *cart_id; /* NULL: none */
    const char *email, *name;
    struct order_line *lines;
    int line_count;
    const char *shipping_method, *address_json;
    struct money expected_total;
    const char *payment_method;
    const char *metadata_json; /* NULL: none */

    /* The server's. */
    char currency[CURRENCY_SIZE];
    int64_t items_total, shipping_total, total;
};
