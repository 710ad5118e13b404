/* What is done now and then is done at once; of many, one each interval. */
#include "queue/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { US_NS = 1000, S_US = 1000000, EVERY_NS = 4000000 };

/* How many of what is wished for each `gap_us`, for a second, are done at once. */
static int sent_at_once(int gap_us)
{
    struct pace pace = {.every_ns = EVERY_NS};
    int sent = 0;

    for (int at_us = 0; at_us < S_US; at_us += gap_us)
        sent += pace_wait_ns(&pace, (uint64_t)(S_US + at_us) * US_NS) == 0;
    return sent;
}

static void two_hundred_a_second_are_all_done_at_once(void **state)
{
    (void)state;
    assert_int_equal(sent_at_once(S_US / 200), 200);
}

static void of_many_one_is_done_each_interval(void **state)
{
    const int paced = S_US / (EVERY_NS / US_NS);

    (void)state;
    assert_in_range(sent_at_once(100), paced, paced + PACE_BURST);
}

static void a_burst_is_done_at_once_and_then_it_is_told_how_long_to_wait(void **state)
{
    struct pace pace = {.every_ns = EVERY_NS};
    uint64_t now_ns = 12345, wait_ns;

    (void)state;
    for (int i = 0; i < PACE_BURST; i++)
        assert_int_equal(pace_wait_ns(&pace, now_ns), 0);
    wait_ns = pace_wait_ns(&pace, now_ns);
    assert_int_equal(wait_ns, EVERY_NS);
    assert_int_equal(pace_wait_ns(&pace, now_ns + wait_ns - 1), 1);
    assert_int_equal(pace_wait_ns(&pace, now_ns + wait_ns), 0);
    assert_int_equal(pace_wait_ns(&pace, now_ns + wait_ns), EVERY_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_hundred_a_second_are_all_done_at_once),
        cmocka_unit_test(of_many_one_is_done_each_interval),
        cmocka_unit_test(a_burst_is_done_at_once_and_then_it_is_told_how_long_to_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
