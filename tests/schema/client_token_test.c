#include "schema/client_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define KEY_A "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
#define KEY_B "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"

static const struct order_id order = {
    {1, 2, 3, 4, 5, 6, 0x70, 8, 0x80, 10, 11, 12, 13, 14, 15, 16}};

static void a_token_opens_its_order_alone(void **state)
{
    struct token_keys keys;
    struct order_id other = order;
    struct fault fault;
    char token[CLIENT_TOKEN_SIZE];

    (void)state;
    assert_true(token_keys_parse(&keys, "1:" KEY_A, &fault));
    assert_true(client_token_make(&keys, 1, &order, token));
    assert_int_equal(strlen(token), 43);
    assert_int_equal(
        strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
    assert_true(client_token_is_of(&keys, 1, &order, token));
    other.bytes[15] ^= 1;
    assert_false(client_token_is_of(&keys, 1, &other, token));
    token[0] = token[0] == 'A' ? 'B' : 'A';
    assert_false(client_token_is_of(&keys, 1, &order, token));
    assert_false(client_token_is_of(&keys, 1, &order, ""));
}

static void an_old_key_counts_while_it_is_named(void **state)
{
    struct token_keys keys;
    struct fault fault;
    char old[CLIENT_TOKEN_SIZE], new[CLIENT_TOKEN_SIZE];

    (void)state;
    assert_true(token_keys_parse(&keys, "1:" KEY_A, &fault));
    assert_true(client_token_make(&keys, token_keys_newest(&keys), &order, old));
    assert_true(token_keys_parse(&keys, "2:" KEY_B ",1:" KEY_A, &fault));
    assert_int_equal(token_keys_newest(&keys), 2);
    assert_true(client_token_make(&keys, 2, &order, new));
    assert_string_not_equal(old, new);
    assert_true(client_token_is_of(&keys, 1, &order, old));
    assert_true(token_keys_parse(&keys, "2:" KEY_B, &fault));
    assert_false(client_token_is_of(&keys, 1, &order, old));
}

static void refuses_keys_that_are_none(void **state)
{
    static const char *const texts[] = {
        "",
        "1",
        "1:",
        "1:abc",
        KEY_A,
        "0:" KEY_A,
        "32768:" KEY_A,
        "1:" KEY_A "x",
        "1:" KEY_A ",",
        "1:" KEY_A ",1:" KEY_B,
        "-1:" KEY_A,
    };
    struct token_keys keys;
    struct fault fault;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_false(token_keys_parse(&keys, texts[i], &fault));
        assert_non_null(strstr(fault.text, "DOCKET_TOKEN_KEYS"));
        assert_null(strstr(fault.text, "0011"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_opens_its_order_alone),
        cmocka_unit_test(an_old_key_counts_while_it_is_named),
        cmocka_unit_test(refuses_keys_that_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
