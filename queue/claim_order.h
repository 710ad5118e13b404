/* queue/claim_order.h - what a step needs of a claimed order besides its state */
#pragma once

#include <stdint.h>

enum { CLAIM_TEXT_SIZE = 256, CLAIM_TRACE_SIZE = 64, CLAIM_LINES_MAX = 200 };

struct claim_line {
    char *sku;
    int32_t quantity;
};

/* Freed by claim_order_finish(). */
struct claim_order {
    int64_t total;
    char currency[4];
    char payment_method[CLAIM_TEXT_SIZE];
    char shipping_method[CLAIM_TEXT_SIZE];
    char trace[CLAIM_TRACE_SIZE];
    struct claim_line *lines;
    int line_count;
    char *name, *address; /* of the fulfilment stage; address is JSON */
    int64_t account;
    char *email; /* of the payment stage, as twins are compared; "": it was erased */
};

int64_t claim_order_pieces(const struct claim_order *order); /* of all its lines */
void claim_order_finish(struct claim_order *order);
