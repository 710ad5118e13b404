/* Bodies of POST /v1/orders, as hostile as they come.  Besides not crashing: what is refused says
 * where, what is taken is within its limits, and the canonical spelling is a fixed point (or the
 * same body could be taken for another one when it is repeated). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "schema/canonical_json.h"
#include "schema/card_scan.h"
#include "schema/order_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static void check_canonical(const json_t *value, struct arena *arena)
{
    char *canonical = json_canonical(value, arena);
    struct fault fault;
    json_t *again = json_read(canonical, strlen(canonical), &fault);

    must(again != NULL);
    must(strcmp(json_canonical(again, arena), canonical) == 0);
    json_decref(again);
}

static void check_order(const struct order *order)
{
    must(order->line_count >= 1 && order->line_count <= ORDER_LINES_MAX);
    for (int i = 0; i < order->line_count; i++)
        must(order->lines[i].quantity >= 1 && order->lines[i].quantity <= ORDER_QUANTITY_MAX);
    must(order->expected_total.amount >= 0);
    must(order->email && order->name && order->shipping_method && order->payment_method);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct fault fault;
    struct order order = {0};
    struct problem_items problems = {.arena = &arena};
    json_t *body;

    arena_init(&arena);
    body = json_read((const char *)data, size, &fault);
    if (body) {
        check_canonical(body, &arena);
        (void)card_scan(body, &arena);
        (void)order_json_cart(body);
        if (order_from_json(&order, body, &problems))
            check_order(&order);
        else
            must(problems.count > 0);
        json_decref(body);
    }
    arena_finish(&arena);
    return 0;
}
