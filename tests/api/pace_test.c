/* How long who polls is asked to wait: never less for an older order, never less for more to do. */
#include "api/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { DAY_MS = 86400000, STEP_MS = 1000 };

static const struct load idle = {0};

static void a_new_order_is_asked_for_once_a_second_and_an_old_one_once_a_minute(void **state)
{
    (void)state;
    assert_int_equal(pace_poll_ms(0, &idle), POLL_MS_LEAST);
    assert_int_equal(pace_poll_ms(-5, &idle), POLL_MS_LEAST); /* the clocks differ a little */
    assert_int_equal(pace_poll_ms(30000, &idle), 2000);
    assert_int_equal(pace_poll_ms(300000, &idle), 5000);
    assert_int_equal(pace_poll_ms(3600000, &idle), 15000);
    assert_int_equal(pace_poll_ms(DAY_MS, &idle), POLL_MS_MOST);
}

static void grows_with_age(void **state)
{
    int64_t before = 0;

    (void)state;
    for (int64_t age_ms = 0; age_ms <= DAY_MS; age_ms += STEP_MS) {
        int64_t poll_ms = pace_poll_ms(age_ms, &idle);

        assert_true(poll_ms >= before && poll_ms <= POLL_MS_MOST);
        before = poll_ms;
    }
    assert_int_equal(before, POLL_MS_MOST);
}

static void grows_with_what_there_is_to_do(void **state)
{
    int64_t by_waiting = 0, by_lag = 0;

    (void)state;
    for (int n = 0; n <= 40000; n += 100) {
        const struct load waiting = {.waiting = n}, late = {.lag_us = INT64_C(10) * n};

        assert_true(pace_poll_ms(0, &waiting) >= by_waiting);
        assert_true(pace_poll_ms(0, &late) >= by_lag);
        by_waiting = pace_poll_ms(0, &waiting);
        by_lag = pace_poll_ms(0, &late);
    }
    assert_int_equal(by_waiting, 8 * POLL_MS_LEAST); /* no order is left alone for long */
    assert_int_equal(by_lag, 8 * POLL_MS_LEAST);
}

static void is_never_more_than_a_minute(void **state)
{
    const struct load worst = {.waiting = INT32_MAX, .lag_us = INT64_MAX / 2};

    (void)state;
    assert_int_equal(pace_poll_ms(INT64_MAX, &worst), POLL_MS_MOST);
    assert_int_equal(pace_poll_ms(0, &worst), 8 * POLL_MS_LEAST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_order_is_asked_for_once_a_second_and_an_old_one_once_a_minute),
        cmocka_unit_test(grows_with_age),
        cmocka_unit_test(grows_with_what_there_is_to_do),
        cmocka_unit_test(is_never_more_than_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
