/* tests/workers/life/call.h - a call to the outside, on its way (model.c) */
#pragma once

#include "tests/workers/life/inside.h"
#include "workers/carriers/carrier.h"
#include "workers/providers/provider.h"

enum { CALL_KEY_SIZE = 128 };

/* One call on its way.  What it says is copied, since its worker may be gone when it arrives. */
struct call {
    struct job *job; /* NULL: nobody waits */
    struct payment_call *payment;
    struct carrier_call *shipping;
    bool is_payment, is_delivered, is_held_up;
    int64_t sent_ms;
    int operation, order;
    int64_t amount;
    char intent[PROVIDER_ID_SIZE], key[CALL_KEY_SIZE], method[64], currency[4];
    char refund[64];
    struct payment_result result;
    struct carrier_result shipped;
};

bool call_reads(const struct call *call); /* it only looks, at the provider */
void call_say_fault(struct payment_result *result, enum payment_verdict verdict,
                    enum fault_kind kind, const char *code);
/* A confirm of it may still arrive. */
bool call_may_confirm(const char *intent);
