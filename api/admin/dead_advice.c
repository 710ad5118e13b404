#include "api/admin/dead_advice.h"

#include <string.h>

#include "base/memory.h"
#include "schema/stages.h"

enum {
    ANY = 0,
    PAYMENT = STAGE_PAYMENT,
    FULFILMENT = STAGE_FULFILMENT,
    CANCEL = STAGE_CANCEL,
    REFUND = STAGE_REFUND
};

static const struct dead_advice rows[] = {
    {PAYMENT, NULL, "integrity_failure",
     "the provider's amount, currency or order is not ours; nothing more is sent",
     "compare the payment at the provider with `docket order show`; give back there what was taken "
     "wrongly",
     REPLAY_LOOKS_UP},
    {PAYMENT, NULL, "paid_after_end",
     "the provider says paid after the order had ended its payment and given its stock back",
     "`docket order cancel` gives the money back; compare the provider's books with ours",
     REPLAY_CANNOT_HELP},
    {PAYMENT, NULL, "manual_capture",
     "the provider authorized and waits for a capture: it is set to manual capture",
     "set it to automatic capture", REPLAY_AFTER_CURE},
    {PAYMENT, NULL, "amount_not_expressible",
     "the provider cannot express this amount in this currency",
     "the prices in the catalogue: this order cannot be paid with this provider",
     REPLAY_CANNOT_HELP},
    {PAYMENT, NULL, "confirm_without_effect",
     "the provider took the confirm, and its look-up shows that nothing was done",
     "the provider's log of the intent", REPLAY_LOOKS_UP},
    {FULFILMENT, NULL, "not_paid",
     "a shipment was due for an order that is not paid: a bug of ours",
     "`docket order show`: what its payment says; nothing was shipped", REPLAY_CANNOT_HELP},
    {FULFILMENT, NULL, "shipped_twice", "the carrier has more than one shipment of one order",
     "stop all but one at the carrier; then replay, which adopts the one that is left",
     REPLAY_AFTER_CURE},
    {FULFILMENT, NULL, "address_unreadable", "the stored address cannot be sent to the carrier",
     "the address (docket-api validated it: say how it came there)", REPLAY_AFTER_CURE},
    {FULFILMENT, NULL, "carrier_redirects", "the carrier's URL answers with a redirect",
     "correct DOCKET_CARRIER_URL", REPLAY_AFTER_CURE},
    {CANCEL, NULL, "integrity_failure",
     "the provider's amount, currency or order is not ours; it is not canceled there",
     "compare the payment at the provider with `docket order show`", REPLAY_LOOKS_UP},
    {REFUND, NULL, "refunded_elsewhere",
     "the provider's books hold refunds that ours do not: together they would be too much",
     "the refunds of the payment at the provider; who made them there", REPLAY_LOOKS_UP},
    {REFUND, NULL, "refund_differs", "the provider's refund is about another amount",
     "the refund at the provider, and `docket order show`", REPLAY_LOOKS_UP},
    {REFUND, NULL, "refund_failed", "the provider could not give the money back (a closed account)",
     "the refund at the provider; pay the customer by other means, or replay to try once more",
     REPLAY_AFTER_CURE},
    {CANCEL, "transient", NULL, "the provider was not to be had for all attempts",
     "whether it is back; the order waits to be canceled", REPLAY_HELPS},
    {REFUND, "transient", NULL, "the provider was not to be had for all attempts",
     "whether it is back; the money waits to be given back", REPLAY_HELPS},
    {REFUND, "broken", NULL, "the provider refuses to give this money back",
     "what the text says: the account's balance, the key's permissions", REPLAY_AFTER_CURE},
    {FULFILMENT, "refused", NULL, "the carrier refuses to ship these orders for good",
     "what the text says (an address, a product); agree with the customer", REPLAY_AFTER_CURE},
    {ANY, NULL, "crashes_worker",
     "each worker that took the step died with it: poison, or a machine without memory",
     "the workers' logs and the kernel's (out of memory) at that time; the version deployed then",
     REPLAY_AFTER_CURE},
    {ANY, NULL, "outcome_refused", "Postgres refused what a worker wanted to write: a bug of ours",
     "the text names the constraint; install a version that mends it", REPLAY_AFTER_CURE},
    {ANY, NULL, "impossible_transition",
     "what was learnt does not fit the order's state: a bug of ours, or a change by hand",
     "`docket order show`: its events; what was changed around then", REPLAY_LOOKS_UP},
    {ANY, NULL, "unreadable_message",
     "a message in docket.dead names no task of ours: nothing is lost",
     "who else publishes to this broker; then `docket dead discard` it", REPLAY_CANNOT_HELP},
    {ANY, NULL, "request_too_large", "what would be sent is larger than a call may be",
     "the order's lines and address", REPLAY_CANNOT_HELP},
    {ANY, NULL, "idempotency_key_unsound", "a key that is no visible ASCII: a bug of ours",
     "report it, with `docket dead show`", REPLAY_AFTER_CURE},
    {ANY, NULL, "url_invalid", "the outside's URL is not valid",
     "DOCKET_PROVIDER_URL, DOCKET_CARRIER_URL", REPLAY_AFTER_CURE},
    {ANY, NULL, "ca_file_unusable", "the file of trusted certificates cannot be used",
     "the CA file on the workers' machines", REPLAY_AFTER_CURE},
    {ANY, NULL, "certificate_refused", "the outside's TLS certificate is not trusted",
     "its certificate, our clock and our trusted certificates", REPLAY_AFTER_CURE},
    {PAYMENT, NULL, "provider_401", "the provider does not know our key", "DOCKET_PROVIDER_KEY",
     REPLAY_AFTER_CURE},
    {PAYMENT, NULL, "provider_403", "our key may not do this at the provider",
     "the key's permissions at the provider", REPLAY_AFTER_CURE},
    {PAYMENT, "broken", NULL,
     "the provider refuses what we send as wrong: our set-up or a bug, not the customer",
     "what the text says: the key, the account, the payment method", REPLAY_AFTER_CURE},
    {FULFILMENT, "broken", NULL, "the carrier refuses what we send as wrong: our set-up or a bug",
     "what the text says: the key, the method, the address", REPLAY_AFTER_CURE},
    {PAYMENT, "transient", NULL, "the provider was not to be had for all attempts",
     "whether it is back (its status page; newer orders get paid)", REPLAY_HELPS},
    {FULFILMENT, "transient", NULL, "the carrier was not to be had for all attempts",
     "whether it is back (its status page; newer orders are shipped)", REPLAY_HELPS},
    {ANY, "unknown", NULL, "the outside may have acted; it is looked up before anything is sent",
     "whether the outside answers look-ups", REPLAY_LOOKS_UP},
    {ANY, NULL, NULL, "a fault that this version does not know", "what its text says",
     REPLAY_AFTER_CURE},
};

static bool is_of_code(const char *code, const char *wanted)
{
    return wanted == NULL || strcmp(code, wanted) == 0;
}

const struct dead_advice *dead_advice_of(int stage, const char *kind, const char *code)
{
    size_t i = 0;

    while (i + 1 < ARRAY_SIZE(rows) &&
           !((rows[i].stage == ANY || rows[i].stage == stage) &&
             (rows[i].kind == NULL || strcmp(rows[i].kind, kind) == 0) &&
             is_of_code(code, rows[i].code)))
        i++;
    return &rows[i];
}

static const char *replay_text(enum dead_replay replay)
{
    switch (replay) {
    case REPLAY_HELPS:
        return "helps once what was away is back";
    case REPLAY_AFTER_CURE:
        return "only once the cause is mended; before, it fails again";
    case REPLAY_LOOKS_UP:
        return "is safe: the outside is asked first what has happened";
    case REPLAY_CANNOT_HELP:
        return "does not help";
    }
    return "?";
}

void dead_advice_add(json_t *object)
{
    const char *kind = json_string_value(json_object_get(object, "fault_kind"));
    const char *code = json_string_value(json_object_get(object, "fault_code"));
    const struct dead_advice *advice =
        dead_advice_of((int)json_integer_value(json_object_get(object, "stage")), kind ? kind : "",
                       code ? code : "");

    json_object_set_new(object, "advice",
                        json_pack("{s:s, s:s, s:s}", "means", advice->means, "check", advice->check,
                                  "replay", replay_text(advice->replay)));
}
