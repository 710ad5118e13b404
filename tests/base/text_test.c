/* Text that grows, and is never silently cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

#include <cmocka.h>

static void pieces_follow_each_other(void **state)
{
    struct text text;

    (void)state;
    text_init(&text, 1000);
    text_add(&text, "a");
    text_print(&text, "%d-%s", 42, "b");
    text_add_bytes(&text, "cd", 1);
    text_add_hex(&text, "\x00\xff", 2);
    assert_string_equal(text.bytes, "a42-bc00ff");
    assert_int_equal(text.length, 10);
    assert_false(text.cut);
    text_finish(&text);
}

static void what_does_not_fit_is_dropped_whole_and_said(void **state)
{
    struct text text;

    (void)state;
    text_init(&text, 5);
    text_add(&text, "abc");
    text_add(&text, "def"); /* would be 6 */
    assert_true(text.cut);
    assert_string_equal(text.bytes, "abc");
    text_print(&text, "%s", "12");
    assert_string_equal(text.bytes, "abc12"); /* what fits still goes in; `cut` stays */
    assert_true(text.cut);
    text_print(&text, "%d", 1);
    assert_string_equal(text.bytes, "abc12");
    text_clear(&text);
    assert_false(text.cut);
    assert_string_equal(text.bytes, "");
    text_finish(&text);
}

static void it_grows_up_to_its_limit(void **state)
{
    struct text text;

    (void)state;
    text_init(&text, 100000);
    for (int n = 0; n < 100000; n++)
        text_add(&text, "x");
    assert_int_equal(text.length, 100000);
    assert_int_equal(strlen(text.bytes), 100000);
    assert_false(text.cut);
    text_add(&text, "x");
    assert_true(text.cut);
    text_finish(&text);
    text_finish(&text); /* harmless */
}

static void json_strings_are_escaped(void **state)
{
    struct text text;

    (void)state;
    text_init(&text, 1000);
    text_add_json(&text, "a\"b\\c\n\x01\x7f\xc3\xa9");
    assert_string_equal(text.bytes, "\"a\\\"b\\\\c\\u000a\\u0001\x7f\xc3\xa9\"");
    text_finish(&text);
}

static void forms_keep_only_unreserved_characters(void **state)
{
    struct text text;

    (void)state;
    text_init(&text, 1000);
    text_add_urlencoded(&text, "aZ9-._~ +&=[]%\xc3\xa9");
    assert_string_equal(text.bytes, "aZ9-._~%20%2B%26%3D%5B%5D%25%C3%A9");
    text_finish(&text);
}

static void taking_leaves_nothing_behind(void **state)
{
    struct text text;
    size_t length = 7;
    char *taken;

    (void)state;
    text_init(&text, 10);
    taken = text_take(&text, &length);
    assert_string_equal(taken, "");
    assert_int_equal(length, 0);
    free(taken);
    text_add(&text, "abc");
    taken = text_take(&text, &length);
    assert_string_equal(taken, "abc");
    assert_int_equal(length, 3);
    assert_null(text.bytes);
    text_add(&text, "d");
    assert_string_equal(text.bytes, "d");
    text_finish(&text);
    free(taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_follow_each_other),
        cmocka_unit_test(what_does_not_fit_is_dropped_whole_and_said),
        cmocka_unit_test(it_grows_up_to_its_limit),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(forms_keep_only_unreserved_characters),
        cmocka_unit_test(taking_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
