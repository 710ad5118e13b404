#include "ops/cli/audit_chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Made by Python: sha256(b"14:docket audit 2,1:1,27:…,") and so on. */
static const char hash_1[] = "0e3d226085a94408802b5f14e50b44fe2e5eb9e0b35a48eee5425e6850c58faf";
static const char hash_2[] = "999d5156b96d7bdc83895acbf54a2c77e82d054653ede50414ae86e002bf46fb";

static struct audit_row row_of(int64_t id, const char *reason, const char *hash)
{
    struct audit_row row = {
        .id = id,
        .form = 2,
        .at = "2026-01-02T03:04:05.678901Z",
        .actor = "key 1 (anna)",
        .act = "key revoke",
        .target = "key 3",
        .reason = reason,
        .detail = "{}",
    };

    assert_true(audit_hash_parse(hash, row.hash));
    return row;
}

static void follows_a_chain_from_its_first_row(void **state)
{
    struct audit_chain chain = {.last_id = 0};
    const struct audit_row one = row_of(1, "ä | b", hash_1), two = row_of(2, "", hash_2);

    (void)state;
    assert_int_equal(audit_chain_add(&chain, &one), AUDIT_RIGHT);
    assert_int_equal(audit_chain_add(&chain, &two), AUDIT_RIGHT);
    assert_int_equal(chain.last_id, 2);
}

static void names_a_changed_row_once(void **state)
{
    struct audit_chain chain = {.last_id = 0};
    const struct audit_row one = row_of(1, "another", hash_1), two = row_of(2, "", hash_2);

    (void)state;
    assert_int_equal(audit_chain_add(&chain, &one), AUDIT_CHANGED);
    assert_int_equal(audit_chain_add(&chain, &two), AUDIT_RIGHT);
}

static void misses_what_is_gone(void **state)
{
    struct audit_chain chain = {.last_id = 0};
    const struct audit_row two = row_of(2, "", hash_2);

    (void)state;
    assert_int_equal(audit_chain_add(&chain, &two), AUDIT_MISSING);
}

static void no_text_can_pass_for_two(void **state)
{
    struct audit_row one = row_of(1, "x", hash_1), two = row_of(1, "x", hash_1);
    uint8_t first[AUDIT_HASH_BYTES], second[AUDIT_HASH_BYTES];

    (void)state;
    one.target = "a,1:b";
    one.reason = "c";
    two.target = "a";
    two.reason = "b,1:c";
    audit_hash(&one, NULL, 0, first);
    audit_hash(&two, NULL, 0, second);
    assert_memory_not_equal(first, second, sizeof(first));
}

static void reads_a_hash_strictly(void **state)
{
    uint8_t hash[AUDIT_HASH_BYTES];
    char text[AUDIT_HASH_TEXT_SIZE];

    (void)state;
    assert_true(audit_hash_parse(hash_1, hash));
    audit_hash_format(hash, text);
    assert_string_equal(text, hash_1);
    assert_false(audit_hash_parse("", hash));
    text[3] = 'G';
    assert_false(audit_hash_parse(text, hash));
    text[3] = '\0';
    assert_false(audit_hash_parse(text, hash));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_a_chain_from_its_first_row),
        cmocka_unit_test(names_a_changed_row_once),
        cmocka_unit_test(misses_what_is_gone),
        cmocka_unit_test(no_text_can_pass_for_two),
        cmocka_unit_test(reads_a_hash_strictly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
