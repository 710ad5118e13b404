#include "workers/carriers/carrier.h"

const char *carrier_operation_name(enum carrier_operation operation)
{
    static const char *const names[] = {"ship", "look_up"};

    return names[operation];
}

const char *carrier_verdict_name(enum carrier_verdict verdict)
{
    static const char *const names[] = {"shipped",   "none",    "refused",
                                        "transient", "unknown", "broken"};

    return names[verdict];
}
