/* One order, step after step: what is unknown, given up, counted in doubt, or came too late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "schema/order_state.h"
#include "tests/schema/lesson.h"

#include <cmocka.h> /* last: its fail() would hide ours */

static struct order_facts paying(enum attempt_state attempt)
{
    return (struct order_facts){.version = 3,
                                .status = ORDER_PROCESSING,
                                .total = 100,
                                .stage = STAGE_PAYMENT,
                                .attempt_number = 1,
                                .attempt_state = attempt,
                                .confirms = 1,
                                .since_sent_ms = 0,
                                .since_opened_ms = 0,
                                .since_unknown_ms = -1,
                                .since_ended_ms = -1,
                                .intent_id = "pi_1",
                                .held = 1};
}

static void an_unknown_payment_never_dies_of_age(void **state)
{
    struct order_lesson lesson = lesson_of(VERDICT_PAYMENT_UNKNOWN);
    struct order_facts facts = paying(ATTEMPT_AUTHORIZING);
    struct order_change change;

    (void)state;
    for (int n = 0; n < 10000; n++) {
        order_decide(&facts, &lesson, &usual_policy, (uint32_t)n * 2654435761U, &change);
        assert_int_equal(change.task_state, TASK_WAITING);
        assert_int_equal(change.attempt_state, ATTEMPT_UNKNOWN);
        assert_in_range(change.due_ms, 1, usual_policy.retry.max_ms);
        order_apply(&facts, &change);
        facts.since_unknown_ms += change.due_ms;
        assert_int_equal(facts.status, facts.since_unknown_ms - change.due_ms > SLA_MS
                                           ? ORDER_ON_HOLD
                                           : ORDER_PROCESSING);
    }
    assert_int_equal(facts.status, ORDER_ON_HOLD);
}

static void a_payment_that_an_outage_left_unknown_is_parked_as_that(void **state)
{
    struct order_lesson lesson = lesson_of(VERDICT_PAYMENT_UNKNOWN);
    struct order_facts facts = paying(ATTEMPT_AUTHORIZING);
    struct order_change change;

    (void)state;
    lesson.is_outage = true;
    order_decide(&facts, &lesson, &usual_policy, 1, &change);
    assert_int_equal(change.attempt_state, ATTEMPT_UNKNOWN);
    assert_int_equal(change.task_state, TASK_PARKED);
    assert_int_equal(change.task_attempt, facts.attempt);
    assert_string_equal(change.reason, "payment_outcome_unknown");
}

/* A long outage of look-ups, and then a 429: that is the first failure, not the last. */
static void a_payment_that_was_unknown_begins_to_count_anew(void **state)
{
    struct order_lesson settled = lesson_of(VERDICT_INTENT_STORED);
    struct order_facts facts = paying(ATTEMPT_UNKNOWN);
    struct order_change change;

    (void)state;
    facts.attempt = 1000;
    order_decide(&facts, &settled, &usual_policy, 0, &change);
    assert_int_equal(change.task_attempt, 0);
}

static void an_unknown_payment_that_sigterm_left_is_looked_up_at_once_and_not_counted(void **state)
{
    struct order_lesson lesson = lesson_of(VERDICT_PAYMENT_UNKNOWN);
    struct order_facts facts = paying(ATTEMPT_AUTHORIZING);
    struct order_change change;

    (void)state;
    lesson.is_interrupted = true;
    order_decide(&facts, &lesson, &usual_policy, 1, &change);
    assert_int_equal(change.attempt_state, ATTEMPT_UNKNOWN);
    assert_int_equal(change.task_state, TASK_READY);
    assert_int_equal(change.next, STAGE_PAYMENT);
    assert_int_equal(change.task_attempt, facts.attempt);
}

static void an_intent_that_differs_goes_on_hold_by_way_of_processing(void **state)
{
    struct order_lesson lesson = lesson_of(VERDICT_INTEGRITY);
    struct order_facts facts = paying(ATTEMPT_REQUIRES_ACTION);
    struct order_change change;

    (void)state;
    facts.status = ORDER_REQUIRES_ACTION;
    order_decide(&facts, &lesson, &usual_policy, 1, &change);
    assert_true(change.is_halfway && change.status == ORDER_PROCESSING);
    order_apply(&facts, &change);
    order_decide(&facts, &lesson, &usual_policy, 1, &change);
    assert_int_equal(change.status, ORDER_ON_HOLD);
    assert_true(change.is_dead && change.attempt_state == ATTEMPT_INTEGRITY_FAILURE);
    assert_string_equal(change.reason, "integrity_failure");
}

static void gives_up_after_the_last_attempt_and_not_before(void **state)
{
    struct order_lesson lesson = lesson_of(VERDICT_FAILED);
    struct order_facts facts = paying(ATTEMPT_CREATED);
    struct order_change change;

    (void)state;
    for (int n = 1; n < usual_policy.retry.attempts_max; n++) {
        order_decide(&facts, &lesson, &usual_policy, 1, &change);
        assert_int_equal(change.task_state, TASK_WAITING);
        order_apply(&facts, &change);
    }
    order_decide(&facts, &lesson, &usual_policy, 1, &change);
    assert_true(change.is_dead);
    assert_int_equal(change.task_attempt, usual_policy.retry.attempts_max);
    assert_int_equal(change.status, ORDER_ON_HOLD);
}

static void a_change_raises_the_version_by_one(void **state)
{
    struct order_lesson lesson = lesson_of(VERDICT_INTENT_STORED);
    struct order_facts facts = paying(ATTEMPT_CREATED);
    struct order_change change;

    (void)state;
    facts.confirms = 0;
    facts.since_sent_ms = -1;
    order_decide(&facts, &lesson, &usual_policy, 1, &change);
    order_apply(&facts, &change);
    assert_int_equal(facts.version, 4);
    assert_int_equal(facts.confirms, 1);
    assert_int_equal(facts.since_sent_ms, 0);
    assert_int_equal(facts.attempt_state, ATTEMPT_AUTHORIZING);
    assert_string_equal(facts.intent_id, "pi_1");
}

static void what_is_paid_after_its_stock_was_returned_is_for_a_person(void **state)
{
    struct order_lesson lesson = lesson_of(VERDICT_PAID);
    struct order_facts facts = paying(ATTEMPT_UNKNOWN);
    struct order_change change;

    (void)state;
    facts.held = 0;
    order_decide(&facts, &lesson, &usual_policy, 1, &change);
    assert_true(change.is_dead && change.is_captured);
    assert_string_equal(change.fault->code, "paid_after_end");
    assert_int_not_equal(change.status, ORDER_CONFIRMED);
}

/* At the beginning of an outage, with few orders: nothing tells whose the first failures are. */
static void what_was_counted_in_doubt_is_taken_back_once_an_outage_is_seen(void **state)
{
    struct order_lesson failed = lesson_of(VERDICT_FAILED), held = lesson_of(VERDICT_HELD);
    struct order_facts facts = {.version = 3,
                                .status = ORDER_PROCESSING,
                                .total = 100,
                                .stage = STAGE_PAYMENT,
                                .attempt_number = 1,
                                .attempt_state = ATTEMPT_CREATED,
                                .since_sent_ms = -1,
                                .held = 1};
    struct order_change change;

    (void)state;
    for (int n = 1; n <= 3; n++) { /* the first is its own: others were answered meanwhile */
        failed.is_doubtful = n > 1;
        order_decide(&facts, &failed, &usual_policy, 1, &change);
        order_apply(&facts, &change);
        assert_int_equal(facts.attempt, n);
        assert_int_equal(facts.doubted, n - 1);
    }
    order_decide(&facts, &held, &usual_policy, 1, &change);
    order_apply(&facts, &change);
    assert_int_equal(change.task_state, TASK_PARKED);
    assert_int_equal(facts.attempt, 1);
    assert_int_equal(facts.doubted, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_counted_in_doubt_is_taken_back_once_an_outage_is_seen),
        cmocka_unit_test(an_unknown_payment_never_dies_of_age),
        cmocka_unit_test(a_payment_that_an_outage_left_unknown_is_parked_as_that),
        cmocka_unit_test(a_payment_that_was_unknown_begins_to_count_anew),
        cmocka_unit_test(an_unknown_payment_that_sigterm_left_is_looked_up_at_once_and_not_counted),
        cmocka_unit_test(an_intent_that_differs_goes_on_hold_by_way_of_processing),
        cmocka_unit_test(gives_up_after_the_last_attempt_and_not_before),
        cmocka_unit_test(a_change_raises_the_version_by_one),
        cmocka_unit_test(what_is_paid_after_its_stock_was_returned_is_for_a_person),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
