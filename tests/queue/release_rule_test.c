#include "queue/release_rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct release_policy policy = {.pause_ms = 1000, .pause_max_ms = 30000};

static void expect(const struct release_sight *sight, enum breaker_state state, int rate, int count)
{
    struct release_step step;

    release_rule(sight, &policy, &step);
    assert_int_equal(step.state, state);
    assert_int_equal(step.rate, rate);
    assert_int_equal(step.count, count);
}

static void what_is_parked_behind_a_closed_breaker_gets_out(void **state)
{
    struct release_sight sight = {.state = BREAKER_CLOSED};

    (void)state;
    expect(&sight, BREAKER_CLOSED, 0, PORTION_MOST);
    sight.is_empty = true; /* as far as the last look knew */
    expect(&sight, BREAKER_CLOSED, 0, PORTION_MOST);
}

static void the_pause_doubles_with_each_opening_up_to_its_most(void **state)
{
    (void)state;
    assert_int_equal(release_pause_ms(&policy, 1), 1000);
    assert_int_equal(release_pause_ms(&policy, 2), 2000);
    assert_int_equal(release_pause_ms(&policy, 5), 16000);
    assert_int_equal(release_pause_ms(&policy, 6), 30000);
    assert_int_equal(release_pause_ms(&policy, INT32_MAX), 30000);
    assert_int_equal(release_pause_ms(&policy, 0), 0); /* an operator let it go */
}

static void one_probe_goes_out_when_the_pause_is_over_and_no_second(void **state)
{
    struct release_sight sight = {.state = BREAKER_OPEN, .opens = 2, .since_ms = 1999};

    (void)state;
    expect(&sight, BREAKER_OPEN, 0, 0);
    sight.since_ms = 2000;
    expect(&sight, BREAKER_PROBING, 0, 1);
    sight = (struct release_sight){.state = BREAKER_PROBING, .is_probe_out = true, .released = 1};
    expect(&sight, BREAKER_PROBING, 0, 0);
    sight.is_probe_out = false; /* its task ended without a call */
    expect(&sight, BREAKER_PROBING, 0, 1);
    sight.is_empty = true;
    expect(&sight, BREAKER_CLOSED, 0, PORTION_MOST);
}

static void what_an_operator_holds_stays(void **state)
{
    struct release_sight sight = {.state = BREAKER_OPEN, .is_held = true, .since_ms = 1000000};

    (void)state;
    expect(&sight, BREAKER_OPEN, 0, 0);
    sight.is_held = false;
    expect(&sight, BREAKER_PROBING, 0, 1);
}

static void the_rate_doubles_each_second_while_it_goes_well(void **state)
{
    struct release_sight sight = {.state = BREAKER_PROBING, .goods = 1, .released = 1};

    (void)state;
    expect(&sight, BREAKER_RAMPING, RELEASE_RATE_FIRST, RELEASE_RATE_FIRST);
    sight = (struct release_sight){
        .state = BREAKER_RAMPING, .rate = 8, .goods = 10, .released = 20, .idle_ms = 250};
    expect(&sight, BREAKER_RAMPING, 8, 2);
    sight.since_ms = RELEASE_STEP_MS;
    expect(&sight, BREAKER_RAMPING, 16, 4);
    sight.idle_ms = 10; /* nothing yet, but the new rate is written */
    expect(&sight, BREAKER_RAMPING, 16, 1);
    sight.goods = 9; /* too little of it was answered */
    expect(&sight, BREAKER_RAMPING, 8, 0);
    sight.idle_ms = 3600000; /* a relay that has just taken over makes no burst */
    expect(&sight, BREAKER_RAMPING, 8, 8);
    sight.rate = 80000;
    expect(&sight, BREAKER_RAMPING, 80000, PORTION_MOST);
    sight.is_empty = true;
    expect(&sight, BREAKER_CLOSED, 0, PORTION_MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_parked_behind_a_closed_breaker_gets_out),
        cmocka_unit_test(the_pause_doubles_with_each_opening_up_to_its_most),
        cmocka_unit_test(one_probe_goes_out_when_the_pause_is_over_and_no_second),
        cmocka_unit_test(what_an_operator_holds_stays),
        cmocka_unit_test(the_rate_doubles_each_second_while_it_goes_well),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
