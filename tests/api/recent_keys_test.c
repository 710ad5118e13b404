/* Which keys are remembered. */
#include "api/recent_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const char *key_of(int number)
{
    static char key[32];

    snprintf(key, sizeof(key), "order-%d", number);
    return key;
}

static void remembers_what_was_added_for_its_account(void **state)
{
    struct recent_keys *keys = recent_keys_create(7);

    (void)state;
    assert_false(recent_keys_has(keys, 1, "a"));
    recent_keys_add(keys, 1, "a");
    assert_true(recent_keys_has(keys, 1, "a"));
    assert_false(recent_keys_has(keys, 2, "a"));
    assert_false(recent_keys_has(keys, 1, "b"));
    recent_keys_destroy(keys);
}

static int count_known(const struct recent_keys *keys, int from, int to)
{
    int count = 0;

    for (int i = from; i < to; i++)
        count += recent_keys_has(keys, 1, key_of(i));
    return count;
}

static void remembers_hundreds_of_thousands_and_forgets_the_oldest(void **state)
{
    struct recent_keys *keys = recent_keys_create(7);

    (void)state;
    for (int i = 0; i < 300000; i++)
        recent_keys_add(keys, 1, key_of(i));
    assert_in_range(count_known(keys, 0, 300000), 280000, 300000);
    assert_in_range(count_known(keys, 300000, 600000), 0, 5);
    for (int i = 300000; i < 3000000; i++)
        recent_keys_add(keys, 1, key_of(i));
    assert_in_range(count_known(keys, 0, 1000), 0, 5);
    assert_true(recent_keys_has(keys, 1, key_of(2999999)));
    recent_keys_destroy(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remembers_what_was_added_for_its_account),
        cmocka_unit_test(remembers_hundreds_of_thousands_and_forgets_the_oldest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
