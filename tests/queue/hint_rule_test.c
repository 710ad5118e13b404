/* Lone hints go at once, many are paced. */
#include "queue/hint_rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { US_NS = 1000, S_US = 1000000 };

/* How many of hints that are wished for each `gap_us`, for a second, go at once. */
static int sent_at_once(int gap_us)
{
    struct hint_rule rule = {0};
    int sent = 0;

    for (int at_us = 0; at_us < S_US; at_us += gap_us)
        sent += hint_rule_wait_ns(&rule, (uint64_t)(S_US + at_us) * US_NS) == 0;
    return sent;
}

static void two_hundred_a_second_all_go_at_once(void **state)
{
    (void)state;
    assert_int_equal(sent_at_once(S_US / 200), 200);
}

static void of_many_one_goes_each_interval(void **state)
{
    const int paced = S_US / (HINT_EVERY_NS / US_NS);

    (void)state;
    assert_in_range(sent_at_once(100), paced, paced + HINT_BURST);
}

static void a_burst_goes_at_once_and_then_it_is_told_how_long_to_wait(void **state)
{
    struct hint_rule rule = {0};
    uint64_t now_ns = 12345, wait_ns;

    (void)state;
    for (int i = 0; i < HINT_BURST; i++)
        assert_int_equal(hint_rule_wait_ns(&rule, now_ns), 0);
    wait_ns = hint_rule_wait_ns(&rule, now_ns);
    assert_int_equal(wait_ns, HINT_EVERY_NS);
    assert_int_equal(hint_rule_wait_ns(&rule, now_ns + wait_ns - 1), 1);
    assert_int_equal(hint_rule_wait_ns(&rule, now_ns + wait_ns), 0);
    assert_int_equal(hint_rule_wait_ns(&rule, now_ns + wait_ns), HINT_EVERY_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_hundred_a_second_all_go_at_once),
        cmocka_unit_test(of_many_one_goes_each_interval),
        cmocka_unit_test(a_burst_goes_at_once_and_then_it_is_told_how_long_to_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
