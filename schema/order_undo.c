/* How an order is undone: the rules of canceling and giving back, called by order_decide() alone.
 *
 * fulfilment: is it on its way? ─ no ─► cancel: void the payment, or find it captured
 *                └─ yes: fulfilled                └─ voided: canceled  └─► refund ─► refunded
 *
 * What the payment's own step still learns of an order that is being undone is kept, and decides
 * nothing: whether the money was taken is looked up by the cancel.
 */
#include <stddef.h>

#include "schema/order_change.h"
#include "schema/order_undo.h"
#include "schema/outsides.h"

static bool is_undone(enum order_status status) /* or about to be */
{
    return status == ORDER_CANCELING || status == ORDER_REFUNDING || status == ORDER_CANCELED ||
           status == ORDER_REFUNDED;
}

static const char *reason_of(const struct order_facts *facts)
{
    switch (facts->undo) {
    case UNDO_CANCEL:
        return "canceled_on_request";
    case UNDO_UNDELIVERABLE:
        return "undeliverable";
    case UNDO_NONE:
        break;
    }
    return "";
}

static void write_refund(struct order_change *change, const struct order_facts *facts,
                         const struct order_lesson *lesson, enum refund_state state)
{
    change->refund_number = facts->refund_number;
    change->refund_state = state;
    change->refund_keys = facts->refund_keys;
    change->refund_id = lesson->refund_id;
}

static void end_undone(struct order_change *change, const struct order_facts *facts,
                       enum order_status status, const char *event)
{
    order_change_finish(change, event);
    change->status = status;
    change->reason = reason_of(facts);
    change->stock = STOCK_RETURNED;
    change->closes = true;
}

static void hand_on(struct order_change *change, enum stage stage, const char *event)
{
    order_change_finish(change, event);
    change->next = stage;
}

/* Nothing is lost by asking again, for as long as it takes; no attempt of it can be the last. */
static void ask_again(struct order_change *change, const struct order_facts *facts,
                      const struct order_lesson *lesson, const struct order_policy *policy,
                      uint32_t random)
{
    int64_t pause_ms = policy->retry.max_ms;

    order_change_count(change, facts, lesson);
    if (!retry_decide(&policy->retry, FAULT_UNKNOWN, change->task_attempt, lesson->retry_after_ms,
                      random, &pause_ms))
        pause_ms = policy->retry.max_ms;
    order_change_wait(change, "looked_up_later", pause_ms);
}

/* --- the steps on the way ----------------------------------------------------------------------
 */

/* Of the payment, or of a step between: it is overruled.  What must not be any more is not. */
static bool decide_overruled(const struct order_facts *facts, const struct order_lesson *lesson,
                             struct order_change *change)
{
    bool is_payment = facts->stage == STAGE_PAYMENT && facts->attempt_number != 0;

    if (lesson->verdict == VERDICT_SHIPPED ||
        (lesson->verdict == VERDICT_PAID && facts->status == ORDER_CANCELED))
        return false;
    order_change_finish(change, "closed");
    change->reason = reason_of(facts);
    if (is_payment && lesson->verdict == VERDICT_PAID) {
        order_change_write_attempt(change, facts, lesson, ATTEMPT_CAPTURED);
        change->is_captured = true;
    } else if (is_payment && lesson->intent_id && facts->intent_id[0] == '\0') {
        order_change_write_attempt(change, facts, lesson, facts->attempt_state);
    }
    return true;
}

/* A call that was begun before the cancel may make a shipment yet, and so may one of a worker that
 * had read the order before: it begins one for no longer than the longest call (fulfilment.c). */
static void decide_unshipped(const struct order_facts *facts, const struct order_policy *policy,
                             struct order_change *change)
{
    int64_t rest_ms = 2 * policy->longest_call_ms - facts->since_undo_ms;

    if (rest_ms > 0)
        order_change_wait(change, "shipment_not_made", rest_ms);
    else
        hand_on(change, STAGE_CANCEL, "shipment_fenced_off");
}

/* It is too late to cancel. */
static void decide_shipped(const struct order_lesson *lesson, struct order_change *change)
{
    order_change_finish(change, "shipped");
    change->status = ORDER_FULFILLED;
    change->reason = "shipped_before_cancel";
    change->writes_shipment = true;
    change->carrier_id = lesson->carrier_id;
    change->tracking = lesson->tracking;
    change->stock = STOCK_SHIPPED;
}

/* Paid, and never to be shipped: the money goes back. */
static void decide_undeliverable(const struct order_facts *facts, const struct order_lesson *lesson,
                                 struct order_change *change)
{
    bool has_money = facts->total > 0;

    order_change_finish(change, "undeliverable");
    change->fault = &lesson->fault;
    change->undo = UNDO_UNDELIVERABLE;
    change->status = has_money ? ORDER_REFUNDING : ORDER_CANCELING;
    change->reason = "undeliverable";
    change->next = has_money ? STAGE_REFUND : STAGE_CANCEL;
}

/* --- what goes wrong in between ----------------------------------------------------------------
 */

static const char *unknown_reason(const struct order_facts *facts)
{
    return facts->stage == STAGE_FULFILMENT ? "shipment_outcome_unknown"
           : facts->stage == STAGE_REFUND   ? "refund_outcome_unknown"
                                            : "payment_outcome_unknown";
}

static void decide_unknown(const struct order_facts *facts, const struct order_lesson *lesson,
                           const struct order_policy *policy, uint32_t random,
                           struct order_change *change)
{
    change->fault = &lesson->fault;
    change->reason = unknown_reason(facts);
    if (facts->stage == STAGE_CANCEL && facts->attempt_state == ATTEMPT_AUTHORIZING)
        order_change_write_attempt(change, facts, lesson, ATTEMPT_UNKNOWN);
    if (lesson->is_interrupted)
        order_change_hand_back(change, facts, "interrupted");
    else if (lesson->is_outage)
        order_change_park(change, "parked");
    else
        ask_again(change, facts, lesson, policy, random);
}

static void decide_held(const struct order_facts *facts, const struct order_lesson *lesson,
                        struct order_change *change)
{
    const struct outside *outside = outside_of(facts->stage);

    change->fault = &lesson->fault;
    change->reason = outside ? outside->unavailable : reason_of(facts);
    order_change_park(change, "parked");
}

static void decide_failed(const struct order_facts *facts, const struct order_lesson *lesson,
                          const struct order_policy *policy, uint32_t random,
                          struct order_change *change)
{
    int64_t pause_ms;

    if (lesson->is_outage && lesson->fault.kind == FAULT_TRANSIENT) {
        decide_held(facts, lesson, change);
        return;
    }
    change->fault = &lesson->fault;
    change->reason = reason_of(facts);
    order_change_count(change, facts, lesson);
    if (retry_decide(&policy->retry, lesson->fault.kind, change->task_attempt,
                     lesson->retry_after_ms, random, &pause_ms))
        order_change_wait(change, "retry", pause_ms);
    else
        order_change_give_up(change, facts, &lesson->fault);
}

/* --- cancel ------------------------------------------------------------------------------------
 */

static void decide_voided(const struct order_facts *facts, const struct order_lesson *lesson,
                          struct order_change *change)
{
    bool is_declined = facts->attempt_state == ATTEMPT_DECLINED;

    if (facts->attempt_number != 0 && facts->total > 0) {
        order_change_write_attempt(change, facts, lesson,
                                   is_declined ? ATTEMPT_DECLINED : ATTEMPT_VOIDED);
        change->is_fenced = true;
    }
    end_undone(change, facts, ORDER_CANCELED, "canceled");
}

static void decide_captured(const struct order_facts *facts, const struct order_lesson *lesson,
                            struct order_change *change)
{
    if (facts->attempt_state != ATTEMPT_CAPTURED) {
        order_change_write_attempt(change, facts, lesson, ATTEMPT_CAPTURED);
        change->is_captured = true;
    }
    hand_on(change, STAGE_REFUND, "found_paid");
}

static void decide_integrity(const struct order_facts *facts, const struct order_lesson *lesson,
                             struct order_change *change)
{
    order_change_write_attempt(change, facts, lesson, ATTEMPT_INTEGRITY_FAILURE);
    order_change_give_up(change, facts, &lesson->fault);
    change->reason = "integrity_failure";
}

static bool decide_cancel(const struct order_facts *facts, const struct order_lesson *lesson,
                          struct order_change *change)
{
    if (lesson->verdict == VERDICT_NOTHING && facts->status != ORDER_CANCELING) {
        order_change_finish(change, "closed");
        return true;
    }
    if (facts->status != ORDER_CANCELING)
        return false;
    if (lesson->verdict == VERDICT_VOIDED &&
        (facts->attempt_state != ATTEMPT_CAPTURED || facts->total == 0))
        decide_voided(facts, lesson, change);
    else if (lesson->verdict == VERDICT_PAID && facts->attempt_number != 0 && facts->total > 0)
        decide_captured(facts, lesson, change);
    else if (lesson->verdict == VERDICT_INTEGRITY && facts->attempt_number != 0)
        decide_integrity(facts, lesson, change);
    else
        return false;
    return true;
}

/* --- refund ------------------------------------------------------------------------------------
 */

static int64_t rest_of(const struct order_facts *facts)
{
    return facts->captured - facts->refunded;
}

/* Part of the money may be on its way back while the order is canceled: that says nothing of the
 * rest until the cancel has found out that nothing is shipped. */
bool order_owes_rest(const struct order_facts *facts)
{
    return facts->status == ORDER_REFUNDING ||
           (facts->status == ORDER_CANCELING && !facts->is_cancel_open);
}

/* All that is left of an order that is being undone, once nothing else is on its way. */
static void decide_owed(const struct order_facts *facts, struct order_change *change)
{
    if (rest_of(facts) <= 0) {
        end_undone(change, facts, ORDER_REFUNDED, "refunded");
        return;
    }
    change->event = "refund_opened";
    change->reason = reason_of(facts);
    change->refund_number = (int16_t)(facts->refunds + 1);
    change->refund_amount = rest_of(facts);
    change->refund_state = REFUND_OPENED;
    change->refund_keys = 1;
}

static void decide_sending(const struct order_facts *facts, const struct order_lesson *lesson,
                           struct order_change *change)
{
    write_refund(change, facts, lesson, REFUND_SENT);
    change->is_refund_sending = true;
    change->event = "refund_sent";
    change->reason = reason_of(facts);
}

/* A call that was sent before may make it yet. */
static void decide_open(const struct order_facts *facts, const struct order_policy *policy,
                        struct order_change *change)
{
    int64_t rest_ms = policy->longest_call_ms - facts->since_refund_sent_ms;

    change->reason = "refund_outcome_unknown";
    order_change_wait(change, "refund_not_made", rest_ms > 0 ? rest_ms : 1);
}

static void decide_made(const struct order_facts *facts, const struct order_lesson *lesson,
                        struct order_change *change)
{
    bool is_all = rest_of(facts) <= facts->refund_amount;
    bool is_undoing = order_owes_rest(facts);

    if (is_undoing && is_all && facts->refunds_open <= 1)
        end_undone(change, facts, ORDER_REFUNDED, "refunded");
    else if (is_undoing || facts->refunds_open > 1) /* the next, with fresh facts */
        order_change_hand_back(change, facts, "refund_made");
    else
        order_change_finish(change, "refund_made");
    change->reason = reason_of(facts);
    change->task_attempt = change->task_doubted = 0;
    write_refund(change, facts, lesson, REFUND_MADE);
}

static void decide_refused(const struct order_facts *facts, const struct order_lesson *lesson,
                           struct order_change *change)
{
    static const struct fault refused = {
        FAULT_REFUSED, "refund_failed",
        "the provider could not give the money back: see the refund in its books"};

    write_refund(change, facts, lesson, REFUND_REFUSED);
    order_change_give_up(change, facts, &refused);
}

static bool decide_refund_row(const struct order_facts *facts, const struct order_lesson *lesson,
                              const struct order_policy *policy, uint32_t random,
                              struct order_change *change)
{
    switch ((int)lesson->verdict) {
    case VERDICT_REFUND_SENDING:
        decide_sending(facts, lesson, change);
        return true;
    case VERDICT_REFUND_OPEN:
        decide_open(facts, policy, change);
        return true;
    case VERDICT_REFUND_MADE:
        decide_made(facts, lesson, change);
        return true;
    case VERDICT_REFUND_REFUSED:
        decide_refused(facts, lesson, change);
        return true;
    case VERDICT_REFUND_ACCEPTED:
        write_refund(change, facts, lesson, REFUND_ACCEPTED);
        change->reason = reason_of(facts);
        ask_again(change, facts, lesson, policy, random);
        return true;
    case VERDICT_REFUND_UNKNOWN: /* what is stored under a key is answered for ever */
        decide_unknown(facts, lesson, policy, random, change);
        write_refund(change, facts, lesson, REFUND_UNKNOWN);
        change->refund_keys = (int16_t)(facts->refund_keys + lesson->is_answered);
        return true;
    default:
        return false;
    }
}

static bool decide_refund(const struct order_facts *facts, const struct order_lesson *lesson,
                          const struct order_policy *policy, uint32_t random,
                          struct order_change *change)
{
    bool is_undoing = order_owes_rest(facts);

    if (facts->refund_number != 0)
        return decide_refund_row(facts, lesson, policy, random, change);
    if (lesson->verdict == VERDICT_NOTHING && !is_undoing)
        order_change_finish(change, "closed");
    else if (lesson->verdict == VERDICT_REFUND_OWED && is_undoing)
        decide_owed(facts, change);
    else
        return false;
    return true;
}

/* --- who decides -------------------------------------------------------------------------------
 */

/* What any step can meet. */
static bool decide_common(const struct order_facts *facts, const struct order_lesson *lesson,
                          const struct order_policy *policy, uint32_t random,
                          struct order_change *change)
{
    switch ((int)lesson->verdict) {
    case VERDICT_FAILED:
        decide_failed(facts, lesson, policy, random, change);
        return true;
    case VERDICT_PAYMENT_UNKNOWN:
    case VERDICT_SHIPMENT_UNKNOWN:
        decide_unknown(facts, lesson, policy, random, change);
        return true;
    case VERDICT_HELD:
        decide_held(facts, lesson, change);
        return true;
    case VERDICT_INTERRUPTED:
        order_change_hand_back(change, facts, "interrupted");
        change->reason = reason_of(facts);
        return true;
    default:
        return false;
    }
}

static bool decide_fulfilment(const struct order_facts *facts, const struct order_lesson *lesson,
                              const struct order_policy *policy, struct order_change *change)
{
    bool is_refused = lesson->verdict == VERDICT_FAILED && lesson->fault.kind == FAULT_REFUSED;

    if (facts->is_shipped)
        return false;
    if (lesson->verdict == VERDICT_SHIPPED &&
        (facts->attempt_state == ATTEMPT_CAPTURED || facts->total == 0))
        decide_shipped(lesson, change);
    else if (lesson->verdict == VERDICT_UNSHIPPED || is_refused)
        decide_unshipped(facts, policy, change);
    else
        return false;
    change->reason = change->status == ORDER_CANCELING ? reason_of(facts) : change->reason;
    return true;
}

static bool is_undeliverable(const struct order_facts *facts, const struct order_lesson *lesson)
{
    return facts->stage == STAGE_FULFILMENT && facts->status == ORDER_CONFIRMED &&
           lesson->verdict == VERDICT_FAILED && lesson->fault.kind == FAULT_REFUSED;
}

static bool decide(const struct order_facts *facts, const struct order_lesson *lesson,
                   const struct order_policy *policy, uint32_t random, struct order_change *change)
{
    bool is_beside = facts->stage == STAGE_CANCEL || facts->stage == STAGE_REFUND;

    if (is_undeliverable(facts, lesson)) {
        decide_undeliverable(facts, lesson, change);
        return true;
    }
    if (!is_beside && !is_undone(facts->status))
        return false;
    if (!is_beside && (facts->stage != STAGE_FULFILMENT || facts->status != ORDER_CANCELING))
        return decide_overruled(facts, lesson, change);
    if (facts->stage == STAGE_CANCEL && decide_cancel(facts, lesson, change))
        return true;
    if (facts->stage == STAGE_REFUND && decide_refund(facts, lesson, policy, random, change))
        return true;
    if (facts->stage == STAGE_FULFILMENT && decide_fulfilment(facts, lesson, policy, change))
        return true;
    return decide_common(facts, lesson, policy, random, change);
}

/* An order that goes its way waits for no refund of it: its reason stays as it is.  So does that of
 * one that is being undone, or was, where the step has nothing else to say. */
bool order_undo_decide(const struct order_facts *facts, const struct order_lesson *lesson,
                       const struct order_policy *policy, uint32_t random,
                       struct order_change *change)
{
    if (!decide(facts, lesson, policy, random, change))
        return false;
    if (facts->stage == STAGE_REFUND && !is_undone(facts->status))
        change->reason = NULL;
    if (change->reason && change->reason[0] == '\0' && change->status == facts->status)
        change->reason = NULL;
    return true;
}
