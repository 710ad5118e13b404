/* What went wrong, and what the caller may do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/fault.h"

static bool fill(struct fault *fault)
{
    return fail(fault, FAULT_UNKNOWN, "%d of %s", 3, "four");
}

#include <cmocka.h> /* last: its fail() would hide ours */

static void filling_one_returns_false_and_says_all(void **state)
{
    struct fault fault;

    (void)state;
    memset(&fault, 'x', sizeof(fault));
    assert_false(fill(&fault));
    assert_int_equal(fault.kind, FAULT_UNKNOWN);
    assert_string_equal(fault.code, "");
    assert_string_equal(fault.text, "3 of four");
    assert_false(fail_as(&fault, FAULT_REFUSED, "no_stock", "none of %s", "them"));
    assert_string_equal(fault.code, "no_stock");
    assert_string_equal(fault.text, "none of them");
}

static void what_is_too_long_is_cut_and_ends(void **state)
{
    struct fault fault;
    char text[1000];

    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    fail_as(&fault, FAULT_BROKEN, text, "%s", text);
    assert_int_equal(strlen(fault.code), sizeof(fault.code) - 1);
    assert_int_equal(strlen(fault.text), sizeof(fault.text) - 1);
}

static void every_kind_has_a_name(void **state)
{
    static const char *const names[] = {"none", "refused", "transient", "unknown", "broken", "?"};

    (void)state;
    for (int kind = FAULT_NONE; kind <= FAULT_BROKEN + 1; kind++)
        assert_string_equal(fault_kind_name((enum fault_kind)kind), names[kind]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filling_one_returns_false_and_says_all),
        cmocka_unit_test(what_is_too_long_is_cut_and_ends),
        cmocka_unit_test(every_kind_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
