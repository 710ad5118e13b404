#include "queue/claim_order.h"

#include <stdlib.h>
#include <string.h>

void claim_order_finish(struct claim_order *order)
{
    for (int i = 0; i < order->line_count; i++)
        free(order->lines[i].sku);
    free(order->lines);
    free(order->name);
    free(order->address);
    free(order->email);
    memset(order, 0, sizeof(*order));
}
