/* The life of a payment attempt: the rules of order_decide() for its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "schema/order_state.h"

#include <cmocka.h>

enum { LONGEST_MS = 80000, SLA_MS = 900000, WAIT_MS = 1800000 };

static const struct order_policy policy = {
    .retry = {1000, 300000, 12},
    .customer_wait_ms = WAIT_MS,
    .unknown_sla_ms = SLA_MS,
    .longest_call_ms = LONGEST_MS,
    .crashes_max = 4,
};

static struct order_lesson lesson_of(enum verdict verdict)
{
    static const struct decline decline = {"lost_card", "fraud_suspected", false, true};

    return (struct order_lesson){.verdict = verdict,
                                 .retry_after_ms = -1,
                                 .intent_id = "pi_1",
                                 .decline = &decline,
                                 .next_action = "{}"};
}

static struct order_facts paying(enum attempt_state attempt)
{
    return (struct order_facts){.version = 3,
                                .status = ORDER_PROCESSING,
                                .total = 100,
                                .stage = STAGE_PAYMENT,
                                .attempt_number = 1,
                                .attempt_state = attempt,
                                .intent_id = "pi_1",
                                .confirms = 1,
                                .since_unknown_ms = -1,
                                .since_ended_ms = -1,
                                .held = 1};
}

static void a_declined_payment_is_fenced_off_before_its_stock_is_returned(void **state)
{
    struct order_lesson declined = lesson_of(VERDICT_DECLINED), voided = lesson_of(VERDICT_VOIDED);
    struct order_facts facts = paying(ATTEMPT_AUTHORIZING);
    struct order_change change;

    (void)state;
    order_decide(&facts, &declined, &policy, 1, &change);
    assert_int_equal(change.status, ORDER_PAYMENT_FAILED);
    assert_string_equal(change.decline->reason, "fraud_suspected");
    assert_true(change.keeps_running && change.stock == STOCK_KEPT && !change.is_fenced);
    order_apply(&facts, &change);
    assert_true(order_must_fence(&facts, &policy));
    order_decide(&facts, &voided, &policy, 1, &change);
    assert_true(change.is_fenced && change.stock == STOCK_RETURNED);
    assert_int_equal(change.attempt_state, ATTEMPT_DECLINED);
    assert_int_equal(change.status, ORDER_PAYMENT_FAILED);
    assert_int_equal(change.due_ms, WAIT_MS);
    assert_string_equal(change.reason, "payment_declined");
    order_apply(&facts, &change);
    assert_false(order_must_fence(&facts, &policy));
}

static void the_customer_s_time_is_not_shortened_by_who_looks_early(void **state)
{
    struct order_lesson lesson = lesson_of(VERDICT_VOIDED);
    struct order_facts facts = paying(ATTEMPT_DECLINED);
    struct order_change change;

    (void)state;
    facts.status = ORDER_PAYMENT_FAILED;
    facts.is_fenced = true;
    facts.since_ended_ms = 1000;
    order_decide(&facts, &lesson, &policy, 1, &change);
    assert_int_equal(change.status, ORDER_PAYMENT_FAILED);
    assert_int_equal(change.due_ms, WAIT_MS - 1000);
    facts.since_ended_ms = WAIT_MS;
    order_decide(&facts, &lesson, &policy, 1, &change);
    assert_int_equal(change.status, ORDER_CANCELED);
}

static void a_declined_payment_that_succeeded_after_all_is_paid(void **state)
{
    struct order_lesson lesson = lesson_of(VERDICT_PAID);
    struct order_facts facts = paying(ATTEMPT_DECLINED);
    struct order_change change;

    (void)state;
    facts.status = ORDER_PAYMENT_FAILED;
    order_decide(&facts, &lesson, &policy, 1, &change);
    assert_true(change.is_halfway);
    order_apply(&facts, &change);
    order_decide(&facts, &lesson, &policy, 1, &change);
    assert_int_equal(change.status, ORDER_CONFIRMED);
}

/* However often it was confirmed again meanwhile. */
static void an_unknown_payment_is_fenced_off_past_its_time(void **state)
{
    struct order_facts facts = paying(ATTEMPT_UNKNOWN);

    (void)state;
    facts.since_sent_ms = LONGEST_MS;
    facts.since_unknown_ms = SLA_MS;
    assert_false(order_must_fence(&facts, &policy));
    facts.since_unknown_ms = SLA_MS + 1;
    assert_true(order_must_fence(&facts, &policy));
    facts.attempt_state = ATTEMPT_AUTHORIZING;
    assert_true(order_must_fence(&facts, &policy));
    facts.since_unknown_ms = -1;
    assert_false(order_must_fence(&facts, &policy));
}

static void an_unknown_payment_that_was_fenced_off_ends_without_money(void **state)
{
    static const enum order_status from[] = {ORDER_PROCESSING, ORDER_ON_HOLD};
    static const enum order_status to[] = {ORDER_PAYMENT_FAILED, ORDER_CANCELED};
    struct order_lesson lesson = lesson_of(VERDICT_VOIDED);
    struct order_change change;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
        struct order_facts facts = paying(ATTEMPT_UNKNOWN);

        facts.status = from[i];
        order_decide(&facts, &lesson, &policy, 1, &change);
        assert_int_equal(change.status, to[i]);
        assert_int_equal(change.attempt_state, ATTEMPT_VOIDED);
        assert_true(change.is_fenced && change.stock == STOCK_RETURNED);
    }
}

static void who_waits_for_its_customer_is_looked_at_once_more_when_his_time_is_over(void **state)
{
    struct order_lesson lesson = lesson_of(VERDICT_REQUIRES_ACTION);
    struct order_facts facts = paying(ATTEMPT_AUTHORIZING);
    struct order_change change;

    (void)state;
    order_decide(&facts, &lesson, &policy, 1, &change);
    assert_int_equal(change.due_ms, 5000);
    assert_string_equal(change.next_action, "{}");
    facts.since_opened_ms = 100000;
    order_decide(&facts, &lesson, &policy, 1, &change);
    assert_int_equal(change.due_ms, 25000);
    facts.since_opened_ms = WAIT_MS - 700;
    order_decide(&facts, &lesson, &policy, 1, &change);
    assert_int_equal(change.due_ms, 700);
}

static void what_an_operator_has_said_is_learnt_while_the_payment_is_open(void **state)
{
    static const enum verdict verdicts[] = {[RESOLUTION_CAPTURED] = VERDICT_PAID,
                                            [RESOLUTION_DECLINED] = VERDICT_DECLINED,
                                            [RESOLUTION_CANCELED] = VERDICT_VOIDED};
    struct order_lesson lesson;

    (void)state;
    for (int said = RESOLUTION_CAPTURED; said <= RESOLUTION_CANCELED; said++) {
        for (int attempt = ATTEMPT_NONE; attempt <= ATTEMPT_INTEGRITY_FAILURE; attempt++) {
            struct order_facts facts = paying((enum attempt_state)attempt);
            bool is_over = attempt == ATTEMPT_NONE || attempt == ATTEMPT_CAPTURED ||
                           attempt == ATTEMPT_DECLINED || attempt == ATTEMPT_VOIDED;

            facts.resolution = (enum resolution)said;
            assert_int_equal(order_resolved(&facts, &lesson), !is_over);
            if (!is_over)
                assert_int_equal(lesson.verdict, verdicts[said]);
            facts.resolution = RESOLUTION_NONE;
            assert_false(order_resolved(&facts, &lesson));
        }
    }
}

/* What was learnt before, of the same attempt or of an older one, is not written any more. */
static void a_lesson_holds_for_its_attempt_until_an_operator_settles_it(void **state)
{
    struct order_lesson lesson = {.attempt_number = 1};
    struct order_facts facts = paying(ATTEMPT_UNKNOWN);

    (void)state;
    assert_true(order_lesson_holds(&facts, &lesson));
    facts.resolution = RESOLUTION_CAPTURED;
    assert_false(order_lesson_holds(&facts, &lesson));
    facts.resolution = RESOLUTION_NONE;
    facts.is_given_up = true;
    assert_false(order_lesson_holds(&facts, &lesson));
    facts.is_given_up = false;
    facts.attempt_number = 2;
    assert_false(order_lesson_holds(&facts, &lesson));
}

static void that_nobody_answered_is_not_learnt_of_a_payment_that_is_over(void **state)
{
    const struct order_lesson unanswered = {.verdict = VERDICT_PAYMENT_UNKNOWN,
                                            .attempt_number = 1};
    const struct order_lesson paid = {.verdict = VERDICT_PAID, .attempt_number = 1};
    struct order_facts facts = paying(ATTEMPT_VOIDED);

    (void)state;
    assert_false(order_lesson_holds(&facts, &unanswered));
    assert_true(order_lesson_holds(&facts, &paid));
    facts.attempt_state = ATTEMPT_CAPTURED;
    assert_false(order_lesson_holds(&facts, &unanswered));
    facts.attempt_state = ATTEMPT_AUTHORIZING;
    assert_true(order_lesson_holds(&facts, &unanswered));
}

static void a_payment_that_an_operator_calls_declined_is_not_asked_about_again(void **state)
{
    struct order_lesson lesson = lesson_of(VERDICT_DECLINED);
    struct order_facts facts = paying(ATTEMPT_UNKNOWN);
    struct order_change change;

    (void)state;
    facts.resolution = RESOLUTION_DECLINED;
    order_decide(&facts, &lesson, &policy, 1, &change);
    assert_true(change.is_fenced && change.stock == STOCK_RETURNED && !change.keeps_running);
    assert_int_equal(change.status, ORDER_PAYMENT_FAILED);
}

static void a_duplicate_is_held_until_a_confirm_may_have_been_sent(void **state)
{
    struct order_policy holding = policy;
    struct order_lesson duplicate = lesson_of(VERDICT_DUPLICATE);
    struct order_facts facts = paying(ATTEMPT_INTEGRITY_FAILURE);
    struct order_change change;

    (void)state;
    holding.holds_duplicates = true;
    facts.duplicate = DUPLICATE_FLAGGED;
    facts.since_sent_ms = -1; /* the intent differed when it was made, and is replayed */
    assert_true(order_must_hold(&facts, &holding));
    order_decide(&facts, &duplicate, &holding, 1, &change);
    assert_int_equal(change.status, ORDER_ON_HOLD);
    assert_int_equal(change.task_state, TASK_WAITING);
    facts.since_sent_ms = 5;
    assert_false(order_must_hold(&facts, &holding));
}

static void only_an_order_that_nothing_became_of_yet_is_begun_by_its_claim(void **state)
{
    static const struct order_facts untouched = {.version = 2,
                                                 .status = ORDER_PROCESSING,
                                                 .total = 100,
                                                 .stage = STAGE_PAYMENT,
                                                 .claims = 1};
    struct order_policy holding = policy;
    struct order_facts touched[] = {untouched, untouched, untouched, untouched, untouched,
                                    untouched, untouched, untouched, untouched};

    (void)state;
    touched[0].claims = 2;
    touched[1].crashes = 1;
    touched[2].status = ORDER_ON_HOLD;
    touched[3].status = ORDER_CANCELING;
    touched[4].undo = UNDO_CANCEL;
    touched[5].held = 1;
    touched[6].attempt_state = ATTEMPT_CREATED;
    touched[7].stage = STAGE_FULFILMENT;
    touched[8].duplicate = DUPLICATE_FLAGGED;
    holding.holds_duplicates = true;
    assert_true(order_is_new(&untouched, &holding));
    for (size_t i = 0; i < ARRAY_SIZE(touched); i++)
        assert_false(order_is_new(&touched[i], &holding));
}

static void another_attempt_is_opened_only_when_the_last_is_surely_over(void **state)
{
    struct order_facts facts = paying(ATTEMPT_DECLINED);

    (void)state;
    for (int status = ORDER_ACCEPTED; status <= ORDER_REFUNDED; status++) {
        facts.status = (enum order_status)status;
        facts.is_fenced = false;
        assert_int_not_equal(order_pay_again(&facts, 5), PAY_AGAIN_OPENS);
        facts.is_fenced = true;
        if (status != ORDER_PAYMENT_FAILED)
            assert_int_not_equal(order_pay_again(&facts, 5), PAY_AGAIN_OPENS);
    }
    facts.status = ORDER_PAYMENT_FAILED;
    assert_int_equal(order_pay_again(&facts, 5), PAY_AGAIN_OPENS);
    facts.attempt_number = 5;
    assert_int_equal(order_pay_again(&facts, 5), PAY_AGAIN_EXHAUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_declined_payment_is_fenced_off_before_its_stock_is_returned),
        cmocka_unit_test(the_customer_s_time_is_not_shortened_by_who_looks_early),
        cmocka_unit_test(a_declined_payment_that_succeeded_after_all_is_paid),
        cmocka_unit_test(an_unknown_payment_is_fenced_off_past_its_time),
        cmocka_unit_test(an_unknown_payment_that_was_fenced_off_ends_without_money),
        cmocka_unit_test(who_waits_for_its_customer_is_looked_at_once_more_when_his_time_is_over),
        cmocka_unit_test(what_an_operator_has_said_is_learnt_while_the_payment_is_open),
        cmocka_unit_test(a_lesson_holds_for_its_attempt_until_an_operator_settles_it),
        cmocka_unit_test(that_nobody_answered_is_not_learnt_of_a_payment_that_is_over),
        cmocka_unit_test(a_payment_that_an_operator_calls_declined_is_not_asked_about_again),
        cmocka_unit_test(a_duplicate_is_held_until_a_confirm_may_have_been_sent),
        cmocka_unit_test(only_an_order_that_nothing_became_of_yet_is_begun_by_its_claim),
        cmocka_unit_test(another_attempt_is_opened_only_when_the_last_is_surely_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
