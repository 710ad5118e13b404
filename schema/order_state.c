#include "schema/order_state.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "schema/order_change.h"
#include "schema/order_payment.h"
#include "schema/order_undo.h"
#include "schema/outsides.h"

static const char *const status_names[] = {
    [ORDER_ACCEPTED] = "accepted",
    [ORDER_PROCESSING] = "processing",
    [ORDER_CONFIRMED] = "confirmed",
    [ORDER_FULFILLED] = "fulfilled",
    [ORDER_REQUIRES_ACTION] = "requires_action",
    [ORDER_PAYMENT_FAILED] = "payment_failed",
    [ORDER_OUT_OF_STOCK] = "out_of_stock",
    [ORDER_ON_HOLD] = "on_hold",
    [ORDER_CANCELING] = "canceling",
    [ORDER_CANCELED] = "canceled",
    [ORDER_REFUNDING] = "refunding",
    [ORDER_REFUNDED] = "refunded",
};

#define TO(status) (1U << (status))

/* Where an order may go from each status. */
static const unsigned edges[ARRAY_SIZE(status_names)] = {
    [ORDER_ACCEPTED] = TO(ORDER_PROCESSING) | TO(ORDER_CANCELING),
    [ORDER_PROCESSING] = TO(ORDER_CONFIRMED) | TO(ORDER_REQUIRES_ACTION) |
                         TO(ORDER_PAYMENT_FAILED) | TO(ORDER_OUT_OF_STOCK) | TO(ORDER_ON_HOLD) |
                         TO(ORDER_CANCELING),
    [ORDER_CONFIRMED] = TO(ORDER_FULFILLED) | TO(ORDER_CANCELING) | TO(ORDER_REFUNDING),
    [ORDER_REQUIRES_ACTION] = TO(ORDER_PROCESSING) | TO(ORDER_CANCELED) | TO(ORDER_CANCELING),
    [ORDER_PAYMENT_FAILED] = TO(ORDER_PROCESSING) | TO(ORDER_CANCELED) | TO(ORDER_CANCELING),
    [ORDER_OUT_OF_STOCK] = TO(ORDER_CANCELED),
    [ORDER_ON_HOLD] = TO(ORDER_PROCESSING) | TO(ORDER_CONFIRMED) | TO(ORDER_CANCELED) |
                      TO(ORDER_CANCELING) | TO(ORDER_REFUNDING),
    [ORDER_CANCELING] =
        TO(ORDER_CANCELED) | TO(ORDER_REFUNDED) | TO(ORDER_FULFILLED) | TO(ORDER_ON_HOLD),
    [ORDER_REFUNDING] = TO(ORDER_REFUNDED) | TO(ORDER_ON_HOLD),
};

const char *order_status_name(enum order_status status)
{
    bool is_known = (size_t)status < ARRAY_SIZE(status_names) && status_names[status];

    return is_known ? status_names[status] : "?";
}

bool order_status_is_edge(enum order_status from, enum order_status to)
{
    return (size_t)from < ARRAY_SIZE(edges) && (edges[from] & TO(to)) != 0;
}

const char *task_state_name(enum task_state state)
{
    static const char *const names[] = {
        [TASK_READY] = "ready",   [TASK_RUNNING] = "running", [TASK_WAITING] = "waiting",
        [TASK_PARKED] = "parked", [TASK_DONE] = "done",       [TASK_DEAD] = "dead",
    };

    return (size_t)state < ARRAY_SIZE(names) && names[state] ? names[state] : "?";
}

const char *attempt_state_name(enum attempt_state state)
{
    static const char *const names[] = {
        [ATTEMPT_NONE] = "none",
        [ATTEMPT_CREATED] = "created",
        [ATTEMPT_AUTHORIZING] = "authorizing",
        [ATTEMPT_CAPTURED] = "captured",
        [ATTEMPT_DECLINED] = "declined",
        [ATTEMPT_REQUIRES_ACTION] = "requires_action",
        [ATTEMPT_UNKNOWN] = "unknown",
        [ATTEMPT_VOIDED] = "voided",
        [ATTEMPT_INTEGRITY_FAILURE] = "integrity_failure",
    };

    return (size_t)state < ARRAY_SIZE(names) ? names[state] : "?";
}

/* --- what each verdict means ------------------------------------------------------------------ */

/* What an order that waits parked is told: what was unknown stays so, and who waits for the
 * customer still does. */
static const char *held_reason(const struct order_facts *facts)
{
    const struct outside *outside = outside_of(facts->stage);
    bool is_asked =
        facts->attempt_state == ATTEMPT_UNKNOWN || facts->attempt_state == ATTEMPT_AUTHORIZING;

    if (order_payment_waits_for(facts))
        return order_payment_waits_for(facts);
    if (facts->stage == STAGE_PAYMENT && is_asked)
        return "payment_outcome_unknown";
    if (facts->stage == STAGE_FULFILMENT && facts->is_unknown)
        return "shipment_outcome_unknown";
    return outside ? outside->unavailable : "";
}

static void decide_held(const struct order_facts *facts, const struct order_lesson *lesson,
                        const struct order_policy *policy, struct order_change *change)
{
    change->fault = &lesson->fault;
    change->reason = held_reason(facts);
    if (facts->attempt_state == ATTEMPT_UNKNOWN && order_payment_goes_on_hold(facts, policy))
        change->status = ORDER_ON_HOLD;
    order_change_park(change, "parked");
}

/* It never ages into a failure: look-ups go on for as long as it takes. */
static void decide_unknown(const struct order_facts *facts, const struct order_lesson *lesson,
                           const struct order_policy *policy, uint32_t random,
                           struct order_change *change)
{
    bool is_payment = facts->stage == STAGE_PAYMENT;
    int64_t pause_ms = policy->retry.max_ms;

    change->fault = &lesson->fault;
    change->reason = is_payment ? "payment_outcome_unknown" : "shipment_outcome_unknown";
    if (is_payment)
        order_change_write_attempt(change, facts, lesson, ATTEMPT_UNKNOWN);
    if (order_payment_goes_on_hold(facts, policy))
        change->status = ORDER_ON_HOLD;
    if (lesson->is_interrupted) {
        order_change_hand_back(change, facts, "interrupted");
        return;
    }
    if (lesson->is_outage) {
        order_change_park(change, is_payment ? "payment_unknown" : "shipment_unknown");
        return;
    }
    order_change_count(change, facts, lesson);
    if (!retry_decide(&policy->retry, FAULT_UNKNOWN, change->task_attempt, lesson->retry_after_ms,
                      random, &pause_ms))
        pause_ms = policy->retry.max_ms;
    order_change_wait(change, is_payment ? "payment_unknown" : "shipment_unknown", pause_ms);
}

static void decide_shipped(const struct order_lesson *lesson, struct order_change *change)
{
    order_change_finish(change, "shipped");
    change->status = ORDER_FULFILLED;
    change->writes_shipment = true;
    change->carrier_id = lesson->carrier_id;
    change->tracking = lesson->tracking;
    change->stock = STOCK_SHIPPED;
}

static void decide_failed(const struct order_facts *facts, const struct order_lesson *lesson,
                          const struct order_policy *policy, uint32_t random,
                          struct order_change *change)
{
    int64_t pause_ms;

    change->fault = &lesson->fault;
    if (facts->stage == STAGE_PAYMENT && lesson->intent_id) /* told with the fault */
        order_change_write_attempt(change, facts, lesson, facts->attempt_state);
    if (lesson->is_outage && lesson->fault.kind == FAULT_TRANSIENT) {
        change->reason = held_reason(facts);
        order_change_park(change, "parked");
        return;
    }
    order_change_count(change, facts, lesson);
    if (retry_decide(&policy->retry, lesson->fault.kind, change->task_attempt,
                     lesson->retry_after_ms, random, &pause_ms)) {
        change->reason = order_payment_waits_for(facts)  ? order_payment_waits_for(facts)
                         : facts->stage == STAGE_PAYMENT ? "payment_retry"
                                                         : "shipment_retry";
        order_change_wait(change, "retry", pause_ms);
    } else {
        order_change_give_up(change, facts, &lesson->fault);
    }
}

static void decide_nothing(const struct order_facts *facts, struct order_change *change)
{
    order_change_finish(change, "closed");
    if (facts->status == ORDER_OUT_OF_STOCK) {
        change->event = "canceled";
        change->status = ORDER_CANCELED;
        change->reason = "out_of_stock";
    }
}

bool order_status_is_final(enum order_status status)
{
    return status == ORDER_FULFILLED || status == ORDER_CANCELED || status == ORDER_REFUNDED;
}

/* --- what can be learnt where ----------------------------------------------------------------- */

#define ANY    (~0U)
#define ASKED  (TO(ATTEMPT_AUTHORIZING) | TO(ATTEMPT_UNKNOWN))
#define OPENED (TO(ATTEMPT_CREATED) | ASKED | TO(ATTEMPT_REQUIRES_ACTION))
/* The provider is looked up again by an operator's replay, or when the customer's time is over. */
#define LOOKED_UP (OPENED | TO(ATTEMPT_DECLINED) | TO(ATTEMPT_INTEGRITY_FAILURE))
#define UNPAID    (TO(ATTEMPT_NONE) | LOOKED_UP | TO(ATTEMPT_VOIDED))
#define WAITING                                                                                    \
    (TO(ORDER_ACCEPTED) | TO(ORDER_PROCESSING) | TO(ORDER_REQUIRES_ACTION) |                       \
     TO(ORDER_PAYMENT_FAILED) | TO(ORDER_ON_HOLD))

static const struct {
    unsigned stages, statuses, attempts;
} sense[] = {
    [VERDICT_RESERVED] = {TO(STAGE_PAYMENT), WAITING, TO(ATTEMPT_NONE) | TO(ATTEMPT_CREATED)},
    [VERDICT_OUT_OF_STOCK] = {TO(STAGE_PAYMENT), WAITING, TO(ATTEMPT_NONE) | TO(ATTEMPT_CREATED)},
    [VERDICT_DUPLICATE] = {TO(STAGE_PAYMENT), WAITING,
                           TO(ATTEMPT_NONE) | TO(ATTEMPT_CREATED) | TO(ATTEMPT_INTEGRITY_FAILURE)},
    [VERDICT_INTENT_STORED] = {TO(STAGE_PAYMENT), WAITING, LOOKED_UP},
    [VERDICT_PAID] = {TO(STAGE_PAYMENT), WAITING, ANY & ~TO(ATTEMPT_NONE)},
    [VERDICT_DECLINED] = {TO(STAGE_PAYMENT), WAITING, LOOKED_UP},
    [VERDICT_REQUIRES_ACTION] = {TO(STAGE_PAYMENT), WAITING, LOOKED_UP},
    [VERDICT_PAYMENT_UNKNOWN] = {TO(STAGE_PAYMENT), WAITING, LOOKED_UP},
    [VERDICT_PAYMENT_OPEN] = {TO(STAGE_PAYMENT), WAITING, ASKED},
    [VERDICT_VOIDED] = {TO(STAGE_PAYMENT), WAITING, UNPAID},
    [VERDICT_INTEGRITY] = {TO(STAGE_PAYMENT), WAITING, LOOKED_UP},
    [VERDICT_SHIPPED] = {TO(STAGE_FULFILMENT), TO(ORDER_CONFIRMED), ANY},
    [VERDICT_SHIPMENT_UNKNOWN] = {TO(STAGE_FULFILMENT), TO(ORDER_CONFIRMED), ANY},
    [VERDICT_STEP_DONE] = {~(TO(STAGE_PAYMENT) | TO(STAGE_FULFILMENT)), TO(ORDER_CONFIRMED), ANY},
    [VERDICT_FAILED] = {ANY, ANY, ANY},
    [VERDICT_INTERRUPTED] = {ANY, ANY, ANY},
    [VERDICT_HELD] = {ANY, ANY, ANY},
    [VERDICT_NOTHING] = {ANY, ~WAITING, ANY},
    [VERDICT_REFUND_UNKNOWN] = {0, 0, 0}, /* and all of undoing: never here */
};

/* No money is asked for without stock, nothing is shipped that is not paid, and nothing that was
 * asked for is forgotten: whatever a worker believes. */
static bool makes_sense(const struct order_facts *facts, const struct order_lesson *lesson)
{
    enum verdict verdict = lesson->verdict;

    if (facts->stage == STAGE_CANCEL || facts->stage == STAGE_REFUND)
        return false; /* order_undo.c knows of nothing else */
    if (!(sense[verdict].stages & TO(facts->stage)) ||
        !(sense[verdict].statuses & TO(facts->status)) ||
        !(sense[verdict].attempts & TO(facts->attempt_state)))
        return false;
    if (verdict == VERDICT_OUT_OF_STOCK)
        return facts->held == 0;
    if (verdict == VERDICT_INTENT_STORED)
        return facts->held > 0;
    if (verdict == VERDICT_SHIPPED)
        return facts->attempt_state == ATTEMPT_CAPTURED || facts->total == 0;
    if (verdict == VERDICT_NOTHING && facts->stage == STAGE_FULFILMENT)
        return facts->is_shipped ||
               (facts->status != ORDER_CONFIRMED && facts->status != ORDER_CANCELING);
    return true;
}

static void decide(const struct order_facts *facts, const struct order_lesson *lesson,
                   const struct order_policy *policy, uint32_t random, struct order_change *change)
{
    switch (lesson->verdict) {
    case VERDICT_RESERVED:
        order_payment_reserved(facts, lesson, change);
        return;
    case VERDICT_OUT_OF_STOCK:
        order_payment_out_of_stock(facts, lesson, change);
        return;
    case VERDICT_DUPLICATE:
        order_payment_duplicate(facts, lesson, change);
        return;
    case VERDICT_INTENT_STORED:
        order_payment_intent_stored(facts, lesson, policy, change);
        return;
    case VERDICT_PAID:
        order_payment_paid(facts, lesson, change);
        return;
    case VERDICT_DECLINED:
        order_payment_declined(facts, lesson, policy, change);
        return;
    case VERDICT_REQUIRES_ACTION:
        order_payment_requires_action(facts, lesson, policy, change);
        return;
    case VERDICT_PAYMENT_UNKNOWN:
    case VERDICT_SHIPMENT_UNKNOWN:
        decide_unknown(facts, lesson, policy, random, change);
        return;
    case VERDICT_PAYMENT_OPEN:
        order_payment_open(facts, lesson, policy, change);
        return;
    case VERDICT_VOIDED:
        order_payment_voided(facts, lesson, policy, change);
        return;
    case VERDICT_INTEGRITY:
        order_payment_integrity(facts, lesson, change);
        return;
    case VERDICT_SHIPPED:
        decide_shipped(lesson, change);
        return;
    case VERDICT_STEP_DONE:
        order_change_finish(change, "step_done");
        change->next = stage_after(facts->stage);
        return;
    case VERDICT_FAILED:
        decide_failed(facts, lesson, policy, random, change);
        return;
    case VERDICT_INTERRUPTED:
        if (order_payment_waits_for(facts))
            change->reason = order_payment_waits_for(facts);
        order_change_hand_back(change, facts, "interrupted");
        return;
    case VERDICT_HELD:
        decide_held(facts, lesson, policy, change);
        return;
    case VERDICT_NOTHING:
        decide_nothing(facts, change);
        return;
    case VERDICT_UNSHIPPED: /* matters of undoing: order_undo.c */
    case VERDICT_REFUND_OWED:
    case VERDICT_REFUND_SENDING:
    case VERDICT_REFUND_OPEN:
    case VERDICT_REFUND_ACCEPTED:
    case VERDICT_REFUND_MADE:
    case VERDICT_REFUND_REFUSED:
    case VERDICT_REFUND_UNKNOWN:
        return;
    }
}

/* Each version is one step along the edges.  What is two steps away by way of `processing` goes
 * there first; what is no path at all is our bug, and a person's to look at: nothing is guessed. */
void order_decide(const struct order_facts *facts, const struct order_lesson *lesson,
                  const struct order_policy *policy, uint32_t random, struct order_change *change)
{
    static const struct fault impossible = {
        FAULT_BROKEN, "impossible_transition",
        "what was learnt does not fit the order's state; see the order's events"};
    const struct order_change blank = {
        .status = facts->status,
        .reason = "",
        .event = "",
        .task_state = TASK_RUNNING,
        .task_attempt = facts->attempt,
        .task_doubted = facts->doubted,
        .attempt_state = facts->attempt_state,
        .is_final = order_status_is_final(facts->status),
        .keeps_running = true,
    };
    enum order_status wanted;

    *change = blank;
    if (order_undo_decide(facts, lesson, policy, random, change))
        ;
    else if (makes_sense(facts, lesson))
        decide(facts, lesson, policy, random, change);
    else
        order_change_give_up(change, facts, &impossible);
    wanted = change->status;
    change->is_final = order_status_is_final(wanted);
    if (wanted == facts->status || order_status_is_edge(facts->status, wanted))
        return;
    *change = blank;
    if (order_status_is_edge(facts->status, ORDER_PROCESSING) &&
        order_status_is_edge(ORDER_PROCESSING, wanted)) {
        change->status = ORDER_PROCESSING;
        change->event = "resumed";
        change->is_halfway = true;
    } else {
        order_change_give_up(change, facts, &impossible);
    }
}

bool order_lesson_holds(const struct order_facts *facts, const struct order_lesson *lesson)
{
    bool is_answered =
        lesson->verdict == VERDICT_PAYMENT_UNKNOWN &&
        (facts->attempt_state == ATTEMPT_VOIDED || facts->attempt_state == ATTEMPT_CAPTURED);

    return facts->attempt_number == lesson->attempt_number && !is_answered &&
           facts->resolution == lesson->resolution && facts->is_given_up == lesson->is_given_up;
}

static void apply_attempt(struct order_facts *facts, const struct order_change *change)
{
    enum attempt_state state = change->attempt_state;
    bool is_over = state == ATTEMPT_DECLINED || state == ATTEMPT_VOIDED;

    if (facts->attempt_number == 0)
        facts->since_opened_ms = 0;
    if (state == ATTEMPT_UNKNOWN && facts->since_unknown_ms < 0)
        facts->since_unknown_ms = 0;
    else if (state != ATTEMPT_UNKNOWN && state != ATTEMPT_AUTHORIZING)
        facts->since_unknown_ms = -1;
    if (!is_over)
        facts->since_ended_ms = -1;
    else if (facts->since_ended_ms < 0)
        facts->since_ended_ms = 0;
    facts->attempt_number = change->attempt_number;
    facts->attempt_state = state;
    facts->confirms = change->confirms;
    facts->is_fenced |= change->is_fenced;
}

static void order_apply_refund(struct order_facts *facts, const struct order_change *change)
{
    if (change->refund_number == 0)
        return;
    if (change->refund_amount > 0) {
        facts->refunds = facts->refund_number = change->refund_number;
        facts->refunds_open = 1;
        facts->refund_amount = change->refund_amount;
        facts->since_refund_sent_ms = -1;
    }
    facts->refund_state = change->refund_state;
    facts->refund_keys = change->refund_keys;
    if (change->is_refund_sending)
        facts->since_refund_sent_ms = 0;
}

void order_apply(struct order_facts *facts, const struct order_change *change)
{
    facts->version++;
    facts->status = change->status;
    facts->attempt = change->task_attempt;
    facts->doubted = change->task_doubted;
    if (change->attempt_number != 0)
        apply_attempt(facts, change);
    if (change->intent_id && change->intent_id != facts->intent_id)
        snprintf(facts->intent_id, sizeof(facts->intent_id), "%s", change->intent_id);
    if (change->is_sending)
        facts->since_sent_ms = 0;
    if (change->stock != STOCK_KEPT)
        facts->held = 0;
    if (change->writes_shipment)
        facts->is_shipped = true;
    order_apply_refund(facts, change);
}
