/* workers/steps/cancel.c - void what was asked for, or find it paid: the step behind docket.cancel
 *
 *     nothing was asked for ───────────────────────────────► canceled
 *     look the intent up ─┬─ canceled ─────────────────────► canceled
 *        ▲                ├─ captured ─────────────────────► the refund's turn
 *        │                └─ anything else ─► cancel it ─┬─► canceled: no money can move any more
 *        └───────────────── unknown, still at work ◄─────┴─► it was captured meanwhile
 *
 * A confirm that is under way needs no waiting for: the provider does one of the two first, and the
 * answer to the cancel says which.  No shipment is possible any more when this step is taken.
 */
#include "workers/steps.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "workers/providers/stripe.h"
#include "workers/steps/provider_call.h"

struct cancel {
    struct provider_call provider_call; /* first: provider_call_of() */
};

static void on_answered(struct job *job, const struct payment_call *call);

static void proceed(struct job *job)
{
    const struct order_facts *facts = job_facts(job);

    if (facts->status != ORDER_CANCELING)
        provider_learn(job, VERDICT_NOTHING);
    else if (facts->attempt_state == ATTEMPT_CAPTURED && facts->total > 0)
        provider_learn(job, VERDICT_PAID);
    else if (facts->intent_id[0] == '\0')
        provider_learn(job, VERDICT_VOIDED);
    else
        provider_call_begin(job, PAYMENT_RETRIEVE, NULL, on_answered);
}

/* The key changes with every third failure: a failure may be stored under it. */
static void cancel_intent(struct job *job)
{
    enum { FAILURES_A_KEY = 3 };
    const struct order_facts *facts = job_facts(job);
    char key[PROVIDER_KEY_SIZE];

    snprintf(key, sizeof(key), "%s-%d-undo-%d", job_public_id(job), (int)facts->attempt_number,
             (int)facts->attempt / FAILURES_A_KEY + 1);
    job_add_pass(job, key, sizeof(key));
    provider_call_begin(job, PAYMENT_CANCEL, key, on_answered);
}

/* While money may move, what is not known stays unknown, however often it is asked for. */
static void learn_failure(struct job *job, const struct payment_call *call)
{
    enum attempt_state state = job_facts(job)->attempt_state;
    bool may_move = state == ATTEMPT_UNKNOWN || state == ATTEMPT_AUTHORIZING;
    const struct payment_result *result = &call->result;
    struct order_lesson lesson = {.verdict = VERDICT_FAILED,
                                  .fault = result->fault,
                                  .retry_after_ms = result->retry_after_ms};

    if (strcmp(result->fault.code, "call_withheld") == 0) {
        lesson.verdict = VERDICT_INTERRUPTED;
    } else if (result->verdict == PAYMENT_UNKNOWN ||
               (result->verdict == PAYMENT_TRANSIENT && may_move)) {
        lesson.verdict = VERDICT_PAYMENT_UNKNOWN;
        lesson.fault.kind = FAULT_UNKNOWN;
    }
    job_learn(job, &lesson);
}

static void learn_at_work(struct job *job)
{
    struct order_lesson lesson = {.verdict = VERDICT_PAYMENT_UNKNOWN, .retry_after_ms = -1};

    fail_as(&lesson.fault, FAULT_UNKNOWN, "payment_processing",
            "the provider is still working on the payment; it is canceled, or given back, then");
    job_learn(job, &lesson);
}

static void learn_integrity(struct job *job, const struct fault *fault)
{
    job_learn(job, &(struct order_lesson){
                       .verdict = VERDICT_INTEGRITY, .fault = *fault, .retry_after_ms = -1});
}

static void adopt(struct job *job, const struct payment_call *call)
{
    const struct payment_intent *intent = &call->result.intent;
    const struct claim_order *order = job_order(job);
    struct fault fault;

    if (!payment_intent_agrees(intent, job_public_id(job), order->total, order->currency, &fault))
        learn_integrity(job, &fault);
    else if (intent->status == INTENT_CANCELED)
        provider_learn(job, VERDICT_VOIDED);
    else if (intent->status == INTENT_SUCCEEDED)
        provider_learn(job, VERDICT_PAID);
    else if (call->operation == PAYMENT_CANCEL || intent->status == INTENT_PROCESSING)
        learn_at_work(job);
    else
        cancel_intent(job);
}

static void on_answered(struct job *job, const struct payment_call *call)
{
    if (call->result.verdict == PAYMENT_STATE)
        adopt(job, call);
    else
        learn_failure(job, call);
}

/* SIGTERM: a cancel that was sent may have acted; the next worker looks first. */
static void interrupt(struct job *job, struct order_lesson *lesson)
{
    (void)job;
    lesson->verdict = VERDICT_INTERRUPTED;
}

const struct step cancel_step = {
    .stage = STAGE_CANCEL,
    .looks_again = true,
    .register_metrics = provider_register,
    .open = provider_open,
    .work_bytes = sizeof(struct cancel),
    .proceed = proceed,
    .interrupt = interrupt,
};
