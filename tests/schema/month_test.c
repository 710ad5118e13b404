/* Which month's own tables a batch may use, and the text of a statement on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "schema/month.h"

#include <cmocka.h>

static int64_t ms_of(const char *time)
{
    int64_t us = clock_parse(time);

    assert_true(us > 0);
    return us / 1000;
}

/* NULL: none may be used. */
static const char *month_of(const char *first, const char *last, const char *now)
{
    static char month[MONTH_SIZE];
    struct order_span span;

    order_id_first(&span.least, ms_of(first));
    order_id_first(&span.greatest, ms_of(last));
    return month_of_span(&span, ms_of(now), month) ? month : NULL;
}

static void one_month_is_named_as_its_tables_are(void **state)
{
    const char *begin = "2026-11-01T00:00:00.000000Z", *end = "2026-11-30T23:59:59.999000Z";

    (void)state;
    assert_string_equal(month_of(begin, end, begin), "_2026_11");
    assert_string_equal(month_of(begin, end, end), "_2026_11");
    assert_string_equal(month_of("2027-01-01T00:00:00.000000Z", "2027-01-31T23:59:59.999000Z",
                                 "2027-01-02T00:00:00.000000Z"),
                        "_2027_01");
    assert_string_equal(month_of("2026-12-31T00:00:00.000000Z", "2026-12-31T00:00:00.000000Z",
                                 "2027-01-31T00:00:00.000000Z"),
                        "_2026_12");
}

static void several_months_old_ones_and_coming_ones_are_not(void **state)
{
    const char *november = "2026-11-15T00:00:00.000000Z", *december = "2026-12-01T00:00:00.000000Z";

    (void)state;
    assert_null(month_of(november, december, december));
    assert_null(month_of(november, november, "2027-01-01T00:00:00.000000Z"));
    assert_null(month_of(december, december, november));
    assert_null(month_of("1970-01-01T00:00:00.001000Z", "1970-01-01T00:00:00.001000Z", november));
}

static void months_beside_one_another_are_near(void **state)
{
    (void)state;
    assert_true(month_is_near("_2026_12", "_2027_01"));
    assert_true(month_is_near("_2027_02", "_2027_01"));
    assert_true(month_is_near("_2027_01", "_2027_01"));
    assert_false(month_is_near("_2026_11", "_2027_01"));
    assert_false(month_is_near("_2026_01", "_2027_01"));
}

static void the_month_stands_behind_each_marked_table(void **state)
{
    const struct month_statement statement = {
        {"x", "SELECT FROM a JOIN b"}, "SELECT FROM a\001 JOIN b\001 USING (orders) -- \001"};
    char *sql = month_sql(&statement, "_2026_11");

    (void)state;
    assert_string_equal(sql, "SELECT FROM a_2026_11 JOIN b_2026_11 USING (orders) -- _2026_11");
    free(sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_month_is_named_as_its_tables_are),
        cmocka_unit_test(several_months_old_ones_and_coming_ones_are_not),
        cmocka_unit_test(months_beside_one_another_are_near),
        cmocka_unit_test(the_month_stands_behind_each_marked_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
