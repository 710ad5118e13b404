#include "ops/cli/order_why.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* A reason stands for itself, whatever the status; without one the status does. */
static const struct {
    const char *status, *reason, *waits; /* status NULL: any */
    const char *then;                    /* what a waiting task does when it is due */
} reasons[] = {
    {"accepted", "", "its payment has not begun", "it is begun"},
    {"processing", "", "its payment is under way", "it goes on"},
    {"confirmed", "", "it is paid and waits to be shipped", "it is shipped"},
    {"requires_action", "", "its payment is being looked at again", "it is looked up"},
    {"payment_failed", "", "its payment is being looked at again", "it is looked up"},
    {"on_hold", "", "it is on hold and is being looked at again", "it is looked up"},
    {"canceling", "", "it is being canceled", "it goes on"},
    {"refunding", "", "its money is being given back", "it goes on"},
    {"out_of_stock", "", "there was not enough stock and it is being canceled", "it is canceled"},
    {NULL, "needs_operator", "one of its steps gave up and needs a person", "it is tried again"},
    {NULL, "out_of_stock",
     "there was not enough stock; it is being canceled and no money was touched", "it is canceled"},
    {NULL, "payment_declined",
     "the provider declined the payment and the customer's time to pay otherwise is running",
     "the provider is asked once more and the order is canceled"},
    {NULL, "customer_action_required",
     "the customer has to confirm the payment at the provider (3-D Secure or the like)",
     "the provider is asked whether he has; after the time he is given it is canceled"},
    {NULL, "payment_outcome_unknown",
     "the provider was asked for the money and it is not known whether it was taken",
     "the provider is looked up, and past DOCKET_UNKNOWN_SLA_S the payment is canceled there, all"},
    {NULL, "shipment_outcome_unknown",
     "the carrier was asked to ship and it is not known whether it took the order",
     "the carrier is asked again under the same reference"},
    {NULL, "payment_canceled_by_provider",
     "the provider canceled the payment and the customer's time to pay otherwise is running",
     "the provider is asked once more and the order is canceled"},
    {NULL, "payment_given_up",
     "the customer gave the payment up to pay otherwise and the time he has for that is running",
     "the provider is asked once more and the order is canceled"},
    {NULL, "payment_not_made", "it was not paid and is being canceled", "it is canceled"},
    {NULL, "integrity_failure",
     "the provider's amount, currency or order is not ours: compare its books first, then docket "
     "payment resolve",
     "it is looked up again"},
    {NULL, "possible_duplicate",
     "it looks like another order of the same customer and is held before payment (docket order "
     "release or cancel)",
     "it is held on"},
    {NULL, "payment_retry", "its payment failed for a passing cause", "it is tried again"},
    {NULL, "provider_unavailable", "the payment provider does not answer or is paused",
     "it is paid, in its turn"},
    {NULL, "carrier_unavailable", "the carrier does not answer or is paused",
     "it is shipped, in its turn"},
    {NULL, "canceled_on_request", "somebody asked to cancel it and it is being undone",
     "it goes on"},
    {NULL, "undeliverable", "the carrier refused it for good and its money is being given back",
     "it goes on"},
    {NULL, "refund_outcome_unknown",
     "the provider was asked to give the money back and it is not known whether it did",
     "its list of refunds is looked through; nothing is given back again before there is evidence"},
    {NULL, "shipped_before_cancel", "it was shipped before it could be canceled", "it goes on"},
    {NULL, "shipment_retry", "its shipment failed for a passing cause", "it is tried again"},
};

static size_t row_of(const struct why_facts *facts)
{
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        if (strcmp(reasons[i].reason, facts->reason) == 0 &&
            (reasons[i].status == NULL || strcmp(reasons[i].status, facts->status) == 0))
            return i;
    }
    return ARRAY_SIZE(reasons);
}

const char *order_why_waits(const struct why_facts *facts)
{
    size_t row = row_of(facts);

    return row < ARRAY_SIZE(reasons) ? reasons[row].waits : NULL;
}

/* What happens next by itself, and what the operator can do. */
static bool add_next(const struct why_facts *facts, const char *then, char *text, size_t size)
{
    const char *state = facts->task_state;

    if (*facts->stage == '\0')
        snprintf(text, size,
                 "none of its tasks is open, which is a fault of ours: nothing happens "
                 "by itself; report it with docket order show --json");
    else if (strcmp(state, "ready") == 0)
        snprintf(text, size,
                 "the next free %s worker takes it by itself; if that does not happen within a "
                 "minute, see whether relay and %s worker run",
                 facts->stage, facts->stage);
    else if (strcmp(state, "running") == 0)
        snprintf(text, size,
                 "a %s worker is at it now, and another takes over within 10 s if that one dies; "
                 "there is nothing to do",
                 facts->stage);
    else if (strcmp(state, "waiting") == 0)
        snprintf(text, size, "%s %s by itself; there is nothing to do", facts->due, then);
    else if (strcmp(state, "parked") == 0)
        snprintf(text, size,
                 "its %s is parked until the outside it needs answers again or is resumed, and "
                 "then goes on by itself",
                 facts->stage);
    else if (strcmp(state, "dead") == 0 && facts->letter > 0)
        snprintf(text, size,
                 "nothing happens by itself: docket dead show %lld says why, and docket dead "
                 "replay %lld --reason … lets it go on",
                 facts->letter, facts->letter);
    else if (strcmp(state, "dead") == 0)
        snprintf(text, size,
                 "nothing happens by itself, and its dead letter was closed: look at "
                 "its events, and report it");
    else
        return false;
    return true;
}

bool order_why(const struct why_facts *facts, char *text, unsigned long size)
{
    size_t row = row_of(facts);
    char next[512];

    if (row == ARRAY_SIZE(reasons) || !add_next(facts, reasons[row].then, next, sizeof(next)))
        return false;
    snprintf(text, size, "It is not done because %s, since %s; %s.", reasons[row].waits,
             facts->since, next);
    return true;
}
