#include "queue/sweep_rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { SECOND = 1000000 };

/* Ready, confirmed ten intervals ago, by a broker that is there and has shown nothing. */
static struct sweep_sight overdue(void)
{
    return (struct sweep_sight){
        .now_us = 1000 * (int64_t)SECOND,
        .interval_us = SECOND,
        .state = TASK_READY,
        .confirmed_us = 990 * (int64_t)SECOND,
        .published_upto = 500,
        .claimed_upto = 500,
        .is_broker_ready = true,
        .broker_since_us = 100 * (int64_t)SECOND,
    };
}

static void expect(const struct sweep_sight *sight, enum sweep_act act)
{
    int64_t look_in_us;

    assert_int_equal(sweep_rule(sight, &look_in_us), act);
    if (act == SWEEP_KEPT || act == SWEEP_REARMED)
        assert_true(look_in_us > 0);
}

static void what_the_broker_may_hold_is_not_swept_however_long_it_waits(void **state)
{
    struct sweep_sight sight = overdue();

    (void)state;
    expect(&sight, SWEEP_KEPT);
    sight.now_us += 1000000LL * SECOND;
    expect(&sight, SWEEP_KEPT);
}

static void an_empty_queue_after_the_confirm_is_proof(void **state)
{
    struct sweep_sight sight = overdue();

    (void)state;
    sight.seen_empty_us = sight.confirmed_us;
    expect(&sight, SWEEP_KEPT);
    sight.seen_empty_us++;
    expect(&sight, SWEEP_SWEPT);
}

static void a_later_message_that_was_claimed_is_proof(void **state)
{
    struct sweep_sight sight = overdue();

    (void)state;
    sight.claimed_upto = sight.published_upto + 1;
    expect(&sight, SWEEP_SWEPT);
}

static void nothing_is_swept_while_the_broker_is_away(void **state)
{
    struct sweep_sight sight = overdue();

    (void)state;
    sight.claimed_upto = 501;
    sight.seen_empty_us = sight.now_us;
    sight.is_broker_ready = false;
    expect(&sight, SWEEP_KEPT);
}

static void what_was_known_before_the_broker_came_back_counts_no_more(void **state)
{
    struct sweep_sight sight = overdue();

    (void)state;
    sight.claimed_upto = 501;
    sight.broker_since_us = sight.confirmed_us + 1;
    expect(&sight, SWEEP_REARMED);
}

static void the_interval_doubles_with_each_sweep(void **state)
{
    struct sweep_sight sight = overdue();
    int64_t look_in_us;

    (void)state;
    sight.claimed_upto = 501;
    sight.sweeps = 3; /* eight seconds */
    expect(&sight, SWEEP_SWEPT);
    sight.sweeps = 4;
    assert_int_equal(sweep_rule(&sight, &look_in_us), SWEEP_KEPT);
    assert_int_equal(look_in_us, 6 * SECOND);
    sight.sweeps = INT32_MAX; /* capped */
    sight.now_us = sight.confirmed_us + ((int64_t)SECOND << SWEEP_DOUBLINGS_MAX);
    expect(&sight, SWEEP_SWEPT);
}

static void a_dead_letter_of_the_broker_is_in_no_queue(void **state)
{
    struct sweep_sight sight = overdue();

    (void)state;
    sight.published_upto = SWEEP_SURELY_GONE;
    sight.is_broker_ready = false;
    expect(&sight, SWEEP_SWEPT);
    sight.now_us = sight.confirmed_us;
    expect(&sight, SWEEP_KEPT);
}

static void a_running_task_is_released_only_when_its_worker_is_gone(void **state)
{
    struct sweep_sight sight = overdue();

    (void)state;
    sight.state = TASK_RUNNING;
    sight.claimed_upto = 501;
    sight.seen_empty_us = sight.now_us;
    expect(&sight, SWEEP_KEPT);
    sight.is_holder_gone = true;
    sight.is_broker_ready = false;
    expect(&sight, SWEEP_RELEASED);
}

static void what_has_moved_on_is_dropped(void **state)
{
    static const enum task_state moved_on[] = {TASK_WAITING, TASK_PARKED, TASK_DONE, TASK_DEAD};
    struct sweep_sight sight = overdue();

    (void)state;
    sight.claimed_upto = 501;
    for (size_t i = 0; i < sizeof(moved_on) / sizeof(moved_on[0]); i++) {
        sight.state = moved_on[i];
        expect(&sight, SWEEP_DROPPED);
    }
}

static void what_waits_long_is_looked_at_less_often(void **state)
{
    struct sweep_sight sight = overdue();
    int64_t look_in_us;

    (void)state;
    sight.now_us = sight.confirmed_us + 3 * (int64_t)SECOND;
    sweep_rule(&sight, &look_in_us);
    assert_int_equal(look_in_us, 3 * SECOND);
    sight.now_us = sight.confirmed_us + 3000 * (int64_t)SECOND;
    sweep_rule(&sight, &look_in_us);
    assert_int_equal(look_in_us, SWEEP_LOOKS_MAX * SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_broker_may_hold_is_not_swept_however_long_it_waits),
        cmocka_unit_test(an_empty_queue_after_the_confirm_is_proof),
        cmocka_unit_test(a_later_message_that_was_claimed_is_proof),
        cmocka_unit_test(nothing_is_swept_while_the_broker_is_away),
        cmocka_unit_test(what_was_known_before_the_broker_came_back_counts_no_more),
        cmocka_unit_test(the_interval_doubles_with_each_sweep),
        cmocka_unit_test(a_dead_letter_of_the_broker_is_in_no_queue),
        cmocka_unit_test(a_running_task_is_released_only_when_its_worker_is_gone),
        cmocka_unit_test(what_has_moved_on_is_dropped),
        cmocka_unit_test(what_waits_long_is_looked_at_less_often),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
