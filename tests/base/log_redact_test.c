/* What may never stand in a log: keys, tokens, numbers of cards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

#include <cmocka.h>

static const struct row {
    const char *before, *after;
} rows[] = {
    {"", ""},
    {"nothing to hide: 12 of 300", "nothing to hide: 12 of 300"},
    {"key dk_abcDEF123 refused", "key ************ refused"},
    {"Bearer sk_test_51H, then", "Bearer ***********, then"},
    {"pm_card_visa", "************"},
    {"\"cs_9\"=whsec_x", "\"****\"=*******"},
    {"4242424242424242", "****************"},
    {"card 4242 4242-4242 4242.", "card *******************."},
    {"5105105105105100 and 378282246310005", "**************** and ***************"},
    {"4242424242424243", "4242424242424243"},         /* no Luhn */
    {"424242424242", "424242424242"},                 /* too short */
    {"42424242424242424242", "42424242424242424242"}, /* too long */
    {"0000000000000000", "0000000000000000"},
    {"ord_01890a5d4242424242424242", "ord_01890a5d4242424242424242"},
    {"task_x brisk_y", "task_x brisk_y"}, /* inside a word */
};

static void each_line_reads_as_the_table_says(void **state)
{
    char text[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        snprintf(text, sizeof(text), "%s", rows[i].before);
        log_redact(text);
        assert_string_equal(text, rows[i].after);
    }
}

static void redacting_twice_changes_nothing(void **state)
{
    char once[128], twice[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        snprintf(once, sizeof(once), "%s", rows[i].after);
        memcpy(twice, once, sizeof(twice));
        log_redact(twice);
        assert_string_equal(twice, once);
    }
}

static void a_card_is_known_by_its_digits(void **state)
{
    (void)state;
    assert_true(log_looks_like_card("4242424242424242"));
    assert_true(log_looks_like_card("pay with 4242-4242-4242-4242 please"));
    assert_true(log_looks_like_card("6011 1111 1111 1117"));
    assert_false(log_looks_like_card("4242424242424241"));
    assert_false(log_looks_like_card("4242  4242  4242  4242")); /* single spaces only */
    assert_false(log_looks_like_card("12"));
    assert_false(log_looks_like_card(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_reads_as_the_table_says),
        cmocka_unit_test(redacting_twice_changes_nothing),
        cmocka_unit_test(a_card_is_known_by_its_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
