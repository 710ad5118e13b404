/* ops/cli/order_hops.h - the events of an order, and where the time between them went
 *
 * The API tells of each pause what it was spent on (event_hops() in 0028_hops.sql); of events that
 * an older program wrote it cannot, and then only the pause itself is shown.
 */
#pragma once

#include <jansson.h>

void order_hops_sum(const json_t *events); /* one line; none if nothing is told */
void order_hops_print(const json_t *events);
