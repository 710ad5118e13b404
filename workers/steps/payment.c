/* workers/steps/payment.c - reserve, then pay: the step behind docket.payment
 *
 *     reserve ─► create ─► store the intent's id ─► confirm ─► paid │ customer │ unknown
 *                                             ▲       └─► declined ─► cancel     │
 *                                             └─ not acted on ◄─ look it up ◄────┘
 *
 * The intent and the number of the confirm are committed before a confirm is sent, so a payment is
 * never asked for in a way that the books could not tell.  Once a confirm may have been sent, only
 * a look-up (or a successful cancel) says what happened; one intent succeeds at most once.  An
 * attempt that is over (declined, or its time is) is fenced off by a cancel before its stock is
 * returned: whoever still holds the intent's secret cannot pay it any more.
 */
#include "workers/steps.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "workers/providers/stripe.h"
#include "workers/steps/provider_call.h"

enum { KEY_SIZE = 96, FAILURES_A_KEY = 3 };

struct payment {
    struct job *job;
    struct payment_call call;
    char key[KEY_SIZE];
    struct decline decline; /* what a lesson says of it */
    bool has_looked;        /* for orders that look like this one */
    bool is_stored;         /* this job has just committed that a confirm is about to be sent */
};

static void begin_call(struct job *job, enum payment_operation operation);
static void on_created(struct job *job, const struct payment_result *result);
static void on_confirmed(struct job *job, const struct payment_result *result);
static void on_retrieved(struct job *job, const struct payment_result *result);
static void on_canceled(struct job *job, const struct payment_result *result);
static void learn_intent(struct job *job, const struct payment_intent *intent);
static void learn_fault_of(struct job *job, enum verdict verdict,
                           const struct payment_intent *intent, const struct fault *fault);

static void learn(struct job *job, enum verdict verdict)
{
    job_learn(job, &(struct order_lesson){.verdict = verdict, .retry_after_ms = -1});
}

static void learn_fault(struct job *job, enum verdict verdict, const struct fault *fault,
                        int64_t retry_after_ms)
{
    job_learn(job, &(struct order_lesson){
                       .verdict = verdict, .fault = *fault, .retry_after_ms = retry_after_ms});
}

static const struct decline *keep_decline(struct job *job, const struct payment_decline *decline)
{
    struct payment *payment = job_work(job);

    payment->decline = (struct decline){
        .code = decline->code,
        .reason = decline->reason,
        .retry_same_card = decline->retry_same_card,
        .try_another_card = decline->try_another_card,
    };
    return &payment->decline;
}

/* What the provider told of an intent; its id is kept with whatever follows from it. */
static void learn_of(struct job *job, enum verdict verdict, const struct payment_intent *intent)
{
    job_learn(job, &(struct order_lesson){.verdict = verdict,
                                          .retry_after_ms = -1,
                                          .intent_id = intent->id,
                                          .decline = keep_decline(job, &intent->decline),
                                          .next_action = intent->next_action});
}

static void learn_fault_of(struct job *job, enum verdict verdict,
                           const struct payment_intent *intent, const struct fault *fault)
{
    job_learn(job, &(struct order_lesson){.verdict = verdict,
                                          .fault = *fault,
                                          .retry_after_ms = -1,
                                          .intent_id = intent->id});
}

static bool must_fence(const struct job *job)
{
    return order_must_fence(job_facts(job), job_policy(job));
}

/* The cancel of an attempt that is over is its look-up, too: it is refused if money has moved. */
static void end_declined(struct job *job)
{
    const struct order_facts *facts = job_facts(job);

    if (facts->is_fenced || facts->intent_id[0] == '\0')
        learn(job, VERDICT_VOIDED);
    else
        begin_call(job, must_fence(job) ? PAYMENT_CANCEL : PAYMENT_RETRIEVE);
}

static void pay(struct job *job)
{
    const struct order_facts *facts = job_facts(job);
    struct payment *payment = job_work(job);

    switch (facts->attempt_state) {
    case ATTEMPT_NONE:
        learn(job, VERDICT_RESERVED);
        break;
    case ATTEMPT_CREATED:
        if (facts->total == 0)
            learn(job, VERDICT_PAID);
        else /* adopted after a restore: what became of it is for the provider to say */
            begin_call(job, facts->intent_id[0] != '\0' ? PAYMENT_RETRIEVE : PAYMENT_CREATE);
        break;
    case ATTEMPT_AUTHORIZING:
        begin_call(job, payment->is_stored ? PAYMENT_CONFIRM : PAYMENT_RETRIEVE);
        break;
    case ATTEMPT_REQUIRES_ACTION:
    case ATTEMPT_UNKNOWN:
    case ATTEMPT_INTEGRITY_FAILURE: /* an operator has replayed it */
        begin_call(job, PAYMENT_RETRIEVE);
        break;
    case ATTEMPT_DECLINED:
        end_declined(job);
        break;
    case ATTEMPT_VOIDED:
        learn(job, VERDICT_VOIDED);
        break;
    case ATTEMPT_CAPTURED: /* paid too late, and an operator has replayed it */
        learn(job, VERDICT_PAID);
        break;
    }
}

/* Once, before anything is taken or asked for. */
static bool must_look_for_twins(struct job *job)
{
    struct payment *payment = job_work(job);
    bool has_looked = payment->has_looked;

    payment->has_looked = true;
    return !has_looked && order_must_compare(job_facts(job), job_policy(job));
}

static void proceed(struct job *job)
{
    const struct order_facts *facts = job_facts(job);

    struct order_lesson resolved;

    ((struct payment *)job_work(job))->job = job;
    switch (facts->status) {
    case ORDER_ACCEPTED:
    case ORDER_PROCESSING:
    case ORDER_ON_HOLD:
        if (order_resolved(facts, &resolved))
            job_learn(job, &resolved);
        else if (order_must_hold(facts, job_policy(job)))
            learn(job, VERDICT_DUPLICATE);
        else if (must_look_for_twins(job))
            job_find_twins(job);
        else if (facts->held == 0 && facts->attempt_state <= ATTEMPT_CREATED)
            job_reserve(job);
        else
            pay(job);
        break;
    case ORDER_REQUIRES_ACTION:
    case ORDER_PAYMENT_FAILED:
        if (order_resolved(facts, &resolved))
            job_learn(job, &resolved);
        else
            pay(job);
        break;
    case ORDER_CONFIRMED:
    case ORDER_FULFILLED:
    case ORDER_OUT_OF_STOCK:
    case ORDER_CANCELING:
    case ORDER_CANCELED:
    case ORDER_REFUNDING:
    case ORDER_REFUNDED:
        learn(job, VERDICT_NOTHING);
        break;
    }
}

/* --- calls -------------------------------------------------------------------------------------
 */

static bool may_send(struct payment_call *call)
{
    return job_may_send(container_of(call, struct payment, call)->job);
}

static void on_done(struct payment_call *call)
{
    struct job *job = container_of(call, struct payment, call)->job;

    if (!job_end_call(job, call->outside.evidence))
        return;
    switch (call->operation) {
    case PAYMENT_CREATE:
        on_created(job, &call->result);
        break;
    case PAYMENT_CONFIRM:
        on_confirmed(job, &call->result);
        break;
    case PAYMENT_RETRIEVE:
        on_retrieved(job, &call->result);
        break;
    case PAYMENT_CANCEL:
        on_canceled(job, &call->result);
        break;
    case PAYMENT_CAPTURE:
    case PAYMENT_REFUND:
    case PAYMENT_REFUNDS:
        break;
    }
}

/* Keys are made of what is committed, so that whoever repeats a call repeats it under its key.  A
 * create or a cancel moves no money and may leave a stored 500 behind, so its key changes with
 * every third failure; the key of a confirm changes only by a commit (order_decide). */
static void write_key(struct job *job, enum payment_operation operation)
{
    const struct order_facts *facts = job_facts(job);
    struct payment *payment = job_work(job);
    int nth = 1;

    if (operation == PAYMENT_CREATE || operation == PAYMENT_CANCEL)
        nth = facts->attempt / FAILURES_A_KEY + 1;
    if (operation == PAYMENT_CONFIRM)
        nth = facts->confirms;
    snprintf(payment->key, sizeof(payment->key), "%s-%d-%s-%d", job_public_id(job),
             (int)facts->attempt_number, payment_operation_name(operation), nth);
    if (operation != PAYMENT_CONFIRM)
        job_add_pass(job, payment->key, sizeof(payment->key));
}

static void begin_call(struct job *job, enum payment_operation operation)
{
    const struct order_facts *facts = job_facts(job);
    const struct claim_order *order = job_order(job);
    struct provider *provider = job_outside(job);
    struct payment *payment = job_work(job);

    write_key(job, operation);
    payment->is_stored = false;
    payment->call = (struct payment_call){
        .operation = operation,
        .order = job_public_id(job),
        .amount = facts->total,
        .currency = order->currency,
        .method = operation == PAYMENT_CREATE ? order->payment_method : NULL,
        .intent = facts->intent_id,
        .key = payment->key,
        .may_send = may_send,
        .on_done = on_done,
    };
    if (job_begin_call(job, payment_operation_name(operation)))
        provider->start(provider, &payment->call);
}

/* --- answers -----------------------------------------------------------------------------------
 */

/* Nothing was done, or it is our fault: what is retried, and how often, is order_decide's. */
static void learn_failure(struct job *job, const struct payment_result *result)
{
    struct fault fault = result->fault;

    if (strcmp(fault.code, "call_withheld") == 0) {
        learn(job, VERDICT_INTERRUPTED);
        return;
    }
    if (result->verdict == PAYMENT_UNKNOWN) /* of a call that moves no money */
        fault.kind = FAULT_TRANSIENT;
    learn_fault(job, VERDICT_FAILED, &fault, result->retry_after_ms);
}

/* The answer need not hold the intent; if it does, it must be ours. */
static void learn_declined(struct job *job, const struct payment_result *result)
{
    const struct claim_order *order = job_order(job);
    const struct payment_intent *intent = &result->intent;
    bool has_intent = intent->id[0] != '\0';
    struct fault fault;

    if (has_intent &&
        !payment_intent_agrees(intent, job_public_id(job), order->total, order->currency, &fault)) {
        learn_fault_of(job, VERDICT_INTEGRITY, intent, &fault);
        return;
    }
    job_learn(job, &(struct order_lesson){.verdict = VERDICT_DECLINED,
                                          .retry_after_ms = -1,
                                          .intent_id = has_intent ? intent->id : NULL,
                                          .decline = keep_decline(job, &result->decline)});
}

static void on_created(struct job *job, const struct payment_result *result)
{
    if (result->verdict == PAYMENT_STATE)
        learn_intent(job, &result->intent);
    else if (result->verdict == PAYMENT_DECLINED)
        learn_declined(job, result);
    else
        learn_failure(job, result);
}

static void on_confirmed(struct job *job, const struct payment_result *result)
{
    switch (result->verdict) {
    case PAYMENT_STATE:
        learn_intent(job, &result->intent);
        break;
    case PAYMENT_DECLINED:
        learn_declined(job, result);
        break;
    case PAYMENT_UNKNOWN:
        learn_fault(job, VERDICT_PAYMENT_UNKNOWN, &result->fault, result->retry_after_ms);
        break;
    case PAYMENT_TRANSIENT:
    case PAYMENT_BROKEN:
        learn_failure(job, result);
        break;
    }
}

/* While a confirm may have been sent, a look-up or a cancel that fails leaves the payment unknown:
 * it never ages into a failure. */
static void learn_passing(struct job *job, const struct payment_result *result)
{
    enum attempt_state state = job_facts(job)->attempt_state;
    bool is_asked = state == ATTEMPT_UNKNOWN || state == ATTEMPT_AUTHORIZING;
    bool is_passing = result->verdict == PAYMENT_TRANSIENT || result->verdict == PAYMENT_UNKNOWN;
    struct fault fault = result->fault;

    if (is_asked && is_passing && strcmp(fault.code, "call_withheld") != 0) {
        fault.kind = FAULT_UNKNOWN;
        learn_fault(job, VERDICT_PAYMENT_UNKNOWN, &fault, result->retry_after_ms);
    } else {
        learn_failure(job, result);
    }
}

static void on_retrieved(struct job *job, const struct payment_result *result)
{
    if (result->verdict == PAYMENT_STATE)
        learn_intent(job, &result->intent);
    else
        learn_passing(job, result);
}

/* Canceled, or the state that made it too late. */
static void on_canceled(struct job *job, const struct payment_result *result)
{
    if (result->verdict == PAYMENT_STATE)
        learn_intent(job, &result->intent);
    else
        learn_passing(job, result);
}

/* The provider shows that the last confirm did not act, or that there was none. */
static void learn_not_acted(struct job *job, const struct payment_intent *intent)
{
    const struct order_facts *facts = job_facts(job);
    struct payment *payment = job_work(job);
    struct fault fault;

    if (payment->call.operation == PAYMENT_CONFIRM) { /* never at once again: that would not end */
        fail_as(&fault, FAULT_UNKNOWN, "confirm_without_effect",
                "the provider took the confirm and left the intent as it was");
        learn_fault_of(job, VERDICT_PAYMENT_UNKNOWN, intent, &fault);
    } else if (facts->attempt_state == ATTEMPT_UNKNOWN &&
               facts->since_sent_ms < job_policy(job)->longest_call_ms) {
        learn(job, VERDICT_PAYMENT_OPEN);
    } else {
        payment->is_stored = true;
        learn_of(job, VERDICT_INTENT_STORED, intent);
    }
}

static void learn_processing(struct job *job, const struct payment_intent *intent)
{
    struct fault fault;

    fail_as(&fault, FAULT_UNKNOWN, "payment_processing", "the provider is still working on it");
    learn_fault_of(job, VERDICT_PAYMENT_UNKNOWN, intent, &fault);
}

static void learn_capturable(struct job *job, const struct payment_intent *intent)
{
    struct fault fault;

    fail_as(&fault, FAULT_BROKEN, "manual_capture",
            "the provider holds the amount without taking it; capture or cancel it there");
    learn_fault_of(job, VERDICT_FAILED, intent, &fault);
}

static void learn_status(struct job *job, const struct payment_intent *intent)
{
    switch (intent->status) {
    case INTENT_SUCCEEDED:
        learn_of(job, VERDICT_PAID, intent);
        break;
    case INTENT_CANCELED:
        learn_of(job, VERDICT_VOIDED, intent);
        break;
    case INTENT_PROCESSING:
        learn_processing(job, intent);
        break;
    case INTENT_REQUIRES_CAPTURE:
        learn_capturable(job, intent);
        break;
    case INTENT_REQUIRES_ACTION:
        learn_of(job, VERDICT_REQUIRES_ACTION, intent);
        break;
    case INTENT_REQUIRES_PAYMENT_METHOD:
        if (intent->decline.code[0] != '\0')
            learn_of(job, VERDICT_DECLINED, intent);
        else
            learn_not_acted(job, intent);
        break;
    case INTENT_REQUIRES_CONFIRMATION:
        learn_not_acted(job, intent);
        break;
    }
}

/* What a cancel cannot end, and what it would be refused for. */
static bool can_cancel(enum intent_status status)
{
    return status != INTENT_SUCCEEDED && status != INTENT_CANCELED && status != INTENT_PROCESSING;
}

/* A cancel that leaves the intent as it was ends nothing; not at once again, that would not end. */
static void learn_not_canceled(struct job *job, const struct payment_intent *intent)
{
    struct fault fault;

    fail_as(&fault, FAULT_TRANSIENT, "cancel_without_effect",
            "the provider took the cancel and left the intent as it was");
    learn_fault_of(job, VERDICT_FAILED, intent, &fault);
}

static void learn_intent(struct job *job, const struct payment_intent *intent)
{
    const struct claim_order *order = job_order(job);
    const struct payment *payment = job_work(job);
    struct fault fault;

    if (!payment_intent_agrees(intent, job_public_id(job), order->total, order->currency, &fault))
        learn_fault_of(job, VERDICT_INTEGRITY, intent, &fault);
    else if (payment->call.operation == PAYMENT_CANCEL && can_cancel(intent->status))
        learn_not_canceled(job, intent);
    else if (must_fence(job) && can_cancel(intent->status))
        begin_call(job, PAYMENT_CANCEL);
    else
        learn_status(job, intent);
}

/* SIGTERM: a confirm or a cancel that was sent may have acted; everything else moved no money. */
static void interrupt(struct job *job, struct order_lesson *lesson)
{
    const struct payment *payment = job_work(job);

    if (payment->call.operation == PAYMENT_CONFIRM) {
        lesson->verdict = VERDICT_PAYMENT_UNKNOWN;
        lesson->is_interrupted = true;
        fail_as(&lesson->fault, FAULT_UNKNOWN, "worker_stopped",
                "the worker was stopped while the provider had not answered");
    } else {
        lesson->verdict = VERDICT_INTERRUPTED;
    }
}

const struct step payment_step = {
    .stage = STAGE_PAYMENT,
    .register_metrics = provider_register,
    .reserves_stock = true,
    .compares_books = true,
    .open = provider_open,
    .work_bytes = sizeof(struct payment),
    .proceed = proceed,
    .interrupt = interrupt,
};
