/* Which bodies are kept. */
#include "api/body_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct order_id id_of(uint32_t number)
{
    struct order_id id = {{0}};

    memcpy(id.bytes + ORDER_ID_BYTES - sizeof(number), &number, sizeof(number));
    return id;
}

static void put(struct body_cache *cache, uint32_t number, int32_t version, const char *format)
{
    struct order_id id = id_of(number);
    struct text body;

    text_init(&body, 100000);
    text_print(&body, "%s %u %d", format, number, version);
    body_cache_put(cache, &id, version, &body);
    text_finish(&body);
}

/* True: it is there, and is the one that was put. */
static bool has(const struct body_cache *cache, uint32_t number, int32_t version)
{
    struct order_id id = id_of(number);
    struct text body, right;
    bool is_there;

    text_init(&body, 100000);
    text_init(&right, 100000);
    text_print(&right, "body %u %d", number, version);
    is_there = body_cache_find(cache, &id, version, &body);
    if (is_there)
        assert_string_equal(body.bytes, right.bytes);
    text_finish(&body);
    text_finish(&right);
    return is_there;
}

static void a_body_is_found_by_id_and_version(void **state)
{
    struct body_cache *cache = body_cache_create();

    (void)state;
    assert_false(has(cache, 1, 1));
    put(cache, 1, 1, "body");
    assert_true(has(cache, 1, 1));
    assert_false(has(cache, 1, 2));
    assert_false(has(cache, 2, 1));
    put(cache, 1, 2, "body");
    assert_true(has(cache, 1, 2));
    assert_false(has(cache, 1, 1)); /* an order has one place */
    body_cache_destroy(cache);
}

static void the_one_that_was_stored_first_goes(void **state)
{
    struct body_cache *cache = body_cache_create();

    (void)state;
    for (uint32_t i = 0; i <= BODY_CACHE_COUNT; i++)
        put(cache, i, 1, "body");
    assert_false(has(cache, 0, 1));
    for (uint32_t i = 1; i <= BODY_CACHE_COUNT; i++)
        assert_true(has(cache, i, 1));
    put(cache, 1, 2, "body"); /* stored anew: the second is the oldest now */
    put(cache, 0, 1, "body");
    assert_true(has(cache, 1, 2));
    assert_false(has(cache, 2, 1));
    body_cache_destroy(cache);
}

static void a_long_body_is_not_kept(void **state)
{
    static char word[BODY_CACHE_BYTES_MAX];
    struct body_cache *cache = body_cache_create();

    (void)state;
    memset(word, 'x', sizeof(word) - 1);
    put(cache, 1, 1, word);
    assert_false(has(cache, 1, 1));
    body_cache_destroy(cache);
}

/* Ids that meet in the same place take none from each other. */
static void holds_all_whatever_their_ids_are(void **state)
{
    struct body_cache *cache = body_cache_create();
    int found = 0;

    (void)state;
    for (uint32_t i = 0; i < BODY_CACHE_COUNT; i++)
        put(cache, i * 64, 7, "body");
    for (uint32_t i = 0; i < BODY_CACHE_COUNT; i++)
        found += has(cache, i * 64, 7);
    assert_int_equal(found, BODY_CACHE_COUNT);
    body_cache_destroy(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_found_by_id_and_version),
        cmocka_unit_test(the_one_that_was_stored_first_goes),
        cmocka_unit_test(a_long_body_is_not_kept),
        cmocka_unit_test(holds_all_whatever_their_ids_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
