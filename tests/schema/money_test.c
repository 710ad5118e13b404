#include "schema/money.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void adds_up_to_the_largest_amount_and_no_further(void **state)
{
    int64_t sum = MONEY_MAX - 1;

    (void)state;
    assert_true(money_add(&sum, 1));
    assert_int_equal(sum, MONEY_MAX);
    assert_false(money_add(&sum, 1));
    assert_false(money_add(&sum, INT64_MAX));
    assert_int_equal(sum, MONEY_MAX);
}

static void never_runs_over_when_it_multiplies(void **state)
{
    int64_t sum = 5;

    (void)state;
    assert_false(money_add_times(&sum, MONEY_MAX, 9999));
    assert_false(money_add_times(&sum, INT64_MAX, 2));
    assert_int_equal(sum, 5);
    assert_true(money_add_times(&sum, 1290, 2));
    assert_int_equal(sum, 2585);
}

static void never_falls_below_nothing(void **state)
{
    int64_t sum = 5;

    (void)state;
    assert_false(money_add(&sum, -6));
    assert_true(money_add(&sum, -5));
    assert_int_equal(sum, 0);
}

static void knows_the_shape_of_a_currency(void **state)
{
    (void)state;
    assert_true(currency_is_valid("EUR"));
    assert_false(currency_is_valid("eur"));
    assert_false(currency_is_valid("EU"));
    assert_false(currency_is_valid("EURO"));
    assert_false(currency_is_valid("E1R"));
}

static void knows_how_many_decimals_a_currency_has(void **state)
{
    (void)state;
    assert_int_equal(currency_digits("EUR"), 2);
    assert_int_equal(currency_digits("JPY"), 0);
    assert_int_equal(currency_digits("KWD"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_up_to_the_largest_amount_and_no_further),
        cmocka_unit_test(never_runs_over_when_it_multiplies),
        cmocka_unit_test(never_falls_below_nothing),
        cmocka_unit_test(knows_the_shape_of_a_currency),
        cmocka_unit_test(knows_how_many_decimals_a_currency_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
