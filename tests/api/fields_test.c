#include "api/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect_key(const char *value, const char *key)
{
    char read[ORDER_KEY_LENGTH_MAX + 1];

    assert_true(field_key(value, read));
    assert_string_equal(read, key);
}

static void a_key_is_raw_or_quoted(void **state)
{
    (void)state;
    expect_key("abc-1", "abc-1");
    expect_key("\"abc-1\"", "abc-1");
    expect_key("\"a\\\"b\\\\c\"", "a\"b\\c");
    expect_key("~!#", "~!#");
}

static void a_key_has_1_to_255_characters(void **state)
{
    char longest[ORDER_KEY_LENGTH_MAX + 2], read[ORDER_KEY_LENGTH_MAX + 1];

    (void)state;
    memset(longest, 'k', sizeof(longest));
    longest[ORDER_KEY_LENGTH_MAX] = '\0';
    expect_key(longest, longest);
    longest[ORDER_KEY_LENGTH_MAX] = 'k';
    longest[ORDER_KEY_LENGTH_MAX + 1] = '\0';
    assert_false(field_key(longest, read));
}

static void refuses_what_is_no_key(void **state)
{
    static const char *const values[] = {"",        "\"\"",  "\"open",   "\"a\"b",   "a b",
                                         "\"a b\"", "a\x7f", "\xc3\xa9", "\"a\\x\"", "\"a\\"};
    char read[ORDER_KEY_LENGTH_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        assert_false(field_key(values[i], read));
}

static void keeps_a_trace_that_is_valid(void **state)
{
    static const char valid[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    char trace[TRACEPARENT_SIZE], id[TRACE_ID_SIZE];

    (void)state;
    field_trace(valid, 100, trace);
    assert_string_equal(trace, valid);
    field_trace_id(trace, id);
    assert_string_equal(id, "4bf92f3577b34da6a3ce929d0e0e4736");
    field_trace("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later", 100, trace);
    assert_string_equal(trace, valid);
}

static void makes_a_trace_otherwise(void **state)
{
    static const char *const values[] = {
        NULL,
        "",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char trace[TRACEPARENT_SIZE], again[TRACEPARENT_SIZE];

        field_trace(values[i], 100, trace);
        assert_int_equal(strlen(trace), TRACEPARENT_SIZE - 1);
        assert_true(values[i] == NULL || strcmp(trace, values[i]) != 0);
        field_trace(trace, 100, again); /* it is valid */
        assert_string_equal(again, trace);
    }
}

static void an_etag_names_a_version(void **state)
{
    (void)state;
    assert_true(field_etag_is("\"7\"", 7));
    assert_true(field_etag_is("W/\"7\"", 7));
    assert_true(field_etag_is("\"17\", \"7\"", 7));
    assert_true(field_etag_is("*", 7));
    assert_false(field_etag_is("\"17\"", 7));
    assert_false(field_etag_is("7", 7));
    assert_false(field_etag_is("", 7));
}

static void a_number_is_whole_and_within_limits(void **state)
{
    int64_t number = -1;

    (void)state;
    assert_true(field_number("60", 0, 60, &number));
    assert_int_equal(number, 60);
    assert_false(field_number("61", 0, 60, &number));
    assert_false(field_number("-1", -5, 60, &number));
    assert_false(field_number("+1", 0, 60, &number));
    assert_false(field_number("1 ", 0, 60, &number));
    assert_false(field_number("", 0, 60, &number));
    assert_false(field_number("99999999999999999999", 0, INT64_MAX, &number));
    assert_int_equal(number, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_raw_or_quoted),
        cmocka_unit_test(a_key_has_1_to_255_characters),
        cmocka_unit_test(refuses_what_is_no_key),
        cmocka_unit_test(keeps_a_trace_that_is_valid),
        cmocka_unit_test(makes_a_trace_otherwise),
        cmocka_unit_test(an_etag_names_a_version),
        cmocka_unit_test(a_number_is_whole_and_within_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
