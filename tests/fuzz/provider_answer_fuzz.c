/* Answers of the outside, as hostile as they come: first byte the operation, two bytes the status,
 * then the body.  Besides not crashing, a verdict must keep what provider.h and carrier.h promise.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "workers/carriers/http_carrier.h"
#include "workers/providers/stripe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static void ask_stripe(uint8_t operation, int status, const char *body, size_t length)
{
    const struct stripe_answer answer = {
        .operation = (enum payment_operation)(operation % (PAYMENT_REFUND + 1)),
        .intent = operation % (PAYMENT_REFUND + 1) == PAYMENT_CREATE ? NULL : "pi_1",
        .status = status,
        .body = body,
        .length = length,
        .should_retry = operation >= 128,
    };
    struct payment_result result = {.retry_after_ms = -1};
    int is_success = status >= 200 && status < 300;

    stripe_read_answer(&answer, &result);
    must((result.verdict == PAYMENT_STATE) == (result.fault.kind == FAULT_NONE));
    must(result.verdict != PAYMENT_STATE || status < 500);
    must(result.verdict != PAYMENT_DECLINED || (status == 402 && result.decline.code[0]));
    must(result.verdict != PAYMENT_UNKNOWN || answer.operation != PAYMENT_RETRIEVE);
    must(!is_success || result.verdict == PAYMENT_STATE || result.verdict == PAYMENT_UNKNOWN ||
         answer.operation == PAYMENT_RETRIEVE);
    must(result.verdict != PAYMENT_STATE || answer.operation == PAYMENT_REFUND ||
         (result.intent.id[0] && result.intent.amount >= 0));
    must(answer.intent == NULL || result.intent.id[0] == '\0' ||
         strcmp(result.intent.id, answer.intent) == 0);
    must(strlen(result.intent.order) < sizeof(result.intent.order));
}

static void ask_carrier(uint8_t operation, int status, const char *body, size_t length)
{
    const struct http_carrier_answer answer = {operation & 1 ? CARRIER_LOOK_UP : CARRIER_SHIP,
                                               "r-1", status, body, length};
    struct carrier_result result = {.retry_after_ms = -1};
    int is_success = status >= 200 && status < 300;

    http_carrier_read_answer(&answer, &result);
    must(is_success || (result.verdict != CARRIER_SHIPPED && result.verdict != CARRIER_NONE));
    must((result.verdict == CARRIER_SHIPPED) == (result.shipment[0] != '\0'));
    must(result.verdict != CARRIER_NONE || answer.operation == CARRIER_LOOK_UP);
    must(result.verdict != CARRIER_UNKNOWN || answer.operation == CARRIER_SHIP);
    must(result.verdict != CARRIER_REFUSED || status == 422);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int status;
    char *body;

    if (size < 3)
        return 0;
    status = 100 + (data[1] << 8 | data[2]) % 500;
    body = xcalloc(1, size - 2); /* of just this size, so that a read beyond it is seen */
    memcpy(body, data + 3, size - 3);
    ask_stripe(data[0], status, body, size - 3);
    ask_carrier(data[0], status, body, size - 3);
    free(body);
    return 0;
}
