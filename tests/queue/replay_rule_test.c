#include "queue/replay_rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { SECOND_US = 1000000 };

/* 200 members on 1 → 5 → 20, 20 %, no limit but that; nothing has happened yet. */
static struct replay_sight run_of_200(void)
{
    return (struct replay_sight){
        .now_us = 1000 * (int64_t)SECOND_US,
        .ramp = {1, 5, 20},
        .ramp_count = 3,
        .stop_share = 20,
        .members = 200,
    };
}

static struct replay_sight at_step(int32_t ramp_at, int64_t released, int64_t succeeded,
                                   int64_t failed)
{
    struct replay_sight sight = run_of_200();

    sight.ramp_at = ramp_at;
    sight.released = sight.step_released = released;
    sight.step_succeeded = succeeded;
    sight.step_failed = failed;
    sight.ended = succeeded + failed;
    return sight;
}

static void expect_release(const struct replay_sight *sight, int32_t count, bool begins_step,
                           int32_t ramp_at)
{
    struct replay_decision decision = replay_rule(sight);

    assert_int_equal(decision.act, REPLAY_RELEASED);
    assert_int_equal(decision.count, count);
    assert_int_equal(decision.begins_step, begins_step);
    assert_int_equal(decision.ramp_at, ramp_at);
}

static void expect_act(const struct replay_sight *sight, enum replay_act act)
{
    assert_int_equal(replay_rule(sight).act, act);
}

static void begins_with_the_first_size_of_the_ramp(void **state)
{
    struct replay_sight sight = run_of_200();

    (void)state;
    expect_release(&sight, 1, false, 0);
}

static void waits_for_the_outcome_of_the_step_before(void **state)
{
    struct replay_sight sight = at_step(0, 1, 0, 0);

    (void)state;
    expect_act(&sight, REPLAY_WAITED);
    assert_true(replay_rule(&sight).rest_us > 0);
    sight = at_step(0, 1, 1, 0);
    expect_release(&sight, 5, true, 1);
}

static void waits_while_the_next_member_is_held_back_and_ends_just_the_same(void **state)
{
    struct replay_sight sight = run_of_200();

    (void)state;
    sight.is_held_back = true;
    expect_act(&sight, REPLAY_WAITED);
    assert_true(replay_rule(&sight).rest_us > 0);
    sight = at_step(0, 1, 0, 1);
    sight.is_held_back = true;
    expect_act(&sight, REPLAY_STOPPED);
    sight = run_of_200();
    sight.is_held_back = true;
    sight.skipped = sight.members;
    expect_act(&sight, REPLAY_DONE);
}

static void goes_on_once_what_is_missing_could_not_break_the_rule(void **state)
{
    struct replay_sight sight = at_step(1, 5, 3, 0);

    (void)state;
    expect_act(&sight, REPLAY_WAITED);
    sight = at_step(1, 5, 4, 0);
    expect_release(&sight, 20, true, 2);
    sight = at_step(1, 5, 3, 1);
    expect_act(&sight, REPLAY_WAITED);
}

static void stops_when_more_than_the_share_of_a_step_failed(void **state)
{
    struct replay_sight sight = at_step(0, 1, 0, 1);

    (void)state;
    expect_act(&sight, REPLAY_STOPPED);
    sight = at_step(1, 5, 4, 1);
    expect_release(&sight, 20, true, 2);
    sight = at_step(1, 5, 3, 2);
    expect_act(&sight, REPLAY_STOPPED);
}

static void stops_as_soon_as_the_rest_of_the_step_cannot_help(void **state)
{
    struct replay_sight sight = at_step(2, 5, 0, 4);

    (void)state;
    expect_release(&sight, 15, false, 2); /* 4 of 20 are no more than 20 % */
    sight = at_step(2, 5, 0, 5);
    expect_act(&sight, REPLAY_STOPPED);
}

static void a_share_of_nothing_stops_at_the_first_failure(void **state)
{
    struct replay_sight sight = at_step(2, 20, 19, 1);

    (void)state;
    sight.stop_share = 0;
    expect_act(&sight, REPLAY_STOPPED);
    sight = at_step(2, 20, 20, 0);
    sight.stop_share = 0;
    expect_release(&sight, 20, true, 2);
}

static void a_share_of_all_never_stops_nor_waits(void **state)
{
    struct replay_sight sight = at_step(2, 20, 0, 20);

    (void)state;
    sight.stop_share = REPLAY_STOP_NEVER;
    expect_release(&sight, 20, true, 2);
    sight = at_step(2, 20, 0, 0);
    sight.stop_share = REPLAY_STOP_NEVER;
    expect_release(&sight, 20, true, 2);
}

static void the_last_size_is_repeated(void **state)
{
    struct replay_sight sight = at_step(2, 20, 20, 0);

    (void)state;
    expect_release(&sight, 20, true, 2);
}

static void a_last_step_that_is_smaller_is_judged_by_its_own_size(void **state)
{
    struct replay_sight sight = at_step(2, 3, 2, 1);

    (void)state;
    sight.members = 3;
    expect_act(&sight, REPLAY_STOPPED);
}

static void what_was_skipped_is_no_part_of_a_step(void **state)
{
    struct replay_sight sight = at_step(0, 0, 0, 0);

    (void)state;
    sight.skipped = 7;
    expect_release(&sight, 1, false, 0);
    sight.skipped = 200;
    expect_act(&sight, REPLAY_DONE);
}

static void is_done_when_the_last_outcome_is_known(void **state)
{
    struct replay_sight sight = at_step(2, 20, 20, 0);

    (void)state;
    sight.released = 200;
    sight.ended = 199;
    expect_act(&sight, REPLAY_WAITED);
    sight.ended = 200;
    expect_act(&sight, REPLAY_DONE);
    sight = run_of_200();
    sight.members = 0;
    expect_act(&sight, REPLAY_DONE);
}

static void the_rate_gives_a_second_s_worth_at_most(void **state)
{
    struct replay_sight sight = at_step(2, 0, 0, 0);

    (void)state;
    sight.rate = 8;
    expect_release(&sight, 8, false, 2);
    assert_true(replay_rule(&sight).paced_us == sight.now_us - SECOND_US);
}

static void the_rate_is_waited_for_until_the_next_one(void **state)
{
    struct replay_sight sight = at_step(2, 0, 0, 0);
    struct replay_decision decision;

    (void)state;
    sight.rate = 4;
    sight.paced_us = sight.now_us - 100000;
    decision = replay_rule(&sight);
    assert_int_equal(decision.act, REPLAY_WAITED);
    assert_int_equal(decision.rest_us, 150001);
    sight.now_us += decision.rest_us;
    expect_release(&sight, 1, false, 2);
}

/* A clock that was set back makes a run wait, never run ahead. */
static void a_rate_used_up_in_the_future_is_waited_for(void **state)
{
    struct replay_sight sight = at_step(2, 0, 0, 0);

    (void)state;
    sight.rate = 100;
    sight.paced_us = sight.now_us + 30 * (int64_t)SECOND_US;
    expect_act(&sight, REPLAY_WAITED);
    assert_int_equal(replay_rule(&sight).rest_us, SECOND_US);
}

static void a_batch_has_an_end(void **state)
{
    struct replay_sight sight = run_of_200();

    (void)state;
    sight.ramp[0] = 100000;
    sight.members = 1000000;
    expect_release(&sight, PORTION_MOST, false, 0);
}

/* Driven to its end by outcomes at random, a run releases each member once and keeps the rule. */
static void every_member_is_released_once_whatever_the_outcomes(void **state)
{
    uint32_t random = 7;

    (void)state;
    for (int round = 0; round < 200; round++) {
        struct replay_sight sight = run_of_200();
        struct replay_decision decision = {REPLAY_WAITED, 0, false, 0, 0, 0};

        sight.rate = round % 3 * 50;
        for (int turn = 0; turn < 10000; turn++) {
            decision = replay_rule(&sight);
            sight.now_us += decision.rest_us + 1000;
            if (decision.act == REPLAY_STOPPED || decision.act == REPLAY_DONE)
                break;
            if (decision.act == REPLAY_RELEASED) {
                if (decision.begins_step)
                    sight.step_released = sight.step_succeeded = sight.step_failed = 0;
                assert_true(decision.count > 0);
                sight.ramp_at = decision.ramp_at;
                sight.released += decision.count;
                sight.step_released += decision.count;
                assert_true(sight.step_released <= sight.ramp[sight.ramp_at]);
                if (sight.rate > 0)
                    sight.paced_us =
                        decision.paced_us + decision.count * (int64_t)SECOND_US / sight.rate;
            }
            random = random * 1664525 + 1013904223;
            if (sight.ended < sight.released) {
                sight.ended++;
                if (sight.step_succeeded + sight.step_failed == sight.step_released)
                    continue; /* a straggler of an earlier step */
                if (random >> 24 < (uint32_t)(round % 40))
                    sight.step_failed++;
                else
                    sight.step_succeeded++;
            }
        }
        assert_true(decision.act == REPLAY_STOPPED || decision.act == REPLAY_DONE);
        assert_true(sight.released <= sight.members);
        if (decision.act == REPLAY_DONE)
            assert_int_equal(sight.released, 200);
    }
}

static void the_least_time_is_the_rate_and_one_outcome_a_step(void **state)
{
    struct replay_sight sight = run_of_200();

    (void)state;
    /* 1, 5, 20, then 8 × 20 and 14 */
    assert_int_equal(replay_rule_least_ms(&sight, 1000), 12000);
    sight.rate = 10;
    assert_int_equal(replay_rule_least_ms(&sight, 0), 20000);
    sight.stop_share = REPLAY_STOP_NEVER;
    assert_int_equal(replay_rule_least_ms(&sight, 1000), 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_with_the_first_size_of_the_ramp),
        cmocka_unit_test(waits_for_the_outcome_of_the_step_before),
        cmocka_unit_test(waits_while_the_next_member_is_held_back_and_ends_just_the_same),
        cmocka_unit_test(goes_on_once_what_is_missing_could_not_break_the_rule),
        cmocka_unit_test(stops_when_more_than_the_share_of_a_step_failed),
        cmocka_unit_test(stops_as_soon_as_the_rest_of_the_step_cannot_help),
        cmocka_unit_test(a_share_of_nothing_stops_at_the_first_failure),
        cmocka_unit_test(a_share_of_all_never_stops_nor_waits),
        cmocka_unit_test(the_last_size_is_repeated),
        cmocka_unit_test(a_last_step_that_is_smaller_is_judged_by_its_own_size),
        cmocka_unit_test(what_was_skipped_is_no_part_of_a_step),
        cmocka_unit_test(is_done_when_the_last_outcome_is_known),
        cmocka_unit_test(the_rate_gives_a_second_s_worth_at_most),
        cmocka_unit_test(the_rate_is_waited_for_until_the_next_one),
        cmocka_unit_test(a_rate_used_up_in_the_future_is_waited_for),
        cmocka_unit_test(a_batch_has_an_end),
        cmocka_unit_test(every_member_is_released_once_whatever_the_outcomes),
        cmocka_unit_test(the_least_time_is_the_rate_and_one_outcome_a_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
