/* api/cursor.h - where a list goes on: opaque to clients, and worth nothing once changed
 *
 * The id of the last order that was looked at, signed together with the account and the filters by
 * a key of client_token: a cursor of another account, of other filters, or made up, is refused.
 * Ids are ordered by time, so orders that arrive meanwhile never move a page.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "schema/client_token.h"
#include "schema/order_id.h"

enum { CURSOR_SIZE = 44 + 1 };

/* filters: any text that is the same for the same query. */
void cursor_make(const struct token_keys *keys, int64_t account_id, const char *filters,
                 const struct order_id *last, char cursor[CURSOR_SIZE]);
bool cursor_read(const struct token_keys *keys, int64_t account_id, const char *filters,
                 const char *cursor, struct order_id *last) __attribute__((warn_unused_result));
