/* When a failed call is made again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"
#include "schema/retry.h"

#include <cmocka.h>

static const struct retry_policy policy = {.base_ms = 1000, .max_ms = 300000, .attempts_max = 12};
static const uint32_t randoms[] = {0, 1, UINT32_MAX / 2, UINT32_MAX - 1, UINT32_MAX};

static int64_t pause(int32_t attempts, int64_t retry_after_ms, uint32_t random)
{
    int64_t pause_ms = -1;

    assert_true(retry_decide(&policy, FAULT_UNKNOWN, attempts, retry_after_ms, random, &pause_ms));
    return pause_ms;
}

static void the_longest_pause_doubles_up_to_the_cap(void **state)
{
    static const int64_t longest[] = {1000,  2000,   4000,   8000,   16000, 32000,
                                      64000, 128000, 256000, 300000, 300000};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(longest); i++)
        assert_int_equal(pause((int32_t)i + 1, -1, UINT32_MAX), longest[i]);
    assert_int_equal(pause(INT32_MAX, -1, UINT32_MAX), policy.max_ms);
}

static void the_pause_is_anywhere_between_nothing_and_the_longest(void **state)
{
    int64_t sum = 0;

    (void)state;
    for (int32_t attempts = 1; attempts < 40; attempts++) {
        for (size_t i = 0; i < ARRAY_SIZE(randoms); i++)
            assert_in_range(pause(attempts, -1, randoms[i]), 1, policy.max_ms);
        assert_int_equal(pause(attempts, -1, 0), 1);
    }
    for (uint32_t n = 0; n < 1000; n++)
        sum += pause(3, -1, n * (UINT32_MAX / 1000));
    assert_in_range(sum / 1000, 1950, 2050); /* half of the longest */
}

static void a_wish_of_the_other_side_is_the_least(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(randoms); i++)
        assert_in_range(pause(1, 700, randoms[i]), 700, 1000);
    assert_int_equal(pause(1, 900000, 5), 900000); /* also above our cap */
    assert_int_equal(pause(1, 0, 0), 1);
}

static void the_kind_says_whether_there_is_another_attempt(void **state)
{
    static const struct {
        enum fault_kind kind;
        int32_t attempts;
        bool is_retried;
    } rows[] = {
        {FAULT_REFUSED, 1, false},   {FAULT_BROKEN, 1, false},      {FAULT_TRANSIENT, 1, true},
        {FAULT_TRANSIENT, 11, true}, {FAULT_TRANSIENT, 12, false},  {FAULT_TRANSIENT, 13, false},
        {FAULT_UNKNOWN, 12, true},   {FAULT_UNKNOWN, 100000, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t pause_ms;

        if (retry_decide(&policy, rows[i].kind, rows[i].attempts, -1, 7, &pause_ms) !=
            rows[i].is_retried)
            fail_msg("%s after %d attempts: not what the table says", fault_kind_name(rows[i].kind),
                     (int)rows[i].attempts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_pause_doubles_up_to_the_cap),
        cmocka_unit_test(the_pause_is_anywhere_between_nothing_and_the_longest),
        cmocka_unit_test(a_wish_of_the_other_side_is_the_least),
        cmocka_unit_test(the_kind_says_whether_there_is_another_attempt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
