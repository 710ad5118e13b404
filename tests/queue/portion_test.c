#include "queue/portion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void quick_whole_portions_become_as_large_as_they_may(void **state)
{
    static const int sizes[] = {100, 200, 400, PORTION_MOST, PORTION_MOST};
    int portion = PORTION_FIRST;

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        portion = portion_next(portion, portion, 1);
        assert_int_equal(portion, sizes[i]);
    }
}

static void slow_ones_become_small(void **state)
{
    static const int sizes[] = {250, 125, 62, 31, 15, PORTION_LEAST, PORTION_LEAST};
    int portion = PORTION_MOST;

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        portion = portion_next(portion, i % 2 ? portion : 1, PORTION_MS + 1);
        assert_int_equal(portion, sizes[i]);
    }
}

static void what_moved_nothing_or_a_part_or_took_its_time_says_nothing(void **state)
{
    (void)state;
    assert_int_equal(portion_next(50, 0, 10000), 50);
    assert_int_equal(portion_next(50, 49, 1), 50);
    assert_int_equal(portion_next(50, 50, PORTION_MS / 4), 50);
    assert_int_equal(portion_next(50, 50, PORTION_MS), 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quick_whole_portions_become_as_large_as_they_may),
        cmocka_unit_test(slow_ones_become_small),
        cmocka_unit_test(what_moved_nothing_or_a_part_or_took_its_time_says_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
