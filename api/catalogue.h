/* api/catalogue.h - what can be ordered, in memory: no query a line on the accept path
 *
 * Loaded anew when catalogue.version has changed, whoever changed it.  A price is looked at once,
 * when the order is priced, and frozen into it.
 */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>

#include "base/pg_params.h"
#include "schema/order_json.h"

struct catalogue;

struct catalogue *catalogue_create(void);
void catalogue_destroy(struct catalogue *catalogue);

/* Fills the server's half of the order.  False: problems says which SKU or method is unknown, which
 * currency differs, or what is too large.  Names live in problems->arena. */
bool catalogue_price(const struct catalogue *catalogue, struct order *order,
                     struct problem_items *problems) __attribute__((warn_unused_result));

/* A question of the pulse. */
bool catalogue_ask(void *owner, struct pg_params *params);
void catalogue_on_answer(void *owner, const PGresult *result);
