/* How an order is undone, rule by rule; what no sequence of them may do is tests/workers/life's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "schema/order_state.h"

#include <cmocka.h> /* last: its fail() would hide ours */

enum { LONGEST_MS = 80000, TOTAL = 100 };

static const struct order_policy policy = {
    .retry = {1000, 60000, 3},
    .customer_wait_ms = 1800000,
    .unknown_sla_ms = 900000,
    .longest_call_ms = LONGEST_MS,
    .crashes_max = 4,
};

static struct order_facts facts_of(enum stage stage, enum order_status status)
{
    return (struct order_facts){.version = 3,
                                .status = status,
                                .total = TOTAL,
                                .stage = stage,
                                .claims = 1,
                                .attempt_number = 1,
                                .attempt_state = ATTEMPT_CAPTURED,
                                .intent_id = "pi_1",
                                .since_sent_ms = 1000,
                                .since_opened_ms = 1000,
                                .since_unknown_ms = -1,
                                .since_ended_ms = -1,
                                .held = 2,
                                .undo = UNDO_CANCEL,
                                .captured = TOTAL,
                                .since_refund_sent_ms = -1};
}

/* An order with an open refund of all its money. */
static struct order_facts refunding(enum order_status status, enum refund_state state)
{
    struct order_facts facts = facts_of(STAGE_REFUND, status);

    facts.refunds = facts.refund_number = facts.refunds_open = 1;
    facts.refund_state = state;
    facts.refund_amount = TOTAL;
    facts.refund_keys = 1;
    return facts;
}

static struct order_change decide(const struct order_facts *facts, struct order_lesson lesson)
{
    struct order_change change;

    lesson.retry_after_ms = -1;
    order_decide(facts, &lesson, &policy, 12345, &change);
    return change;
}

static struct order_change learn(const struct order_facts *facts, enum verdict verdict)
{
    return decide(facts, (struct order_lesson){.verdict = verdict});
}

static struct order_change fail_with(const struct order_facts *facts, enum verdict verdict,
                                     enum fault_kind kind)
{
    return decide(facts,
                  (struct order_lesson){.verdict = verdict, .fault = {kind, "code", "text"}});
}

/* --- cancel ------------------------------------------------------------------------------------
 */

static void a_voided_order_is_canceled_with_all_that_was_open_of_it(void **state)
{
    struct order_facts facts = facts_of(STAGE_CANCEL, ORDER_CANCELING);
    struct order_change change;

    (void)state;
    facts.attempt_state = ATTEMPT_UNKNOWN;
    change = learn(&facts, VERDICT_VOIDED);
    assert_int_equal(change.status, ORDER_CANCELED);
    assert_int_equal(change.attempt_state, ATTEMPT_VOIDED);
    assert_true(change.is_final && change.is_fenced && change.closes);
    assert_int_equal(change.stock, STOCK_RETURNED);
    assert_string_equal(change.reason, "canceled_on_request");
}

static void what_is_found_paid_is_given_back_and_not_called_canceled(void **state)
{
    struct order_facts facts = facts_of(STAGE_CANCEL, ORDER_CANCELING);
    struct order_change change;

    (void)state;
    facts.attempt_state = ATTEMPT_AUTHORIZING;
    change = learn(&facts, VERDICT_PAID);
    assert_int_equal(change.status, ORDER_CANCELING);
    assert_int_equal(change.next, STAGE_REFUND);
    assert_true(change.is_captured && change.task_state == TASK_DONE && !change.closes);
    facts.attempt_state = ATTEMPT_CAPTURED;
    change = learn(&facts, VERDICT_VOIDED); /* whoever believes that: its money was taken */
    assert_true(change.is_dead && change.status == ORDER_ON_HOLD);
}

static void a_cancel_that_is_unknown_never_dies_of_it(void **state)
{
    struct order_facts facts = facts_of(STAGE_CANCEL, ORDER_CANCELING);

    (void)state;
    facts.attempt_state = ATTEMPT_AUTHORIZING;
    facts.attempt = 1000;
    assert_int_equal(fail_with(&facts, VERDICT_PAYMENT_UNKNOWN, FAULT_UNKNOWN).task_state,
                     TASK_WAITING);
    assert_int_equal(fail_with(&facts, VERDICT_PAYMENT_UNKNOWN, FAULT_UNKNOWN).attempt_state,
                     ATTEMPT_UNKNOWN);
    assert_int_equal(fail_with(&facts, VERDICT_FAILED, FAULT_TRANSIENT).task_state, TASK_DEAD);
    assert_int_equal(fail_with(&facts, VERDICT_FAILED, FAULT_TRANSIENT).status, ORDER_ON_HOLD);
}

static void the_payment_s_own_step_is_overruled_but_what_it_learnt_is_kept(void **state)
{
    struct order_facts facts = facts_of(STAGE_PAYMENT, ORDER_CANCELING);
    struct order_lesson lesson = {.verdict = VERDICT_INTENT_STORED, .intent_id = "pi_2"};
    struct order_change change;

    (void)state;
    facts.attempt_state = ATTEMPT_AUTHORIZING;
    change = learn(&facts, VERDICT_PAID);
    assert_true(change.task_state == TASK_DONE && change.is_captured);
    assert_int_equal(change.status, ORDER_CANCELING);
    assert_int_equal(change.next, STAGE_NONE);
    facts.attempt_state = ATTEMPT_CREATED;
    facts.intent_id[0] = '\0';
    change = decide(&facts, lesson);
    assert_string_equal(change.intent_id, "pi_2"); /* so that it can be fenced off */
    assert_false(change.is_sending);
    facts.status = ORDER_CANCELED; /* and paid all the same? a person looks */
    assert_true(learn(&facts, VERDICT_PAID).is_dead);
}

/* --- the shipment ------------------------------------------------------------------------------
 */

static void a_part_given_back_says_nothing_of_what_may_be_shipped(void **state)
{
    struct order_facts facts = facts_of(STAGE_REFUND, ORDER_CANCELING);
    struct order_change change;

    (void)state;
    facts.captured = 7020;
    facts.refunds = facts.refund_number = facts.refunds_open = 1;
    facts.refund_state = REFUND_SENT;
    facts.refund_amount = 100;
    facts.is_cancel_open = true;
    change = learn(&facts, VERDICT_REFUND_MADE);
    assert_true(change.task_state == TASK_DONE && change.status == ORDER_CANCELING);
    facts.refund_number = facts.refunds_open = 0;
    facts.refunded = 100;
    assert_false(order_owes_rest(&facts));
    assert_true(learn(&facts, VERDICT_REFUND_OWED).is_dead); /* whoever says so */
    facts.is_cancel_open = false;
    assert_int_equal(learn(&facts, VERDICT_REFUND_OWED).refund_amount, 6920);
}

static void a_shipment_may_come_of_an_old_call_until_the_longest_is_over(void **state)
{
    struct order_facts facts = facts_of(STAGE_FULFILMENT, ORDER_CANCELING);
    struct order_change change;

    (void)state;
    facts.since_undo_ms = 2 * LONGEST_MS - 5; /* begun by who had read it before, and held up */
    change = learn(&facts, VERDICT_UNSHIPPED);
    assert_int_equal(change.task_state, TASK_WAITING);
    assert_int_equal(change.due_ms, 5);
    facts.since_undo_ms = 2 * LONGEST_MS;
    change = learn(&facts, VERDICT_UNSHIPPED);
    assert_true(change.task_state == TASK_DONE && change.next == STAGE_CANCEL);
    change = learn(&facts, VERDICT_SHIPPED);
    assert_int_equal(change.status, ORDER_FULFILLED);
    assert_string_equal(change.reason, "shipped_before_cancel");
    assert_int_equal(change.stock, STOCK_SHIPPED);
    facts.attempt_state = ATTEMPT_UNKNOWN; /* nothing unpaid is shipped, whoever says so */
    assert_true(learn(&facts, VERDICT_SHIPPED).is_dead);
}

static void what_the_carrier_refuses_for_good_is_given_back_and_the_rest_goes_forward(void **state)
{
    struct order_facts facts = facts_of(STAGE_FULFILMENT, ORDER_CONFIRMED);
    struct order_change change;

    (void)state;
    facts.undo = UNDO_NONE;
    change = fail_with(&facts, VERDICT_FAILED, FAULT_REFUSED);
    assert_int_equal(change.status, ORDER_REFUNDING);
    assert_int_equal(change.next, STAGE_REFUND);
    assert_int_equal(change.undo, UNDO_UNDELIVERABLE);
    assert_false(change.is_dead);
    assert_int_equal(fail_with(&facts, VERDICT_FAILED, FAULT_TRANSIENT).status, ORDER_CONFIRMED);
    facts.total = 0; /* nothing was taken: nothing to give back */
    facts.attempt_number = 0;
    facts.attempt_state = ATTEMPT_NONE;
    change = fail_with(&facts, VERDICT_FAILED, FAULT_REFUSED);
    assert_int_equal(change.status, ORDER_CANCELING);
    assert_int_equal(change.next, STAGE_CANCEL);
}

/* --- refund ------------------------------------------------------------------------------------
 */

static void an_order_that_is_undone_owes_what_is_left(void **state)
{
    struct order_facts facts = facts_of(STAGE_REFUND, ORDER_REFUNDING);
    struct order_change change;

    (void)state;
    facts.refunds = 1;
    facts.refunded = 30;
    change = learn(&facts, VERDICT_REFUND_OWED);
    assert_int_equal(change.refund_number, 2);
    assert_int_equal(change.refund_amount, 70);
    assert_int_equal(change.refund_state, REFUND_OPENED);
    assert_true(change.keeps_running);
    order_apply(&facts, &change);
    assert_int_equal(facts.refund_number, 2);
    assert_int_equal(facts.refund_amount, 70);
    facts.status = ORDER_FULFILLED; /* of an order that goes its way nothing is owed by itself */
    facts.refund_number = 0;
    assert_true(learn(&facts, VERDICT_REFUND_OWED).is_dead);
}

static void a_refund_is_committed_before_it_is_sent_and_not_sent_again_too_early(void **state)
{
    struct order_facts facts = refunding(ORDER_REFUNDING, REFUND_OPENED);
    struct order_change change = learn(&facts, VERDICT_REFUND_SENDING);

    (void)state;
    assert_true(change.is_refund_sending && change.keeps_running);
    assert_int_equal(change.refund_state, REFUND_SENT);
    order_apply(&facts, &change);
    assert_int_equal(facts.since_refund_sent_ms, 0);
    facts.since_refund_sent_ms = LONGEST_MS - 7;
    change = learn(&facts, VERDICT_REFUND_OPEN);
    assert_int_equal(change.task_state, TASK_WAITING);
    assert_int_equal(change.due_ms, 7);
}

static void the_key_of_a_refund_changes_only_with_an_answer_that_is_stored_under_it(void **state)
{
    struct order_facts facts = refunding(ORDER_REFUNDING, REFUND_SENT);
    struct order_lesson lesson = {.verdict = VERDICT_REFUND_UNKNOWN,
                                  .fault = {FAULT_UNKNOWN, "code", "text"}};

    (void)state;
    facts.attempt = 1000;
    assert_int_equal(decide(&facts, lesson).refund_keys, 1);
    assert_int_equal(decide(&facts, lesson).refund_state, REFUND_UNKNOWN);
    assert_int_equal(decide(&facts, lesson).task_state, TASK_WAITING); /* for as long as it takes */
    lesson.is_answered = true;
    assert_int_equal(decide(&facts, lesson).refund_keys, 2);
    assert_int_equal(learn(&facts, VERDICT_REFUND_SENDING).refund_keys, 1);
}

static void the_last_refund_of_an_order_that_is_undone_ends_it(void **state)
{
    struct order_facts facts = refunding(ORDER_CANCELING, REFUND_SENT);
    struct order_change change = learn(&facts, VERDICT_REFUND_MADE);

    (void)state;
    assert_int_equal(change.status, ORDER_REFUNDED);
    assert_true(change.is_final && change.closes && change.stock == STOCK_RETURNED);
    assert_int_equal(change.refund_state, REFUND_MADE);
    facts.refund_amount = 30; /* a part that was asked for before: the rest is owed yet */
    change = learn(&facts, VERDICT_REFUND_MADE);
    assert_int_equal(change.status, ORDER_CANCELING);
    assert_true(change.task_state == TASK_READY && change.next == STAGE_REFUND);
}

static void a_refund_after_the_end_changes_an_amount_and_neither_status_nor_reason(void **state)
{
    struct order_facts facts = refunding(ORDER_FULFILLED, REFUND_SENT);
    struct order_change change = learn(&facts, VERDICT_REFUND_MADE);

    (void)state;
    assert_int_equal(change.status, ORDER_FULFILLED);
    assert_true(change.is_final && change.task_state == TASK_DONE);
    assert_true(change.stock == STOCK_KEPT && change.reason == NULL);
    facts.refunds_open = 2;
    assert_int_equal(learn(&facts, VERDICT_REFUND_MADE).next, STAGE_REFUND);
    change = fail_with(&facts, VERDICT_FAILED, FAULT_BROKEN);
    assert_true(change.is_dead && change.status == ORDER_FULFILLED);
}

static void a_refund_that_the_provider_refuses_is_for_a_person(void **state)
{
    struct order_facts facts = refunding(ORDER_REFUNDING, REFUND_SENT);
    struct order_change change = learn(&facts, VERDICT_REFUND_REFUSED);

    (void)state;
    assert_true(change.is_dead && change.refund_state == REFUND_REFUSED);
    assert_int_equal(change.status, ORDER_ON_HOLD);
}

static void while_money_is_owed_there_is_never_nothing_to_do(void **state)
{
    struct order_facts cancel = facts_of(STAGE_CANCEL, ORDER_CANCELING);
    struct order_facts shipping = facts_of(STAGE_FULFILMENT, ORDER_CANCELING);
    struct order_facts owed = facts_of(STAGE_REFUND, ORDER_REFUNDING);
    struct order_facts open = refunding(ORDER_FULFILLED, REFUND_OPENED);
    const struct order_facts *all[] = {&cancel, &shipping, &owed, &open};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        assert_true(learn(all[i], VERDICT_NOTHING).is_dead);
    owed.status = ORDER_FULFILLED;
    assert_int_equal(learn(&owed, VERDICT_NOTHING).task_state, TASK_DONE);
}

/* Whatever is learnt, in each step, with and without a refund. */
static void what_is_being_undone_always_says_why(void **state)
{
    static const enum order_status undone[] = {ORDER_CANCELING, ORDER_REFUNDING, ORDER_CANCELED,
                                               ORDER_REFUNDED};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(undone) * (STAGE_COUNT - 1) * 2; i++) {
        enum order_status status = undone[i % ARRAY_SIZE(undone)];
        struct order_facts facts =
            i % 2 ? refunding(status, REFUND_SENT) : facts_of(STAGE_CANCEL, status);

        facts.stage = (enum stage)(i / ARRAY_SIZE(undone) / 2 + 1);
        for (int verdict = 0; verdict <= VERDICT_NOTHING; verdict++) {
            struct order_change change = fail_with(&facts, (enum verdict)verdict, FAULT_TRANSIENT);

            if (change.status == status && change.reason && change.reason[0] == '\0')
                fail_msg("stage %d, status %d: verdict %d takes the reason away", (int)facts.stage,
                         (int)status, verdict);
        }
    }
}

static void a_cancel_that_finds_it_paid_keeps_its_reason(void **state)
{
    struct order_facts facts = facts_of(STAGE_CANCEL, ORDER_CANCELING);
    struct order_change change = learn(&facts, VERDICT_PAID);

    (void)state;
    assert_string_equal(change.event, "found_paid");
    assert_null(change.reason); /* as it is */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_voided_order_is_canceled_with_all_that_was_open_of_it),
        cmocka_unit_test(what_is_found_paid_is_given_back_and_not_called_canceled),
        cmocka_unit_test(a_cancel_that_is_unknown_never_dies_of_it),
        cmocka_unit_test(the_payment_s_own_step_is_overruled_but_what_it_learnt_is_kept),
        cmocka_unit_test(a_part_given_back_says_nothing_of_what_may_be_shipped),
        cmocka_unit_test(a_shipment_may_come_of_an_old_call_until_the_longest_is_over),
        cmocka_unit_test(what_the_carrier_refuses_for_good_is_given_back_and_the_rest_goes_forward),
        cmocka_unit_test(an_order_that_is_undone_owes_what_is_left),
        cmocka_unit_test(a_refund_is_committed_before_it_is_sent_and_not_sent_again_too_early),
        cmocka_unit_test(the_key_of_a_refund_changes_only_with_an_answer_that_is_stored_under_it),
        cmocka_unit_test(the_last_refund_of_an_order_that_is_undone_ends_it),
        cmocka_unit_test(a_refund_after_the_end_changes_an_amount_and_neither_status_nor_reason),
        cmocka_unit_test(a_refund_that_the_provider_refuses_is_for_a_person),
        cmocka_unit_test(while_money_is_owed_there_is_never_nothing_to_do),
        cmocka_unit_test(what_is_being_undone_always_says_why),
        cmocka_unit_test(a_cancel_that_finds_it_paid_keeps_its_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
