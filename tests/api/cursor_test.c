/* Cursors that were changed, and the queries that a list takes. */
#include "api/cursor.h"
#include "api/list_query.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define KEY   "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OTHER "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct token_keys keys_of(const char *text)
{
    struct token_keys keys;
    struct fault fault;

    assert_true(token_keys_parse(&keys, text, &fault));
    return keys;
}

static struct order_id last_id(void)
{
    struct order_id id;

    assert_true(order_id_parse(&id, "ord_01m84eqhsae6kbrjpa7sd7kfnk"));
    return id;
}

static void a_cursor_comes_back_as_it_was_made(void **state)
{
    struct token_keys keys = keys_of("2:" KEY), rotated = keys_of("3:" OTHER ",2:" KEY);
    struct order_id made = last_id(), read;
    char cursor[CURSOR_SIZE];

    (void)state;
    cursor_make(&keys, 7, "status=canceled", &made, cursor);
    assert_true(cursor_read(&keys, 7, "status=canceled", cursor, &read));
    assert_memory_equal(&read, &made, sizeof(made));
    assert_true(cursor_read(&rotated, 7, "status=canceled", cursor, &read));
}

static void every_changed_character_is_refused(void **state)
{
    struct token_keys keys = keys_of("2:" KEY);
    struct order_id made = last_id(), read;
    char cursor[CURSOR_SIZE], changed[CURSOR_SIZE];

    (void)state;
    cursor_make(&keys, 7, "", &made, cursor);
    for (int i = 0; i < CURSOR_SIZE - 1; i++) {
        memcpy(changed, cursor, CURSOR_SIZE);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_false(cursor_read(&keys, 7, "", changed, &read));
    }
}

static void a_cursor_serves_nobody_and_nothing_else(void **state)
{
    struct token_keys keys = keys_of("2:" KEY), other = keys_of("2:" OTHER),
                      gone = keys_of("1:" KEY);
    struct order_id made = last_id(), read;
    char cursor[CURSOR_SIZE];

    (void)state;
    cursor_make(&keys, 7, "status=canceled", &made, cursor);
    assert_false(cursor_read(&keys, 8, "status=canceled", cursor, &read));
    assert_false(cursor_read(&keys, 7, "", cursor, &read));
    assert_false(cursor_read(&other, 7, "status=canceled", cursor, &read));
    assert_false(cursor_read(&gone, 7, "status=canceled", cursor, &read));
    cursor[CURSOR_SIZE - 2] = '\0';
    assert_false(cursor_read(&keys, 7, "status=canceled", cursor, &read));
    assert_false(cursor_read(&keys, 7, "status=canceled", "", &read));
}

/* Queries: name, value, name, value, …, NULL. */
static bool take(const void *owner, int index, const char **name, const char **value)
{
    const char *const *pairs = owner;

    for (int i = 0; i < index; i++)
        pairs += 2;
    *name = pairs[0];
    *value = pairs[0] ? pairs[1] : NULL;
    return *name != NULL;
}

static const char *read_query(struct list_query *query, struct arena *arena,
                              const char *const *pairs)
{
    const struct list_source source = {take, pairs};

    return list_query_read(query, &source, arena);
}
#define READ(query, arena, ...) read_query(query, arena, (const char *const[]){__VA_ARGS__, NULL})

static void a_query_is_read_whole(void **state)
{
    struct arena arena = {NULL};
    struct list_query query;

    (void)state;
    assert_null(READ(&query, &arena, "limit", "7", "final", "false", "status",
                     "on_hold,requires_action", "sku", "A&B"));
    assert_int_equal(query.limit, 7);
    assert_true(query.has_final && !query.is_final);
    assert_int_equal(query.status_count, 2);
    assert_string_equal(query.filters, "status=on_hold%2Crequires_action&final=false&sku=A%26B");
    assert_true(list_query_fits(&query, 8, false));
    assert_false(list_query_fits(&query, 8, true));
    assert_false(list_query_fits(&query, 4, false));
    arena_finish(&arena);
}

static void windows_of_time_touch_and_do_not_overlap(void **state)
{
    struct arena arena = {NULL};
    struct list_query first, second;

    (void)state;
    assert_null(READ(&first, &arena, "created_before", "2026-11-24T10:00:00.0001Z"));
    assert_null(READ(&second, &arena, "created_after", "2026-11-24T11:00:00.0001+01:00"));
    assert_memory_equal(&first.below, &second.from, sizeof(first.below));
    assert_int_equal(first.below.bytes[5] & 1, 1); /* the next whole millisecond */
    arena_finish(&arena);
}

static void what_is_wrong_is_told_with_what_is_allowed(void **state)
{
    static const char *const wrong[][4] = {
        {"status", "shipped", "accepted, processing"},
        {"status", "", "accepted, processing"},
        {"status", "canceled,", "one or more of"},
        {"final", "yes", "true or false"},
        {"limit", "0", "1 to 100"},
        {"limit", "101", "1 to 100"},
        {"created_after", "2026-11-24", "a time like"},
        {"created_after", "2026-11-31T00:00:00Z", "time"},
        {"created_before", "2026-11-24T10:00:00", "a time like"},
        {"cart_id", "", "1 to 128"},
        {"page", "2", "cart_id, limit, cursor"},
    };
    struct list_query query;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct arena arena = {NULL};
        const char *told = READ(&query, &arena, wrong[i][0], wrong[i][1]);

        assert_non_null(told);
        if (strstr(told, wrong[i][2]) == NULL)
            fail_msg("%s=%s: %s", wrong[i][0], wrong[i][1], told);
        arena_finish(&arena);
    }
}

static void a_parameter_given_twice_is_refused(void **state)
{
    struct arena arena = {NULL};
    struct list_query query;

    (void)state;
    assert_string_equal(READ(&query, &arena, "limit", "1", "limit", "1"), "limit is given twice");
    arena_finish(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cursor_comes_back_as_it_was_made),
        cmocka_unit_test(every_changed_character_is_refused),
        cmocka_unit_test(a_cursor_serves_nobody_and_nothing_else),
        cmocka_unit_test(a_query_is_read_whole),
        cmocka_unit_test(windows_of_time_touch_and_do_not_overlap),
        cmocka_unit_test(what_is_wrong_is_told_with_what_is_allowed),
        cmocka_unit_test(a_parameter_given_twice_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
