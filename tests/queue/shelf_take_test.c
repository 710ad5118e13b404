/* Whole orders or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"
#include "queue/shelf.h"

#include <cmocka.h>

static void takes_a_whole_order_and_leaves_the_rest(void **state)
{
    int64_t available[] = {10, 5, 1};
    const struct shelf_line wants[] = {{0, 4}, {1, 5}};

    (void)state;
    assert_true(shelf_take(available, wants, ARRAY_SIZE(wants)));
    assert_int_equal(available[0], 6);
    assert_int_equal(available[1], 0);
    assert_int_equal(available[2], 1);
}

static void an_order_that_does_not_fit_takes_nothing(void **state)
{
    int64_t available[] = {10, 5, 0};
    const struct shelf_line wants[][3] = {
        {{0, 10}, {1, 5}, {2, 1}},
        {{2, 1}, {0, 1}, {1, 1}},
        {{0, 1}, {1, 6}, {2, 0}},
        {{0, 6}, {1, 1}, {0, 5}}, /* the same sku twice counts twice */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
        assert_false(shelf_take(available, wants[i], 3));
        assert_int_equal(available[0], 10);
        assert_int_equal(available[1], 5);
        assert_int_equal(available[2], 0);
    }
}

static void the_next_may_still_fit(void **state)
{
    int64_t available[] = {3};

    (void)state;
    assert_true(shelf_take(available, &(struct shelf_line){0, 2}, 1));
    assert_false(shelf_take(available, &(struct shelf_line){0, 2}, 1));
    assert_true(shelf_take(available, &(struct shelf_line){0, 1}, 1));
    assert_int_equal(available[0], 0);
    assert_false(shelf_take(available, &(struct shelf_line){0, 1}, 1));
}

static void large_quantities_do_not_wrap(void **state)
{
    int64_t available[] = {INT64_MAX};
    const struct shelf_line wants[] = {{0, INT32_MAX}, {0, INT32_MAX}};

    (void)state;
    assert_true(shelf_take(available, wants, 2));
    assert_int_equal(available[0], INT64_MAX - 2 * (int64_t)INT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_whole_order_and_leaves_the_rest),
        cmocka_unit_test(an_order_that_does_not_fit_takes_nothing),
        cmocka_unit_test(the_next_may_still_fit),
        cmocka_unit_test(large_quantities_do_not_wrap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
