#include "workers/providers/provider.h"

#include <inttypes.h>
#include <string.h>

#include "workers/outside_metrics.h"

static const char *const operations[] = {"create",  "confirm", "retrieve", "cancel",
                                         "capture", "refund",  "refunds",  NULL};
static const char *const verdicts[] = {"state", "declined", "transient", "unknown", "broken", NULL};
static struct outside_metrics metrics;

void payment_register_metrics(const char *provider)
{
    outside_metrics_register(&metrics, provider, operations, verdicts);
}

void payment_note(const struct payment_call *call)
{
    outside_metrics_note(&metrics, call->operation, call->result.verdict,
                         call->outside.http.took_us);
}

const char *payment_operation_name(enum payment_operation operation)
{
    return operations[operation];
}

const char *payment_verdict_name(enum payment_verdict verdict)
{
    return verdicts[verdict];
}

const char *intent_status_name(enum intent_status status)
{
    static const char *const names[] = {
        "requires_payment_method",
        "requires_confirmation",
        "requires_action",
        "processing",
        "requires_capture",
        "succeeded",
        "canceled",
    };

    return names[status];
}

bool payment_intent_agrees(const struct payment_intent *intent, const char *order, int64_t amount,
                           const char *currency, struct fault *fault)
{
    if (strcmp(intent->order, order) != 0)
        return fail_as(fault, FAULT_BROKEN, "integrity_failure",
                       "intent %s is of order \"%s\", not of %s: compare both at the provider",
                       intent->id, intent->order, order);
    if (intent->amount != amount || strcmp(intent->currency, currency) != 0)
        return fail_as(fault, FAULT_BROKEN, "integrity_failure",
                       "intent %s is about %" PRId64 " %s, the order about %" PRId64
                       " %s: compare both at the provider",
                       intent->id, intent->amount, intent->currency, amount, currency);
    if (intent->status == INTENT_SUCCEEDED && intent->amount_received != amount)
        return fail_as(fault, FAULT_BROKEN, "integrity_failure",
                       "intent %s received %" PRId64 " of %" PRId64
                       " %s: compare both at the provider",
                       intent->id, intent->amount_received, amount, currency);
    return true;
}
