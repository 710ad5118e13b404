#include "workers/carriers/carrier.h"

#include "workers/outside_metrics.h"

static const char *const operations[] = {"ship", "look_up", NULL};
static const char *const verdicts[] = {"shipped", "none",   "refused", "transient",
                                       "unknown", "broken", NULL};
static struct outside_metrics metrics;

void carrier_register_metrics(const char *carrier)
{
    outside_metrics_register(&metrics, carrier, operations, verdicts);
}

void carrier_note(const struct carrier_call *call)
{
    outside_metrics_note(&metrics, call->operation, call->result.verdict,
                         call->outside.http.took_us);
}

const char *carrier_operation_name(enum carrier_operation operation)
{
    return operations[operation];
}

const char *carrier_verdict_name(enum carrier_verdict verdict)
{
    return verdicts[verdict];
}
