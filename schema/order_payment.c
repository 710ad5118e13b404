#include "schema/order_payment.h"

#include <stddef.h>

#include "schema/order_change.h"

enum { ACTION_LOOK_MS_LEAST = 5000, ACTION_LOOK_MS_MOST = 120000, DUPLICATE_LOOK_MS = 86400000 };

void order_payment_reserved(const struct order_facts *facts, const struct order_lesson *lesson,
                            struct order_change *change)
{
    order_change_write_attempt(change, facts, lesson, ATTEMPT_CREATED);
    change->status = ORDER_PROCESSING;
    change->event = "stock_reserved";
}

void order_payment_out_of_stock(const struct order_facts *facts, const struct order_lesson *lesson,
                                struct order_change *change)
{
    static const struct fault adopted = {
        FAULT_BROKEN, "adopted_without_stock",
        "its intent is older than the restore and may have taken money, but the stock is gone: add "
        "stock and replay it, or refund at the provider"};

    if (facts->intent_id[0] != '\0') {
        order_change_give_up(change, facts, &adopted);
        return;
    }
    if (facts->attempt_state == ATTEMPT_CREATED) { /* nobody was asked for money under it */
        order_change_write_attempt(change, facts, lesson, ATTEMPT_VOIDED);
        change->is_fenced = true;
    }
    change->status = ORDER_OUT_OF_STOCK;
    change->reason = change->event = "out_of_stock";
}

/* Also of an intent that differed when it was made, and that an operator lets go on. */
static bool is_unasked(const struct order_facts *facts)
{
    return facts->attempt_state <= ATTEMPT_CREATED ||
           (facts->attempt_state == ATTEMPT_INTEGRITY_FAILURE && facts->since_sent_ms < 0);
}

bool order_must_hold(const struct order_facts *facts, const struct order_policy *policy)
{
    return policy->holds_duplicates && facts->duplicate == DUPLICATE_FLAGGED && is_unasked(facts);
}

bool order_must_compare(const struct order_facts *facts, const struct order_policy *policy)
{
    return policy->duplicate_window_ms > 0 && facts->total > 0 &&
           facts->attempt_state == ATTEMPT_NONE && facts->duplicate == DUPLICATE_NONE;
}

bool order_is_new(const struct order_facts *facts, const struct order_policy *policy)
{
    return facts->stage == STAGE_PAYMENT && facts->claims == 1 && facts->crashes == 0 &&
           facts->status == ORDER_PROCESSING && facts->undo == UNDO_NONE && facts->held == 0 &&
           facts->attempt_state == ATTEMPT_NONE && !order_must_hold(facts, policy);
}

/* Until an operator releases or cancels it.  What it holds it keeps: its intent may be there. */
void order_payment_duplicate(const struct order_facts *facts, const struct order_lesson *lesson,
                             struct order_change *change)
{
    if (facts->attempt_state == ATTEMPT_CREATED)
        order_change_write_attempt(change, facts, lesson, ATTEMPT_CREATED);
    change->status = ORDER_ON_HOLD;
    change->reason = "possible_duplicate";
    order_change_wait(change, "held_as_duplicate", DUPLICATE_LOOK_MS);
}

/* The key changes only once the provider has surely ended the call under the old one. */
void order_payment_intent_stored(const struct order_facts *facts, const struct order_lesson *lesson,
                                 const struct order_policy *policy, struct order_change *change)
{
    if (order_must_hold(facts, policy)) { /* found while the intent was made */
        order_payment_duplicate(facts, lesson, change);
        return;
    }
    order_change_write_attempt(change, facts, lesson, ATTEMPT_AUTHORIZING);
    change->status = ORDER_PROCESSING;
    change->is_sending = true;
    change->event = "payment_sent";
    if (facts->attempt_state == ATTEMPT_UNKNOWN) /* settled: look-ups do not count against it */
        change->task_attempt = change->task_doubted = 0;
    if (facts->since_sent_ms < 0)
        change->confirms = 1;
    else if (facts->since_sent_ms >= policy->longest_call_ms)
        change->confirms = (int16_t)(facts->confirms + 1);
}

void order_payment_paid(const struct order_facts *facts, const struct order_lesson *lesson,
                        struct order_change *change)
{
    static const struct fault late = {FAULT_BROKEN, "paid_after_end",
                                      "the provider says paid, but the order had ended its "
                                      "payment; compare the provider's books"};

    order_change_write_attempt(change, facts, lesson, ATTEMPT_CAPTURED);
    change->is_captured = true;
    if (facts->held == 0) { /* its stock was given back, and its customer told otherwise */
        order_change_give_up(change, facts, &late);
        return;
    }
    order_change_finish(change, "paid");
    change->status = ORDER_CONFIRMED;
    change->next = stage_after(STAGE_PAYMENT);
}

/* What is left of the customer's time to pay otherwise. */
static int64_t rest_of_wait_ms(const struct order_facts *facts, const struct order_policy *policy)
{
    int64_t gone_ms = facts->since_ended_ms > 0 ? facts->since_ended_ms : 0;

    return policy->customer_wait_ms - gone_ms;
}

/* The stock is kept until the intent is fenced off: only then can it not be paid any more. */
void order_payment_declined(const struct order_facts *facts, const struct order_lesson *lesson,
                            const struct order_policy *policy, struct order_change *change)
{
    bool has_intent = facts->intent_id[0] != '\0' || lesson->intent_id;

    order_change_write_attempt(change, facts, lesson, ATTEMPT_DECLINED);
    change->decline = lesson->decline;
    change->status = ORDER_PAYMENT_FAILED;
    change->reason = "payment_declined";
    change->event = "payment_declined";
    change->task_attempt = change->task_doubted = 0;
    if (has_intent && !facts->is_fenced && facts->resolution == RESOLUTION_NONE)
        return;
    change->is_fenced = true;
    change->stock = STOCK_RETURNED;
    order_change_wait(change, "payment_declined", policy->customer_wait_ms);
}

static int64_t within(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* Looked at more and more seldom, and once more when the customer's time is over. */
void order_payment_requires_action(const struct order_facts *facts,
                                   const struct order_lesson *lesson,
                                   const struct order_policy *policy, struct order_change *change)
{
    int64_t pause_ms =
        within(facts->since_opened_ms / 4, ACTION_LOOK_MS_LEAST, ACTION_LOOK_MS_MOST);
    int64_t rest_ms = policy->customer_wait_ms - facts->since_opened_ms;

    order_change_write_attempt(change, facts, lesson, ATTEMPT_REQUIRES_ACTION);
    change->next_action = lesson->next_action;
    change->status = ORDER_REQUIRES_ACTION;
    change->reason = "customer_action_required";
    if (facts->is_given_up) /* while it was looked at */
        rest_ms = 1;
    order_change_wait(change, "requires_action", within(pause_ms, 1, rest_ms > 0 ? rest_ms : 1));
}

static const char *why_failed(const struct order_facts *facts)
{
    if (facts->attempt_state == ATTEMPT_DECLINED)
        return "payment_declined";
    return facts->is_given_up ? "payment_given_up" : "payment_canceled_by_provider";
}

const char *order_payment_waits_for(const struct order_facts *facts)
{
    if (facts->stage != STAGE_PAYMENT)
        return NULL;
    if (facts->status == ORDER_REQUIRES_ACTION)
        return "customer_action_required";
    if (facts->status != ORDER_PAYMENT_FAILED)
        return NULL;
    return why_failed(facts);
}

/* Of a confirm that nobody has looked at since, the sending counts. */
static int64_t unknown_for_ms(const struct order_facts *facts)
{
    bool is_asked =
        facts->attempt_state == ATTEMPT_UNKNOWN || facts->attempt_state == ATTEMPT_AUTHORIZING;

    if (!is_asked)
        return -1;
    return facts->since_unknown_ms >= 0 ? facts->since_unknown_ms : facts->since_sent_ms;
}

static bool is_past_sla(const struct order_facts *facts, const struct order_policy *policy)
{
    return facts->stage == STAGE_PAYMENT && unknown_for_ms(facts) > policy->unknown_sla_ms;
}

bool order_payment_goes_on_hold(const struct order_facts *facts, const struct order_policy *policy)
{
    return is_past_sla(facts, policy) && order_status_is_edge(facts->status, ORDER_ON_HOLD);
}

bool order_must_fence(const struct order_facts *facts, const struct order_policy *policy)
{
    if (facts->status == ORDER_PAYMENT_FAILED)
        return !facts->is_fenced;
    if (facts->is_given_up) /* also where a person has looked at it meanwhile */
        return true;
    if (facts->status == ORDER_REQUIRES_ACTION)
        return facts->since_opened_ms >= policy->customer_wait_ms;
    return is_past_sla(facts, policy);
}

void order_payment_open(const struct order_facts *facts, const struct order_lesson *lesson,
                        const struct order_policy *policy, struct order_change *change)
{
    int64_t rest_ms = policy->longest_call_ms - facts->since_sent_ms;

    order_change_write_attempt(change, facts, lesson, facts->attempt_state);
    change->reason = "payment_outcome_unknown";
    order_change_wait(change, "payment_not_acted", rest_ms > 0 ? rest_ms : 1);
}

/* The customer may pay otherwise, for as long as he is given. */
static void await_customer(const struct order_facts *facts, const struct order_policy *policy,
                           struct order_change *change)
{
    bool is_declined = facts->attempt_state == ATTEMPT_DECLINED;

    change->status = ORDER_PAYMENT_FAILED;
    change->reason = why_failed(facts);
    order_change_wait(change, is_declined ? "payment_fenced" : "payment_voided",
                      within(rest_of_wait_ms(facts, policy), 1, policy->customer_wait_ms));
}

/* A declined attempt stays declined, and is surely over now. */
void order_payment_voided(const struct order_facts *facts, const struct order_lesson *lesson,
                          const struct order_policy *policy, struct order_change *change)
{
    bool is_declined = facts->attempt_state == ATTEMPT_DECLINED;

    if (facts->attempt_number != 0) {
        order_change_write_attempt(change, facts, lesson,
                                   is_declined ? ATTEMPT_DECLINED : ATTEMPT_VOIDED);
        change->is_fenced = true;
    }
    change->stock = STOCK_RETURNED;
    if (facts->status == ORDER_PROCESSING ||
        (facts->status == ORDER_REQUIRES_ACTION && facts->is_given_up) ||
        (facts->status == ORDER_PAYMENT_FAILED && rest_of_wait_ms(facts, policy) > 0)) {
        await_customer(facts, policy, change);
        return;
    }
    order_change_finish(change, "canceled");
    change->status = ORDER_CANCELED;
    change->reason = "payment_not_made";
}

void order_payment_integrity(const struct order_facts *facts, const struct order_lesson *lesson,
                             struct order_change *change)
{
    bool can_hold = order_status_is_edge(change->status, ORDER_ON_HOLD) ||
                    order_status_is_edge(change->status, ORDER_PROCESSING);

    order_change_write_attempt(change, facts, lesson, ATTEMPT_INTEGRITY_FAILURE);
    order_change_give_up(change, facts, &lesson->fault);
    if (can_hold) /* perhaps by way of `processing` */
        change->status = ORDER_ON_HOLD;
    change->reason = "integrity_failure";
}

static bool is_over(enum attempt_state state)
{
    return state == ATTEMPT_NONE || state == ATTEMPT_CAPTURED || state == ATTEMPT_DECLINED ||
           state == ATTEMPT_VOIDED;
}

bool order_resolved(const struct order_facts *facts, struct order_lesson *lesson)
{
    static const struct decline decline = {"resolved_by_operator", "other", false, true};

    *lesson = (struct order_lesson){.retry_after_ms = -1};
    if (facts->stage != STAGE_PAYMENT || is_over(facts->attempt_state))
        return false;
    switch (facts->resolution) {
    case RESOLUTION_NONE:
        return false;
    case RESOLUTION_CAPTURED:
        lesson->verdict = VERDICT_PAID;
        return true;
    case RESOLUTION_DECLINED:
        lesson->verdict = VERDICT_DECLINED;
        lesson->decline = &decline;
        return true;
    case RESOLUTION_CANCELED:
        lesson->verdict = VERDICT_VOIDED;
        return true;
    }
    return false;
}

enum pay_again order_pay_again(const struct order_facts *facts, int64_t attempts_max)
{
    switch (facts->status) {
    case ORDER_ACCEPTED:
    case ORDER_PROCESSING:
    case ORDER_ON_HOLD:
        return PAY_AGAIN_IN_PROGRESS;
    case ORDER_REQUIRES_ACTION: /* of the last one that may be made, nothing else could follow */
        return facts->is_given_up || facts->attempt_number >= attempts_max ? PAY_AGAIN_IN_PROGRESS
                                                                           : PAY_AGAIN_GIVES_UP;
    case ORDER_PAYMENT_FAILED:
        if (facts->attempt_number >= attempts_max)
            return PAY_AGAIN_EXHAUSTED;
        return facts->is_fenced ? PAY_AGAIN_OPENS : PAY_AGAIN_IN_PROGRESS;
    case ORDER_CONFIRMED:
    case ORDER_FULFILLED:
    case ORDER_OUT_OF_STOCK:
    case ORDER_CANCELING:
    case ORDER_CANCELED:
    case ORDER_REFUNDING:
    case ORDER_REFUNDED:
        return PAY_AGAIN_CLOSED;
    }
    return PAY_AGAIN_CLOSED;
}
