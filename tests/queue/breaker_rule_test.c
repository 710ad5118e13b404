#include "queue/breaker_rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct breaker_policy policy = {.failures = 5, .percent = 50, .window_ms = 10000};

static struct breaker_count count;
static uint64_t now;

static int begin(void **state)
{
    (void)state;
    count = (struct breaker_count){0};
    now = 1000000;
    return 0;
}

static void fail_calls(int n, uint64_t each_ms)
{
    for (int i = 0; i < n; i++, now += each_ms)
        breaker_count_failure(&count, &policy, now);
}

static void answer_calls(int n, uint64_t each_ms)
{
    for (int i = 0; i < n; i++, now += each_ms)
        breaker_count_good(&count, &policy, now);
}

static bool trips(enum breaker_state state)
{
    return breaker_count_trips(&count, &policy, state, now);
}

static void five_in_a_row_open_once_nothing_went_well_for_a_moment(void **state)
{
    (void)state;
    fail_calls(4, 1);
    now += BREAKER_SETTLE_MS;
    assert_false(trips(BREAKER_CLOSED));
    fail_calls(1, 1);
    assert_true(trips(BREAKER_CLOSED));
    begin(NULL);
    fail_calls(19, 1); /* all at once: those that were sent just before may yet be answered */
    assert_false(trips(BREAKER_CLOSED));
    now += BREAKER_SETTLE_MS;
    assert_true(trips(BREAKER_CLOSED));
}

static void one_that_went_well_ends_a_row(void **state)
{
    (void)state;
    answer_calls(100, 1);
    for (int i = 0; i < 10; i++) {
        fail_calls(4, 100);
        assert_false(trips(BREAKER_CLOSED));
        answer_calls(5, 1);
    }
}

static void half_of_the_window_opens_it_too(void **state)
{
    (void)state;
    for (int i = 0; i < 9; i++) {
        answer_calls(1, 1);
        fail_calls(1, 1);
        assert_false(trips(BREAKER_CLOSED)); /* too few to say anything */
    }
    answer_calls(1, 1);
    fail_calls(1, 1);
    assert_true(trips(BREAKER_CLOSED));
    begin(NULL);
    answer_calls(12, 1);
    fail_calls(3, 1);
    answer_calls(1, 1);
    fail_calls(4, 1);
    assert_false(trips(BREAKER_CLOSED)); /* a third */
}

static void what_is_older_than_the_window_counts_no_more(void **state)
{
    (void)state;
    fail_calls(4, 1);
    now += (uint64_t)policy.window_ms + 1;
    fail_calls(1, BREAKER_SETTLE_MS);
    assert_false(trips(BREAKER_CLOSED));
    begin(NULL);
    for (int i = 0; i < 15; i++) {
        fail_calls(1, 1);
        answer_calls(1, 1);
        now += (uint64_t)policy.window_ms / 4; /* eight calls a window */
        assert_false(trips(BREAKER_CLOSED));
    }
}

static void one_failure_ends_a_probe_and_two_a_ramp(void **state)
{
    (void)state;
    assert_false(trips(BREAKER_PROBING));
    fail_calls(1, 0);
    assert_true(trips(BREAKER_PROBING));
    assert_false(trips(BREAKER_RAMPING));
    answer_calls(1, 0);
    fail_calls(1, 0);
    assert_false(trips(BREAKER_RAMPING));
    fail_calls(1, 0);
    assert_true(trips(BREAKER_RAMPING));
    assert_false(trips(BREAKER_OPEN)); /* it is open */
}

static void only_who_was_let_out_since_it_opened_is_called_for(void **state)
{
    struct breaker_view view = {.state = BREAKER_CLOSED, .version = 9, .opened = 7};

    (void)state;
    assert_true(breaker_admits(&view, 0));
    view.state = BREAKER_RAMPING;
    assert_false(breaker_admits(&view, 0));
    assert_false(breaker_admits(&view, 6));
    assert_true(breaker_admits(&view, 7));
    view.state = BREAKER_OPEN; /* as far as this worker knows; the relay knows more */
    assert_true(breaker_admits(&view, 7));
    assert_true(breaker_admits(&view, 8));
}

static enum breaker_verdict judge(enum breaker_state state, int64_t opened, uint64_t goods,
                                  uint64_t age_ms)
{
    struct breaker_doubt doubt = {.is_raised = true,
                                  .opened = 7,
                                  .goods = 3,
                                  .since_ms = now,
                                  .since_ticks = count.ticks - age_ms / 100};
    struct breaker_view view = {.state = state, .opened = opened};

    count.goods = goods;
    return breaker_judge(&doubt, &view, &count, now + age_ms);
}

static void whose_failure_it_was_is_seen_by_what_comes_next(void **state)
{
    (void)state;
    assert_int_equal(judge(BREAKER_CLOSED, 7, 3, 0), DOUBT_STANDS);
    assert_int_equal(judge(BREAKER_CLOSED, 7, 4, 0), DOUBT_OWN);
    assert_int_equal(judge(BREAKER_CLOSED, 7, 3, BREAKER_DOUBT_MS), DOUBT_UNCLEAR);
    assert_int_equal(judge(BREAKER_RAMPING, 7, 3, BREAKER_DOUBT_MS), DOUBT_STANDS);
    assert_int_equal(judge(BREAKER_RAMPING, 7, 3, BREAKER_DOUBT_LONG_MS), DOUBT_UNCLEAR);
    assert_int_equal(judge(BREAKER_OPEN, 8, 3, 0), DOUBT_OUTAGE);
    assert_int_equal(judge(BREAKER_CLOSED, 8, 4, 0), DOUBT_OUTAGE); /* begun before it opened */
}

/* The failure was read, then the process got no time: what failed meanwhile is read next. */
static void a_doubt_outlasts_a_process_that_stood_still(void **state)
{
    struct breaker_view view = {.state = BREAKER_CLOSED, .opened = 7};
    struct breaker_doubt doubt = {.is_raised = true, .opened = 7, .since_ms = now};

    (void)state;
    now += BREAKER_DOUBT_LONG_MS;
    for (count.ticks = 1; count.ticks < BREAKER_DOUBT_TICKS; count.ticks++)
        assert_int_equal(breaker_judge(&doubt, &view, &count, now), DOUBT_STANDS);
    assert_int_equal(breaker_judge(&doubt, &view, &count, now), DOUBT_UNCLEAR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(five_in_a_row_open_once_nothing_went_well_for_a_moment, begin),
        cmocka_unit_test_setup(one_that_went_well_ends_a_row, begin),
        cmocka_unit_test_setup(half_of_the_window_opens_it_too, begin),
        cmocka_unit_test_setup(what_is_older_than_the_window_counts_no_more, begin),
        cmocka_unit_test_setup(one_failure_ends_a_probe_and_two_a_ramp, begin),
        cmocka_unit_test_setup(only_who_was_let_out_since_it_opened_is_called_for, begin),
        cmocka_unit_test_setup(whose_failure_it_was_is_seen_by_what_comes_next, begin),
        cmocka_unit_test_setup(a_doubt_outlasts_a_process_that_stood_still, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
