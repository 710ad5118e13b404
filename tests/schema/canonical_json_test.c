#include "schema/canonical_json.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *must_read(const char *text)
{
    struct fault fault;
    json_t *value = json_read(text, strlen(text), &fault);

    assert_non_null(value);
    return value;
}

static void one_content_has_one_spelling(void **state)
{
    struct arena arena = {NULL};
    json_t *value = must_read(" { \"b\" : [ 1 , true,null] ,\"a\":\"\\u00e9\\/\" } ");

    (void)state;
    assert_string_equal(json_canonical(value, &arena), "{\"a\":\"\xc3\xa9/\",\"b\":[1,true,null]}");
    json_decref(value);
    arena_finish(&arena);
}

static void equal_contents_have_equal_hashes(void **state)
{
    uint8_t one[CONTENT_HASH_BYTES], two[CONTENT_HASH_BYTES], other[CONTENT_HASH_BYTES];
    json_t *a = must_read("{\"x\":1,\"y\":{\"p\":\"q\",\"a\":-0}}");
    json_t *b = must_read("{ \"y\":{\"a\":0,\"p\":\"\\u0071\"}, \"x\":1}");
    json_t *c = must_read("{\"x\":1,\"y\":{\"p\":\"q\",\"a\":null}}");

    (void)state;
    json_content_hash(a, one);
    json_content_hash(b, two);
    json_content_hash(c, other);
    assert_memory_equal(one, two, CONTENT_HASH_BYTES);
    assert_memory_not_equal(one, other, CONTENT_HASH_BYTES);
    json_decref(a);
    json_decref(b);
    json_decref(c);
}

static void refuses_what_is_no_json(void **state)
{
    static const char *const texts[] = {
        "",           "{",       "{\"a\":1,\"a\":1}", "{\"a\":\"\\u0000\"}",  "{}{}", "\"\xff\"",
        "{\"a\":01}", "{'a':1}", "\xef\xbb\xbf{}",    "99999999999999999999",
    };
    struct fault fault;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        assert_null(json_read(texts[i], strlen(texts[i]), &fault));
        assert_int_equal(fault.kind, FAULT_REFUSED);
        assert_string_equal(fault.code, "invalid_json");
    }
}

static void refuses_what_is_nested_too_deep(void **state)
{
    static char text[200000];
    struct fault fault;
    json_t *value;

    (void)state;
    memset(text, '[', sizeof(text));
    assert_null(json_read(text, sizeof(text), &fault));
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    value = json_read(text, (size_t)2 * JSON_DEPTH_MAX, &fault);
    assert_non_null(value);
    json_decref(value);
}

static uint32_t next_random;

static uint32_t draw(uint32_t below)
{
    next_random = next_random * 1664525 + 1013904223;
    return (next_random >> 8) % below;
}

/* Characters of every kind: plain, escaped, of one to four bytes. */
static json_t *draw_string(void)
{
    static const char *const pieces[] = {
        "a",    "Z",    "/",  "\"", "\\", "\b",       "\n",           "\t", "\x01",
        "\x1f", "\x7f", "\f", "\r", " ",  "\xc3\xa9", "\xe2\x82\xac", "~",  "\xf0\x9f\x8d\xb5"};
    struct text text;
    json_t *string;

    text_init(&text, 1000);
    text_add(&text, "");
    for (uint32_t i = draw(12); i > 0; i--)
        text_add(&text, pieces[draw(ARRAY_SIZE(pieces))]);
    string = json_string(text.bytes);
    text_finish(&text);
    return string;
}

static json_t *draw_value(int depth)
{
    json_t *value;

    switch (draw(depth > 0 ? 8 : 6)) {
    case 0:
        return draw(2) ? json_true() : json_false();
    case 1:
        return json_null();
    case 2:
        return json_real((double)draw(1000000) / (1 + draw(1000)) * (draw(2) ? 1e30 : -1e-9));
    case 3:
        return json_integer((json_int_t)(draw(2) ? draw(1000) : (uint64_t)draw(1U << 24) << 39));
    case 4:
    case 5:
        return draw_string();
    case 6:
        value = json_array();
        for (uint32_t i = draw(5); i > 0; i--)
            json_array_append_new(value, draw_value(depth - 1));
        return value;
    default:
        value = json_object();
        for (uint32_t i = draw(30); i > 0; i--) {
            json_t *key = draw_string();

            json_object_set_new(value, json_string_value(key), draw_value(depth - 1));
            json_decref(key);
        }
        return value;
    }
}

/* Hashes of orders that were accepted by earlier versions stand in the database. */
static void the_spelling_is_that_of_jansson(void **state)
{
    const size_t flags = JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY;

    (void)state;
    for (uint32_t seed = 1; seed < 3000; seed++) {
        struct arena arena = {NULL};
        json_t *value;
        char *theirs;

        next_random = seed;
        value = draw_value(3);
        theirs = json_dumps(value, flags);
        assert_string_equal(json_canonical(value, &arena), theirs);
        free(theirs);
        json_decref(value);
        arena_finish(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_content_has_one_spelling),
        cmocka_unit_test(equal_contents_have_equal_hashes),
        cmocka_unit_test(the_spelling_is_that_of_jansson),
        cmocka_unit_test(refuses_what_is_no_json),
        cmocka_unit_test(refuses_what_is_nested_too_deep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
