/* ops/sandbox/sandbox.h - the whole sandbox: one loop, two sides, one book of rules */
#pragma once

#include <uv.h>

#include "ops/sandbox/carrier.h"
#include "ops/sandbox/exchange.h"
#include "ops/sandbox/provider.h"
#include "ops/sandbox/rules.h"
#include "ops/sandbox/webhooks.h"

/* The owner of every request. */
struct sandbox {
    uv_loop_t loop;
    uint64_t sequence; /* of the next ledger line, on either side */
    struct ledger *provider_ledger, *carrier_ledger;
    struct rules rules;
    struct exchanges exchanges;
    struct webhooks webhooks;
    struct provider provider;
    struct carrier carrier;
};
