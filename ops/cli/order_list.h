/* ops/cli/order_list.h - orders found by GET /admin/orders, page by page */
#pragma once

#include "ops/cli/command.h"

extern const struct command command_order_list;

/* {orders, next} of a path with its filters: as many as `limit`, or all there are.  NULL: said why.
 */
json_t *orders_find(const char *filters, const char *cursor, long long limit)
    __attribute__((warn_unused_result));
void orders_print(const json_t *orders);
