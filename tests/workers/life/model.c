#include "tests/workers/life/model.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "tests/workers/life/call.h"
#include "tests/workers/life/inside.h"
#include "tests/workers/life/intents.h"
#include "tests/workers/life/refunds.h"

enum { CALLS_MAX = 64 };

static struct {
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

bool call_may_confirm(const char *intent)
{
    for (int i = 0; i < model.call_count; i++)
        if (model.calls[i].is_payment && model.calls[i].operation == PAYMENT_CONFIRM &&
            !model.calls[i].is_delivered && !is_lost_for_ever(&model.calls[i]) &&
            strcmp(model.calls[i].intent, intent) == 0)
            return true;
    return false;
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

void call_say_fault(struct payment_result *result, enum payment_verdict verdict,
                    enum fault_kind kind, const char *code)
{
    *result = (struct payment_result){.verdict = verdict, .retry_after_ms = -1};
    fail_as(&result->fault, kind, code, "%s", code);
}

bool call_reads(const struct call *call)
{
    return call->operation == PAYMENT_RETRIEVE || call->operation == PAYMENT_REFUNDS;
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
        if (intents_owes_nothing(call->order))
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
        intents_deliver(call, behaviour);
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
    if (call->is_payment && call_reads(call))
        call_say_fault(&call->result, PAYMENT_TRANSIENT, FAULT_TRANSIENT, "timeout");
    else if (call->is_payment)
        call_say_fault(&call->result, PAYMENT_UNKNOWN, FAULT_UNKNOWN, "timeout");
    else if (call->operation == (int)CARRIER_LOOK_UP)
        say_shipping(&call->shipped, CARRIER_TRANSIENT, FAULT_TRANSIENT, "timeout");
    else
        say_shipping(&call->shipped, CARRIER_UNKNOWN, FAULT_UNKNOWN, "timeout");
    tell(call);
    if (!rest.is_delivered && model.call_count < CALLS_MAX)
        model.calls[model.call_count++] = rest;
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
    model.call_count = 0;
    intents_begin();
    refunds_begin();
    memset(model.shipments, 0, sizeof(model.shipments));
    memset(model.has_refused, 0, sizeof(model.has_refused));
    model.provider = (struct provider){.name = "model", .start = start_payment};
    model.carrier = (struct carrier){.name = "model", .start = start_shipping};
}
