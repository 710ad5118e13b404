/* Parameters as Postgres' recv functions read them (array_recv: dimensions, null flag, type,
 * length, lower bound, then length and bytes of each element). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"
#include "base/pg_params.h"

#include <cmocka.h>

#define MUST_BE(params, n, ...)                                                                    \
    do {                                                                                           \
        static const uint8_t bytes[] = {__VA_ARGS__};                                              \
                                                                                                   \
        assert_int_equal((params)->lengths[n], sizeof(bytes));                                     \
        assert_memory_equal((params)->bytes.bytes + (params)->offsets[n], bytes, sizeof(bytes));   \
    } while (0)

static void scalars_are_big_endian(void **state)
{
    struct pg_params params;

    (void)state;
    pg_params_init(&params);
    pg_add_i16(&params, -2);
    pg_add_i32(&params, 0x01020304);
    pg_add_i64(&params, -1);
    pg_add_bool(&params, true);
    pg_add_text(&params, "ab");
    pg_add_text(&params, "");
    pg_add_text(&params, NULL);
    pg_add_uuid(&params, NULL);
    pg_add_bytes(&params, "\0\1", 2);
    assert_int_equal(params.count, 9);
    MUST_BE(&params, 0, 0xff, 0xfe);
    MUST_BE(&params, 1, 1, 2, 3, 4);
    MUST_BE(&params, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
    MUST_BE(&params, 3, 1);
    MUST_BE(&params, 4, 'a', 'b');
    assert_int_equal(params.lengths[5], 0);
    assert_true(params.offsets[5] >= 0); /* an empty text is not NULL */
    assert_int_equal(params.offsets[6], -1);
    assert_int_equal(params.offsets[7], -1);
    MUST_BE(&params, 8, 0, 1);
    pg_params_finish(&params);
}

static void an_array_says_its_type_and_length(void **state)
{
    struct pg_params params;

    (void)state;
    pg_params_init(&params);
    pg_array_begin(&params, PG_INT4);
    pg_array_i32(&params, 7);
    pg_array_i32(&params, -1);
    pg_array_end(&params);
    MUST_BE(&params, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0, 0, 0, 2, 0, 0, 0, 1, /* head */
            0, 0, 0, 4, 0, 0, 0, 7, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff);
    pg_params_finish(&params);
}

static void a_null_element_raises_the_flag(void **state)
{
    struct pg_params params;

    (void)state;
    pg_params_init(&params);
    pg_array_begin(&params, PG_TEXT);
    pg_array_text(&params, "é");
    pg_array_text(&params, NULL);
    pg_array_text(&params, "");
    pg_array_end(&params);
    MUST_BE(&params, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 25, 0, 0, 0, 3, 0, 0, 0, 1, /* head */
            0, 0, 0, 2, 0xc3, 0xa9, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);
    pg_params_finish(&params);
}

static void an_array_may_be_empty(void **state)
{
    struct pg_params params;

    (void)state;
    pg_params_init(&params);
    pg_array_begin(&params, PG_UUID);
    pg_array_end(&params);
    MUST_BE(&params, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x0b, 0x86, 0, 0, 0, 0, 0, 0, 0, 1);
    pg_params_finish(&params);
}

static void elements_of_every_type_have_their_width(void **state)
{
    static const uint8_t uuid[PG_UUID_BYTES] = {1};
    struct pg_params params;

    (void)state;
    pg_params_init(&params);
    pg_array_begin(&params, PG_INT2);
    pg_array_i16(&params, 258);
    pg_array_end(&params);
    pg_array_begin(&params, PG_INT8);
    pg_array_i64(&params, 258);
    pg_array_end(&params);
    pg_array_begin(&params, PG_BOOL);
    pg_array_bool(&params, true);
    pg_array_bool(&params, false);
    pg_array_end(&params);
    pg_array_begin(&params, PG_UUID);
    pg_array_uuid(&params, uuid);
    pg_array_end(&params);
    MUST_BE(&params, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 21, 0, 0, 0, 1, 0, 0, 0, 1, /* head */
            0, 0, 0, 2, 1, 2);
    MUST_BE(&params, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 1, /* head */
            0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 1, 2);
    MUST_BE(&params, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 2, 0, 0, 0, 1, /* head */
            0, 0, 0, 1, 1, 0, 0, 0, 1, 0);
    assert_int_equal(params.lengths[3], 20 + 4 + PG_UUID_BYTES);
    pg_params_finish(&params);
}

/* The memory moves while it grows; what was added must not. */
static void many_elements_stay_where_they_are_told(void **state)
{
    struct pg_params params;
    const uint8_t *at;

    (void)state;
    pg_params_init(&params);
    pg_add_i32(&params, 77);
    pg_array_begin(&params, PG_INT4);
    for (int n = 0; n < 10000; n++)
        pg_array_i32(&params, n);
    pg_array_end(&params);
    MUST_BE(&params, 0, 0, 0, 0, 77);
    assert_int_equal(params.lengths[1], 20 + 10000 * 8);
    at = (const uint8_t *)params.bytes.bytes + params.offsets[1];
    assert_int_equal(at[14] << 8 | at[15], 10000);
    assert_int_equal(at[20 + 9999 * 8 + 6] << 8 | at[20 + 9999 * 8 + 7], 9999);
    pg_params_clear(&params);
    assert_int_equal(params.count, 0);
    pg_add_i32(&params, 78);
    MUST_BE(&params, 0, 0, 0, 0, 78);
    pg_params_finish(&params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_are_big_endian),
        cmocka_unit_test(an_array_says_its_type_and_length),
        cmocka_unit_test(a_null_element_raises_the_flag),
        cmocka_unit_test(an_array_may_be_empty),
        cmocka_unit_test(elements_of_every_type_have_their_width),
        cmocka_unit_test(many_elements_stay_where_they_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
