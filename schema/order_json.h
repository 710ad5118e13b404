/* schema/order_json.h - the bodies of POST /v1/orders and /v1/quotes, read strictly
 *
 * Everything that is wrong is told at once, each with the JSON pointer of its place (not only the
 * first; PROBLEMS_MAX at most).  Nothing is guessed: an unknown field, a number in quotes and a
 * fraction are refused.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/memory.h"
#include "schema/order.h"

enum { PROBLEMS_MAX = 32 };

struct problem_item {
    const char *pointer; /* RFC 6901 */
    const char *code;    /* "unknown_field", "required", "wrong_type", "out_of_range", … */
    const char *detail;
};

struct problem_items {
    struct arena *arena;
    int count;
    struct problem_item items[PROBLEMS_MAX];
};

/* More than PROBLEMS_MAX are dropped. */
void problem_note(struct problem_items *problems, const char *pointer, const char *code,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* False: problems says why.  The order's texts live in `body` and in problems->arena. */
bool order_from_json(struct order *order, const json_t *body, struct problem_items *problems)
    __attribute__((warn_unused_result));
/* The same of what is not an order yet: customer, payment, expected_total and the address may be
 * missing.  A missing expected_total has no currency. */
bool order_from_quote_json(struct order *order, const json_t *body, struct problem_items *problems)
    __attribute__((warn_unused_result));
/* Only the cart, of a body that may be wrong otherwise; NULL if it has none that could be stored.
 */
const char *order_json_cart(const json_t *body);
/* {"payment":{"method":"pm_…"}}: how to pay an order that is there already. */
bool order_method_from_json(const char **method, const json_t *body, struct problem_items *problems)
    __attribute__((warn_unused_result));
