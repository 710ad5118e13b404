#include "queue/claim_order.h"

#include <stdlib.h>
#include <string.h>

int64_t claim_order_pieces(const struct claim_order *order)
{
    int64_t pieces = 0;

    for (int i = 0; i < order->line_count; i++)
        pieces += order->lines[i].quantity;
    return pieces;
}

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
