/* workers/steps/refund.c - give money back, once: the step behind docket.refund
 *
 *     look through the intent's refunds ─┬─ ours is there ─► made │ refused │ still at work
 *        ▲                               └─ it is not ─► commit that it is about to be sent ─► send
 *        └──────────────── unknown, or too early to send again ◄──────────────────────────────┘
 *
 * A refund has no state at the provider that would keep a second one from being made, so the list
 * is looked through directly before each send, the key stays until the provider has answered it
 * with a failure, and nothing is sent again before the longest call is over.  An order that is
 * being undone opens its refund here, of all that is left.
 */
#include "workers/steps.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "workers/providers/stripe.h"
#include "workers/steps/provider_call.h"

struct refund {
    struct provider_call provider_call; /* first: provider_call_of() */
    bool is_stored; /* this job has just committed that it is about to be sent */
};

static void on_listed(struct job *job, const struct payment_call *call);
static void on_refunded(struct job *job, const struct payment_call *call);

static void send_refund(struct job *job)
{
    const struct order_facts *facts = job_facts(job);
    char key[PROVIDER_KEY_SIZE];

    snprintf(key, sizeof(key), "%s-refund-%d-%d", job_public_id(job), (int)facts->refund_number,
             (int)facts->refund_keys);
    provider_call_begin(job, PAYMENT_REFUND, key, on_refunded);
}

static void proceed(struct job *job)
{
    const struct order_facts *facts = job_facts(job);
    struct refund *refund = job_work(job);

    if (facts->refund_number == 0) {
        provider_learn(job, order_owes_rest(facts) ? VERDICT_REFUND_OWED : VERDICT_NOTHING);
    } else if (refund->is_stored && facts->refund_state == REFUND_SENT) {
        refund->is_stored = false;
        send_refund(job);
    } else {
        provider_call_begin(job, PAYMENT_REFUNDS, NULL, on_listed);
    }
}

/* --- answers -----------------------------------------------------------------------------------
 */

static void learn_failure(struct job *job, const struct payment_call *call)
{
    const struct payment_result *result = &call->result;
    struct order_lesson lesson = {.verdict = VERDICT_FAILED,
                                  .fault = result->fault,
                                  .retry_after_ms = result->retry_after_ms};

    if (strcmp(result->fault.code, "call_withheld") == 0)
        lesson.verdict = VERDICT_INTERRUPTED;
    else if (result->verdict == PAYMENT_UNKNOWN)
        lesson.verdict = VERDICT_REFUND_UNKNOWN;
    lesson.is_answered = call->outside.status >= 500;
    job_learn(job, &lesson);
}

/* While it may have been made, a look that fails leaves it unknown. */
static void learn_unlisted(struct job *job, const struct payment_call *call)
{
    bool may_be_made = job_facts(job)->refund_state != REFUND_OPENED;
    struct order_lesson lesson = {.verdict = VERDICT_REFUND_UNKNOWN,
                                  .fault = call->result.fault,
                                  .retry_after_ms = call->result.retry_after_ms};

    if (call->result.verdict != PAYMENT_TRANSIENT || !may_be_made ||
        strcmp(lesson.fault.code, "call_withheld") == 0) {
        learn_failure(job, call);
        return;
    }
    lesson.fault.kind = FAULT_UNKNOWN;
    job_learn(job, &lesson);
}

static void learn_broken(struct job *job, const char *code, const char *text)
{
    struct order_lesson lesson = {.verdict = VERDICT_FAILED, .retry_after_ms = -1};

    fail_as(&lesson.fault, FAULT_BROKEN, code, "%s", text);
    job_learn(job, &lesson);
}

static void adopt(struct job *job, const struct payment_refund *refund)
{
    static const enum verdict verdicts[] = {
        [REFUND_PENDING] = VERDICT_REFUND_ACCEPTED,
        [REFUND_SUCCEEDED] = VERDICT_REFUND_MADE,
        [REFUND_FAILED] = VERDICT_REFUND_REFUSED,
        [REFUND_CANCELED] = VERDICT_REFUND_REFUSED,
    };

    if (refund->amount != job_facts(job)->refund_amount ||
        strcmp(refund->currency, job_order(job)->currency) != 0)
        learn_broken(job, "refund_differs",
                     "the provider's refund is about another amount: compare its books");
    else
        job_learn(job, &(struct order_lesson){.verdict = verdicts[refund->status],
                                              .retry_after_ms = -1,
                                              .refund_id = refund->id});
}

/* Not in the list: it was not made, or not yet. */
static void go_on_unlisted(struct job *job, int64_t refunded)
{
    const struct order_facts *facts = job_facts(job);
    struct refund *refund = job_work(job);

    if (refunded + facts->refund_amount > facts->captured) {
        learn_broken(job, "refunded_elsewhere",
                     "the provider's books hold refunds that ours do not: compare them; nothing "
                     "more is given back by itself");
    } else if (facts->refund_state != REFUND_OPENED &&
               facts->since_refund_sent_ms < job_policy(job)->longest_call_ms) {
        provider_learn(job, VERDICT_REFUND_OPEN);
    } else {
        refund->is_stored = true;
        provider_learn(job, VERDICT_REFUND_SENDING);
    }
}

static void on_listed(struct job *job, const struct payment_call *call)
{
    if (call->result.verdict != PAYMENT_STATE)
        learn_unlisted(job, call);
    else if (call->result.refund.id[0] != '\0')
        adopt(job, &call->result.refund);
    else
        go_on_unlisted(job, call->result.refunded);
}

static void on_refunded(struct job *job, const struct payment_call *call)
{
    if (call->result.verdict == PAYMENT_STATE)
        adopt(job, &call->result.refund);
    else
        learn_failure(job, call);
}

static void interrupt(struct job *job, struct order_lesson *lesson)
{
    if (provider_call_of(job)->call.operation == PAYMENT_REFUND) {
        lesson->verdict = VERDICT_REFUND_UNKNOWN;
        lesson->is_interrupted = true;
        fail_as(&lesson->fault, FAULT_UNKNOWN, "worker_stopped",
                "the worker was stopped while the provider had not answered");
    } else {
        lesson->verdict = VERDICT_INTERRUPTED;
    }
}

const struct step refund_step = {
    .stage = STAGE_REFUND,
    .looks_again = true,
    .register_metrics = provider_register,
    .open = provider_open,
    .work_bytes = sizeof(struct refund),
    .proceed = proceed,
    .interrupt = interrupt,
};
