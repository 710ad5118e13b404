#include "schema/order_payment.h"

#include "schema/order_change.h"

enum { ACTION_LOOK_MS_LEAST = 5000, ACTION_LOOK_MS_MOST = 120000 };

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
    if (facts->attempt_state == ATTEMPT_CREATED) /* nobody was asked for money under it */
        order_change_write_attempt(change, facts, lesson, ATTEMPT_VOIDED);
    change->status = ORDER_OUT_OF_STOCK;
    change->reason = change->event = "out_of_stock";
}

/* The key changes only once the provider has surely ended the call under the old one. */
void order_payment_intent_stored(const struct order_facts *facts, const struct order_lesson *lesson,
                                 const struct order_policy *policy, struct order_change *change)
{
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

void order_payment_declined(const struct order_facts *facts, const struct order_lesson *lesson,
                            const struct order_policy *policy, struct order_change *change)
{
    order_change_write_attempt(change, facts, lesson, ATTEMPT_DECLINED);
    change->decline_code = lesson->decline_code;
    change->status = ORDER_PAYMENT_FAILED;
    change->reason = "payment_declined";
    change->stock = STOCK_RETURNED;
    order_change_wait(change, "payment_declined", policy->customer_wait_ms);
}

void order_payment_requires_action(const struct order_facts *facts,
                                   const struct order_lesson *lesson,
                                   const struct order_policy *policy, struct order_change *change)
{
    int64_t pause = facts->since_opened_ms / 4;

    order_change_write_attempt(change, facts, lesson, ATTEMPT_REQUIRES_ACTION);
    change->status = ORDER_REQUIRES_ACTION;
    change->reason = "customer_action_required";
    if (pause < ACTION_LOOK_MS_LEAST)
        pause = ACTION_LOOK_MS_LEAST;
    if (pause > ACTION_LOOK_MS_MOST)
        pause = ACTION_LOOK_MS_MOST;
    if (pause > policy->customer_wait_ms)
        pause = policy->customer_wait_ms;
    order_change_wait(change, "requires_action", pause);
}

bool order_payment_is_past_sla(const struct order_facts *facts, const struct order_policy *policy)
{
    return facts->stage == STAGE_PAYMENT && facts->since_sent_ms > policy->unknown_sla_ms &&
           order_status_is_edge(facts->status, ORDER_ON_HOLD);
}

void order_payment_open(const struct order_facts *facts, const struct order_lesson *lesson,
                        const struct order_policy *policy, struct order_change *change)
{
    int64_t rest_ms = policy->longest_call_ms - facts->since_sent_ms;

    order_change_write_attempt(change, facts, lesson, facts->attempt_state);
    change->reason = "payment_outcome_unknown";
    order_change_wait(change, "payment_not_acted", rest_ms > 0 ? rest_ms : 1);
}

void order_payment_voided(const struct order_facts *facts, const struct order_lesson *lesson,
                          const struct order_policy *policy, struct order_change *change)
{
    if (facts->attempt_number != 0 && facts->attempt_state != ATTEMPT_DECLINED)
        order_change_write_attempt(change, facts, lesson, ATTEMPT_VOIDED);
    change->stock = STOCK_RETURNED;
    if (change->status == ORDER_PROCESSING) {
        change->status = ORDER_PAYMENT_FAILED;
        change->reason = "payment_canceled_by_provider";
        order_change_wait(change, "payment_voided", policy->customer_wait_ms);
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
