#include "tests/workers/life/intents.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "tests/workers/life/inside.h"
#include "tests/workers/life/refunds.h"

enum { INTENTS_MAX = 64, KEYS_MAX = 256 };

static const char wrong_key[] = "a key was used again with other parameters: %s";

struct stored {
    char key[CALL_KEY_SIZE], parameters[320];
    int64_t at_ms;
    struct payment_result result;
};

static struct {
    struct payment_intent intents[INTENTS_MAX];
    int orders[INTENTS_MAX], confirmed[INTENTS_MAX];
    bool was_declined[INTENTS_MAX];
    char last_key[INTENTS_MAX][CALL_KEY_SIZE];
    int intent_count;
    struct stored stored[KEYS_MAX];
    int stored_count;
} provider;

/* --- what a call does --------------------------------------------------------------------------
 */

static struct payment_intent *find_intent(const struct call *call)
{
    for (int i = 0; i < provider.intent_count; i++)
        if (strcmp(provider.intents[i].id, call->intent) == 0)
            return &provider.intents[i];
    return NULL;
}

static void say_state(struct payment_result *result, const struct payment_intent *intent)
{
    *result =
        (struct payment_result){.verdict = PAYMENT_STATE, .intent = *intent, .retry_after_ms = -1};
}

static void decline(struct payment_intent *intent, const char *code)
{
    provider.was_declined[intent - provider.intents] = true;
    snprintf(intent->decline.code, sizeof(intent->decline.code), "%s", code);
    intent->decline.reason = code;
}

static void say_declined(struct payment_result *result, const struct payment_intent *intent)
{
    say_state(result, intent);
    result->verdict = PAYMENT_DECLINED;
    result->decline = intent->decline;
}

/* Of an intent that was never confirmed no money can move; any other must be over before. */
static void check_others_are_over(const struct call *call)
{
    for (int i = 0; i < provider.intent_count; i++) {
        if (provider.orders[i] == call->order && provider.last_key[i][0] != '\0' &&
            provider.intents[i].status != INTENT_CANCELED && call->job != NULL)
            world_break("a new intent, and %s of the same order is %s", provider.intents[i].id,
                        intent_status_name(provider.intents[i].status));
    }
}

static void create(const struct call *call, struct payment_result *result)
{
    struct payment_intent *intent;

    check_others_are_over(call);
    if (provider.intent_count == INTENTS_MAX) {
        world_break("more intents than an order can need");
        provider.intent_count = 0;
    }
    intent = &provider.intents[provider.intent_count];
    *intent =
        (struct payment_intent){.status = INTENT_REQUIRES_CONFIRMATION, .amount = call->amount};
    provider.orders[provider.intent_count] = call->order;
    provider.confirmed[provider.intent_count] = 0;
    provider.was_declined[provider.intent_count] = false;
    provider.last_key[provider.intent_count][0] = '\0';
    snprintf(intent->id, sizeof(intent->id), "pi_%d", ++provider.intent_count);
    snprintf(intent->currency, sizeof(intent->currency), "%s", call->currency);
    snprintf(intent->order, sizeof(intent->order), "%s", world_public_id(call->order));
    say_state(result, intent);
}

/* One intent may be confirmed under several keys, but succeeds at most once. */
static void note_key(const struct call *call)
{
    const struct payment_intent *intent = find_intent(call);
    long index = intent ? intent - provider.intents : -1;

    if (index < 0 || call->operation != PAYMENT_CONFIRM)
        return;
    if (provider.last_key[index][0] != '\0' && strcmp(provider.last_key[index], call->key) != 0)
        world_see(SAW_NEXT_KEY);
    snprintf(provider.last_key[index], CALL_KEY_SIZE, "%s", call->key);
}

static void confirm(struct payment_intent *intent, enum behaviour behaviour,
                    struct payment_result *result)
{
    long index = intent - provider.intents;

    if (intent->status == INTENT_SUCCEEDED || intent->status == INTENT_CANCELED ||
        intent->status == INTENT_PROCESSING) {
        say_state(result, intent); /* payment_intent_unexpected_state */
        return;
    }
    intent->decline.code[0] = '\0';
    if (behaviour == DECLINES) {
        intent->status = INTENT_REQUIRES_PAYMENT_METHOD;
        decline(intent, "insufficient_funds");
        say_declined(result, intent);
        return;
    }
    intent->status = behaviour == ASKS      ? INTENT_REQUIRES_ACTION
                     : behaviour == LINGERS ? INTENT_PROCESSING
                                            : INTENT_SUCCEEDED;
    if (intent->status == INTENT_SUCCEEDED) {
        intent->amount_received = intent->amount;
        provider.confirmed[index]++;
    }
    say_state(result, intent);
}

static void act(const struct call *call, enum behaviour behaviour, struct payment_result *result)
{
    struct payment_intent *intent = find_intent(call);

    if (call->operation == PAYMENT_CREATE) {
        create(call, result);
    } else if (intent == NULL) {
        call_say_fault(result, PAYMENT_BROKEN, FAULT_BROKEN, "resource_missing");
    } else if (call->operation == PAYMENT_CONFIRM) {
        confirm(intent, behaviour, result);
    } else if (call->operation == PAYMENT_REFUND) {
        refunds_make(intent, call->order, call->amount, call->refund, behaviour, result);
    } else if (call->operation == PAYMENT_REFUNDS) {
        refunds_list(intent, call->refund, behaviour, result);
    } else {
        if (call->operation == PAYMENT_CANCEL && intent->status != INTENT_SUCCEEDED &&
            intent->status != INTENT_PROCESSING)
            intent->status = INTENT_CANCELED;
        if (intent->status == INTENT_PROCESSING)
            world_see(SAW_LINGERING);
        say_state(result, intent);
    }
}

static struct stored *find_stored(const struct call *call, const char *parameters)
{
    for (int i = 0; i < provider.stored_count; i++) {
        struct stored *stored = &provider.stored[i];

        if (call->key[0] == '\0' || strcmp(stored->key, call->key) != 0)
            continue;
        if (world_now_ms() - stored->at_ms >= WORLD_KEYS_MS) {
            world_see(SAW_KEY_EXPIRED);
            stored->key[0] = '\0';
            continue;
        }
        if (strcmp(stored->parameters, parameters) != 0)
            world_break(wrong_key, call->key);
        return stored;
    }
    return NULL;
}

static void keep(const struct call *call, const char *parameters,
                 const struct payment_result *result)
{
    struct stored *stored = &provider.stored[provider.stored_count % KEYS_MAX];

    if (call->key[0] == '\0')
        return;
    if (provider.stored_count < KEYS_MAX)
        provider.stored_count++;
    snprintf(stored->key, sizeof(stored->key), "%s", call->key);
    snprintf(stored->parameters, sizeof(stored->parameters), "%s", parameters);
    stored->at_ms = world_now_ms();
    stored->result = *result;
}

void intents_deliver(struct call *call, enum behaviour behaviour)
{
    bool is_read = call_reads(call);
    struct payment_result *result = &call->result;
    const struct stored *stored;
    char parameters[320];

    note_key(call);
    snprintf(parameters, sizeof(parameters), "%d %s %lld %s %s", call->operation, call->intent,
             (long long)call->amount, call->method, call->refund);
    stored = is_read ? NULL : find_stored(call, parameters);
    if (stored) {
        *result = stored->result;
        return;
    }
    if (behaviour == IS_BUSY) {
        call_say_fault(result, PAYMENT_TRANSIENT, FAULT_TRANSIENT, "rate_limit");
        return;
    }
    if (is_read && (behaviour == FAILS_500 || behaviour == DOES_IT_500)) {
        call_say_fault(result, PAYMENT_TRANSIENT, FAULT_TRANSIENT, "api_error");
        return;
    }
    if (behaviour != FAILS_500)
        act(call, behaviour, result);
    if (behaviour == FAILS_500 || behaviour == DOES_IT_500)
        call_say_fault(result, PAYMENT_UNKNOWN, FAULT_UNKNOWN, "api_error");
    if (behaviour == MISSTATES && result->verdict == PAYMENT_STATE)
        result->intent.amount++;
    keep(call, parameters, result);
}

/* --- what customers and banks do ----------------------------------------------------------------
 */

/* Whoever has kept its secret may confirm it with another card, past us. */
static bool is_declined(const struct payment_intent *intent)
{
    return intent->status == INTENT_REQUIRES_PAYMENT_METHOD;
}

static void finish(struct payment_intent *intent, bool succeeds)
{
    intent->status = succeeds ? INTENT_SUCCEEDED : INTENT_REQUIRES_PAYMENT_METHOD;
    if (succeeds) {
        intent->amount_received = intent->amount;
        provider.confirmed[intent - provider.intents]++;
    } else {
        decline(intent, "authentication_failed");
    }
}

void intents_customer(unsigned which, unsigned how)
{
    struct payment_intent *intent;

    if (provider.intent_count == 0)
        return;
    intent = &provider.intents[which % (unsigned)provider.intent_count];
    if (intent->status != INTENT_REQUIRES_ACTION && intent->status != INTENT_PROCESSING &&
        !is_declined(intent))
        return;
    if (how % 8 == 7)
        intent->status = INTENT_PROCESSING;
    else
        finish(intent, how % 4 != 0);
}

void intents_end_work(void)
{
    for (int i = 0; i < provider.intent_count; i++)
        if (provider.intents[i].status == INTENT_PROCESSING)
            finish(&provider.intents[i], i % 2 == 0);
}

bool intents_is_at_work(int order)
{
    for (int i = 0; i < provider.intent_count; i++)
        if (provider.orders[i] == order && provider.intents[i].status == INTENT_PROCESSING)
            return true;
    return false;
}

bool intents_find(unsigned which, int *order, char id[PROVIDER_ID_SIZE])
{
    unsigned index = provider.intent_count > 0 ? which % (unsigned)provider.intent_count : 0;

    if (provider.intent_count == 0)
        return false;
    *order = provider.orders[index];
    snprintf(id, PROVIDER_ID_SIZE, "%s", provider.intents[index].id);
    return true;
}

bool intents_cancel_all(int order)
{
    if (!intents_owes_nothing(order))
        return false;
    for (int i = 0; i < provider.intent_count; i++) {
        if (provider.orders[i] == order)
            provider.intents[i].status = INTENT_CANCELED;
    }
    return true;
}

/* --- its books -------------------------------------------------------------------------------- */

int64_t intents_kept(int order)
{
    int64_t kept = -refunds_given_back(order);

    for (int i = 0; i < provider.intent_count; i++)
        kept +=
            provider.orders[i] == order ? provider.confirmed[i] * provider.intents[i].amount : 0;
    return kept;
}

bool intents_is_canceled(const char *intent)
{
    for (int i = 0; i < provider.intent_count; i++)
        if (strcmp(provider.intents[i].id, intent) == 0)
            return provider.intents[i].status == INTENT_CANCELED;
    return false;
}

bool intents_was_declined(const char *intent)
{
    for (int i = 0; i < provider.intent_count; i++)
        if (strcmp(provider.intents[i].id, intent) == 0)
            return provider.was_declined[i];
    return false;
}

bool intents_can_be_paid(int order)
{
    for (int i = 0; i < provider.intent_count; i++) {
        const struct payment_intent *intent = &provider.intents[i];

        if (provider.orders[i] == order && intent->status != INTENT_CANCELED &&
            intent->status != INTENT_SUCCEEDED &&
            (provider.last_key[i][0] != '\0' || call_may_confirm(intent->id)))
            return true;
    }
    return false;
}

int intents_charges(int order)
{
    int charges = 0;

    for (int i = 0; i < provider.intent_count; i++)
        charges += provider.orders[i] == order ? provider.confirmed[i] : 0;
    return charges;
}

bool intents_owes_nothing(int order)
{
    return intents_kept(order) == 0;
}

void intents_begin(void)
{
    provider.intent_count = provider.stored_count = 0;
}
