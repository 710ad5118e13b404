#include "tests/workers/life/model.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "tests/workers/life/inside.h"
#include "tests/workers/life/refunds.h"

enum { INTENTS_MAX = 64, KEYS_MAX = 256, CALLS_MAX = 64, KEY_SIZE = 128 };

static const char wrong_key[] = "a key was used again with other parameters: %s";

struct stored {
    char key[KEY_SIZE], parameters[320];
    int64_t at_ms;
    struct payment_result result;
};

/* One call on its way.  What it says is copied, since its worker may be gone when it arrives. */
struct call {
    struct job *job; /* NULL: nobody waits */
    struct payment_call *payment;
    struct carrier_call *shipping;
    bool is_payment, is_delivered, is_held_up;
    int64_t sent_ms;
    int operation, order;
    int64_t amount;
    char intent[PROVIDER_ID_SIZE], key[KEY_SIZE], method[64], currency[4];
    char refund[64];
    struct payment_result result;
    struct carrier_result shipped;
};

static struct {
    struct payment_intent intents[INTENTS_MAX];
    int orders[INTENTS_MAX], confirmed[INTENTS_MAX];
    bool was_declined[INTENTS_MAX];
    char last_key[INTENTS_MAX][KEY_SIZE];
    int intent_count;
    struct stored stored[KEYS_MAX];
    int stored_count;
    struct call calls[CALLS_MAX];
    int call_count;
    int shipments[WORLD_ORDERS];
    bool has_refused[WORLD_ORDERS]; /* for good: a call that arrives later is refused, too */
    struct provider provider;
    struct carrier carrier;
} model;

/* --- calls on their way ------------------------------------------------------------------------
 */

/* What was sent so long ago does not arrive any more. */
static bool is_lost_for_ever(const struct call *call)
{
    return world_now_ms() - call->sent_ms >= WORLD_LONGEST_CALL_MS;
}

static struct call *add_call(void)
{
    struct call *call;

    if (model.call_count == CALLS_MAX) {
        world_break("more calls than the model has room for");
        model.call_count = 0;
    }
    call = &model.calls[model.call_count++];
    *call = (struct call){.job = world_caller(), .sent_ms = world_now_ms()};
    return call;
}

/* Of the same operation, that may still arrive. */
static const struct call *find_on_its_way(const struct call *call)
{
    for (int i = 0; i < model.call_count; i++) {
        const struct call *other = &model.calls[i];

        if (other != call && other->is_payment && !other->is_delivered &&
            other->operation == call->operation && strcmp(other->intent, call->intent) == 0 &&
            strcmp(other->refund, call->refund) == 0 && !is_lost_for_ever(other))
            return other;
    }
    return NULL;
}

/* Another key would be another effect, while the call under the last one may act yet.  A confirm
 * that is asked for again under its own key is the same confirm, however early. */
static void check_begun(const struct call *call)
{
    const struct call *other = find_on_its_way(call);
    bool moves_money = call->operation == PAYMENT_CONFIRM || call->operation == PAYMENT_REFUND;

    if (moves_money && other &&
        (call->operation == PAYMENT_REFUND || strcmp(other->key, call->key) != 0))
        world_break("%s is asked for, and %s may still arrive", call->key, other->key);
    if (call->operation == PAYMENT_CONFIRM && !promises_may_charge(call->order, call->intent))
        world_break("a confirm of %s, which the books do not know of", call->intent);
    if (call->operation == PAYMENT_CREATE && !promises_may_create(call->order))
        world_break("order %d is a possible duplicate, and an intent is made", call->order);
    if (call->operation == PAYMENT_CANCEL && !promises_may_fence(call->order))
        world_break("%s is canceled before its time", call->intent);
    if (call->operation == PAYMENT_REFUND)
        refunds_note_key(call->refund, call->key);
    promises_note_call(call->operation);
}

static void start_payment(struct provider *provider, struct payment_call *payment)
{
    struct call *call = add_call();

    (void)provider;
    call->is_payment = true;
    call->payment = payment;
    call->operation = payment->operation;
    call->order = world_order(payment->order);
    call->amount = payment->amount;
    snprintf(call->currency, sizeof(call->currency), "%s", payment->currency);
    snprintf(call->intent, sizeof(call->intent), "%s", payment->intent ? payment->intent : "");
    snprintf(call->key, sizeof(call->key), "%s", payment->key ? payment->key : "");
    snprintf(call->refund, sizeof(call->refund), "%s", payment->refund ? payment->refund : "");
    snprintf(call->method, sizeof(call->method), "%s", payment->method ? payment->method : "");
    check_begun(call);
}

static void say_shipping(struct carrier_result *result, enum carrier_verdict verdict,
                         enum fault_kind kind, const char *code)
{
    *result = (struct carrier_result){.verdict = verdict, .retry_after_ms = -1};
    fail_as(&result->fault, kind, code, "%s", code);
}

static void start_shipping(struct carrier *carrier, struct carrier_call *shipping)
{
    struct call *call = add_call();

    (void)carrier;
    call->shipping = shipping;
    call->operation = (int)shipping->operation;
    call->order = world_order_by_reference(shipping->reference);
    if (!shipping->may_send(shipping)) {
        say_shipping(&call->shipped, CARRIER_TRANSIENT, FAULT_TRANSIENT, "call_withheld");
        call->is_delivered = true;
    } else if (shipping->operation == CARRIER_SHIP && !promises_may_ship(call->order)) {
        world_break("order %d is to be shipped, and is not paid", call->order);
    }
}

static void remove_call(struct call *call)
{
    *call = model.calls[--model.call_count];
}

void model_hold_up(bool are_held)
{
    for (int i = 0; i < model.call_count; i++)
        model.calls[i].is_held_up = are_held;
}

bool model_has_calls(void)
{
    return model.call_count > 0;
}

void model_forget_job(const struct job *job)
{
    for (int i = model.call_count - 1; i >= 0; i--) {
        if (model.calls[i].job != job)
            continue;
        model.calls[i].job = NULL;
        if (model.calls[i].is_delivered)
            remove_call(&model.calls[i]);
    }
}

/* --- what the provider does --------------------------------------------------------------------
 */

static struct payment_intent *find_intent(const struct call *call)
{
    for (int i = 0; i < model.intent_count; i++)
        if (strcmp(model.intents[i].id, call->intent) == 0)
            return &model.intents[i];
    return NULL;
}

static void say_state(struct payment_result *result, const struct payment_intent *intent)
{
    *result =
        (struct payment_result){.verdict = PAYMENT_STATE, .intent = *intent, .retry_after_ms = -1};
}

static void say_fault(struct payment_result *result, enum payment_verdict verdict,
                      enum fault_kind kind, const char *code)
{
    *result = (struct payment_result){.verdict = verdict, .retry_after_ms = -1};
    fail_as(&result->fault, kind, code, "%s", code);
}

static void decline(struct payment_intent *intent, const char *code)
{
    model.was_declined[intent - model.intents] = true;
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
    for (int i = 0; i < model.intent_count; i++) {
        if (model.orders[i] == call->order && model.last_key[i][0] != '\0' &&
            model.intents[i].status != INTENT_CANCELED && call->job != NULL)
            world_break("a new intent, and %s of the same order is %s", model.intents[i].id,
                        intent_status_name(model.intents[i].status));
    }
}

static void create(const struct call *call, struct payment_result *result)
{
    struct payment_intent *intent;

    check_others_are_over(call);

    if (model.intent_count == INTENTS_MAX) {
        world_break("more intents than an order can need");
        model.intent_count = 0;
    }
    intent = &model.intents[model.intent_count];
    *intent =
        (struct payment_intent){.status = INTENT_REQUIRES_CONFIRMATION, .amount = call->amount};
    model.orders[model.intent_count] = call->order;
    model.confirmed[model.intent_count] = 0;
    model.was_declined[model.intent_count] = false;
    model.last_key[model.intent_count][0] = '\0';
    snprintf(intent->id, sizeof(intent->id), "pi_%d", ++model.intent_count);
    snprintf(intent->currency, sizeof(intent->currency), "%s", call->currency);
    snprintf(intent->order, sizeof(intent->order), "%s", world_public_id(call->order));
    say_state(result, intent);
}

/* One intent may be confirmed under several keys, but succeeds at most once. */
static void note_key(const struct call *call)
{
    const struct payment_intent *intent = find_intent(call);
    long index = intent ? intent - model.intents : -1;

    if (index < 0 || call->operation != PAYMENT_CONFIRM)
        return;
    if (model.last_key[index][0] != '\0' && strcmp(model.last_key[index], call->key) != 0)
        world_see(SAW_NEXT_KEY);
    snprintf(model.last_key[index], KEY_SIZE, "%s", call->key);
}

static void confirm(struct payment_intent *intent, enum behaviour behaviour,
                    struct payment_result *result)
{
    long index = intent - model.intents;

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
        model.confirmed[index]++;
    }
    say_state(result, intent);
}

static void act(const struct call *call, enum behaviour behaviour, struct payment_result *result)
{
    struct payment_intent *intent = find_intent(call);

    if (call->operation == PAYMENT_CREATE) {
        create(call, result);
    } else if (intent == NULL) {
        say_fault(result, PAYMENT_BROKEN, FAULT_BROKEN, "resource_missing");
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
    for (int i = 0; i < model.stored_count; i++) {
        struct stored *stored = &model.stored[i];

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
    struct stored *stored = &model.stored[model.stored_count % KEYS_MAX];

    if (call->key[0] == '\0')
        return;
    if (model.stored_count < KEYS_MAX)
        model.stored_count++;
    snprintf(stored->key, sizeof(stored->key), "%s", call->key);
    snprintf(stored->parameters, sizeof(stored->parameters), "%s", parameters);
    stored->at_ms = world_now_ms();
    stored->result = *result;
}

static bool reads(const struct call *call)
{
    return call->operation == PAYMENT_RETRIEVE || call->operation == PAYMENT_REFUNDS;
}

static void deliver_payment(struct call *call, enum behaviour behaviour)
{
    bool is_read = reads(call);
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
        say_fault(result, PAYMENT_TRANSIENT, FAULT_TRANSIENT, "rate_limit");
        return;
    }
    if (is_read && (behaviour == FAILS_500 || behaviour == DOES_IT_500)) {
        say_fault(result, PAYMENT_TRANSIENT, FAULT_TRANSIENT, "api_error");
        return;
    }
    if (behaviour != FAILS_500)
        act(call, behaviour, result);
    if (behaviour == FAILS_500 || behaviour == DOES_IT_500)
        say_fault(result, PAYMENT_UNKNOWN, FAULT_UNKNOWN, "api_error");
    if (behaviour == MISSTATES && result->verdict == PAYMENT_STATE)
        result->intent.amount++;
    keep(call, parameters, result);
}

/* --- what the carrier does ---------------------------------------------------------------------
 */

static void deliver_shipping(struct call *call, enum behaviour behaviour)
{
    struct carrier_result *result = &call->shipped;
    bool is_read = call->operation == (int)CARRIER_LOOK_UP;
    bool fails = behaviour == FAILS_500 || behaviour == DOES_IT_500;
    int *shipments = &model.shipments[call->order];

    if (behaviour == IS_BUSY || (is_read && fails)) {
        say_shipping(result, CARRIER_TRANSIENT, FAULT_TRANSIENT, "busy");
        return;
    }
    if (!is_read && *shipments == 0 && behaviour == DECLINES)
        model.has_refused[call->order] = true;
    if (!is_read && *shipments == 0 && behaviour != FAILS_500 && !model.has_refused[call->order]) {
        *shipments = 1;
        if (model_owes_nothing(call->order))
            world_break("order %d was shipped, and no money of it was taken", call->order);
    }
    if (!is_read && fails) {
        say_shipping(result, CARRIER_UNKNOWN, FAULT_UNKNOWN, "carrier_error");
    } else if (*shipments == 0 && !is_read) {
        say_shipping(result, CARRIER_REFUSED, FAULT_REFUSED, "address_refused");
    } else {
        *result = (struct carrier_result){.verdict = *shipments ? CARRIER_SHIPPED : CARRIER_NONE,
                                          .retry_after_ms = -1};
        snprintf(result->shipment, sizeof(result->shipment), "shp_%d", call->order);
    }
}

/* --- ops ---------------------------------------------------------------------------------------
 */

void model_deliver(unsigned which, enum behaviour behaviour)
{
    struct call *call;

    if (model.call_count == 0)
        return;
    call = &model.calls[which % (unsigned)model.call_count];
    if (call->is_delivered || call->is_held_up)
        return;
    if (is_lost_for_ever(call)) {
        if (call->job == NULL)
            remove_call(call);
        return;
    }
    if (call->job == NULL)
        world_see(SAW_LATE_ARRIVAL);
    if (call->is_payment)
        deliver_payment(call, behaviour);
    else
        deliver_shipping(call, behaviour);
    call->is_delivered = true;
    if (call->job == NULL)
        remove_call(call);
}

static void tell(struct call *call)
{
    struct call told = *call;

    bool is_500 = told.is_payment && strcmp(told.result.fault.code, "api_error") == 0;

    remove_call(call);
    if (is_500 && told.operation == PAYMENT_REFUND)
        refunds_note_failure(told.key);
    if (told.is_payment) {
        told.payment->result = told.result;
        told.payment->outside.status = is_500 ? 500 : 0;
        told.payment->on_done(told.payment);
    } else {
        told.shipping->result = told.shipped;
        told.shipping->on_done(told.shipping);
    }
}

void model_answer(unsigned which)
{
    struct call *call;

    if (model.call_count == 0)
        return;
    call = &model.calls[which % (unsigned)model.call_count];
    if (call->job && call->is_delivered)
        tell(call);
}

/* A time-out.  What was not delivered yet stays on its way, with nobody who waits for it. */
void model_lose(unsigned which)
{
    struct call *call, rest;

    if (model.call_count == 0)
        return;
    call = &model.calls[which % (unsigned)model.call_count];
    if (call->job == NULL)
        return;
    rest = *call;
    rest.job = NULL;
    if (call->is_payment && reads(call))
        say_fault(&call->result, PAYMENT_TRANSIENT, FAULT_TRANSIENT, "timeout");
    else if (call->is_payment)
        say_fault(&call->result, PAYMENT_UNKNOWN, FAULT_UNKNOWN, "timeout");
    else if (call->operation == (int)CARRIER_LOOK_UP)
        say_shipping(&call->shipped, CARRIER_TRANSIENT, FAULT_TRANSIENT, "timeout");
    else
        say_shipping(&call->shipped, CARRIER_UNKNOWN, FAULT_UNKNOWN, "timeout");
    tell(call);
    if (!rest.is_delivered && model.call_count < CALLS_MAX)
        model.calls[model.call_count++] = rest;
}

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
        model.confirmed[intent - model.intents]++;
    } else {
        decline(intent, "authentication_failed");
    }
}

void model_customer(unsigned which, unsigned how)
{
    struct payment_intent *intent;

    if (model.intent_count == 0)
        return;
    intent = &model.intents[which % (unsigned)model.intent_count];
    if (intent->status != INTENT_REQUIRES_ACTION && intent->status != INTENT_PROCESSING &&
        !is_declined(intent))
        return;
    if (how % 8 == 7)
        intent->status = INTENT_PROCESSING;
    else
        finish(intent, how % 4 != 0);
}

void model_end_work(void)
{
    for (int i = 0; i < model.intent_count; i++)
        if (model.intents[i].status == INTENT_PROCESSING)
            finish(&model.intents[i], i % 2 == 0);
}

bool model_is_at_work(int order)
{
    for (int i = 0; i < model.intent_count; i++)
        if (model.orders[i] == order && model.intents[i].status == INTENT_PROCESSING)
            return true;
    return false;
}

bool model_intent(unsigned which, int *order, char id[PROVIDER_ID_SIZE])
{
    unsigned index = model.intent_count > 0 ? which % (unsigned)model.intent_count : 0;

    if (model.intent_count == 0)
        return false;
    *order = model.orders[index];
    snprintf(id, PROVIDER_ID_SIZE, "%s", model.intents[index].id);
    return true;
}

bool model_cancel_all(int order)
{
    if (!model_owes_nothing(order))
        return false;
    for (int i = 0; i < model.intent_count; i++) {
        if (model.orders[i] == order)
            model.intents[i].status = INTENT_CANCELED;
    }
    return true;
}

/* --- the outside's books -----------------------------------------------------------------------
 */

int64_t model_kept(int order)
{
    int64_t kept = -refunds_given_back(order);

    for (int i = 0; i < model.intent_count; i++)
        kept += model.orders[i] == order ? model.confirmed[i] * model.intents[i].amount : 0;
    return kept;
}

static bool is_confirm_on_its_way(const char *intent)
{
    for (int i = 0; i < model.call_count; i++)
        if (model.calls[i].is_payment && model.calls[i].operation == PAYMENT_CONFIRM &&
            !model.calls[i].is_delivered && !is_lost_for_ever(&model.calls[i]) &&
            strcmp(model.calls[i].intent, intent) == 0)
            return true;
    return false;
}

bool model_is_canceled(const char *intent)
{
    for (int i = 0; i < model.intent_count; i++)
        if (strcmp(model.intents[i].id, intent) == 0)
            return model.intents[i].status == INTENT_CANCELED;
    return false;
}

bool model_was_declined(const char *intent)
{
    for (int i = 0; i < model.intent_count; i++)
        if (strcmp(model.intents[i].id, intent) == 0)
            return model.was_declined[i];
    return false;
}

bool model_can_be_paid(int order)
{
    for (int i = 0; i < model.intent_count; i++) {
        const struct payment_intent *intent = &model.intents[i];

        if (model.orders[i] == order && intent->status != INTENT_CANCELED &&
            intent->status != INTENT_SUCCEEDED &&
            (model.last_key[i][0] != '\0' || is_confirm_on_its_way(intent->id)))
            return true;
    }
    return false;
}

int model_charges(int order)
{
    int charges = 0;

    for (int i = 0; i < model.intent_count; i++)
        charges += model.orders[i] == order ? model.confirmed[i] : 0;
    return charges;
}

bool model_owes_nothing(int order)
{
    return model_kept(order) == 0;
}

int model_shipments(int order)
{
    return model.shipments[order];
}

struct provider *model_provider(void)
{
    return &model.provider;
}

struct carrier *model_carrier(void)
{
    return &model.carrier;
}

void model_begin(void)
{
    model.intent_count = model.stored_count = model.call_count = 0;
    refunds_begin();
    memset(model.shipments, 0, sizeof(model.shipments));
    memset(model.has_refused, 0, sizeof(model.has_refused));
    model.provider = (struct provider){.name = "model", .start = start_payment};
    model.carrier = (struct carrier){.name = "model", .start = start_shipping};
}
