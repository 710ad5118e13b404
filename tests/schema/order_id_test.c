/* Ids of orders: they sort by time, read back as written, and refuse what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"
#include "schema/order_id.h"

#include <cmocka.h>

enum { MADE = 20000 };

static void what_is_written_reads_back(void **state)
{
    (void)state;
    for (int n = 0; n < MADE; n++) {
        char text[ORDER_ID_TEXT_SIZE], uuid[ORDER_ID_UUID_SIZE];
        struct order_id id, back;

        order_id_make(&id, 1700000000000 + n / 7);
        order_id_format(&id, text);
        order_id_format_uuid(&id, uuid);
        assert_int_equal(strlen(text), 30);
        assert_true(order_id_parse(&back, text));
        assert_memory_equal(&id, &back, sizeof(id));
        assert_true(order_id_parse_uuid(&back, uuid));
        assert_memory_equal(&id, &back, sizeof(id));
    }
}

static void an_id_says_its_version_variant_and_date(void **state)
{
    struct order_id id;
    int64_t date = 0;

    (void)state;
    order_id_make(&id, 4000000000000); /* later than any other of this file */
    for (int i = 0; i < 6; i++)
        date = date << 8 | id.bytes[i];
    assert_int_equal(date, 4000000000000);
    assert_int_equal(id.bytes[6] >> 4, 7);
    assert_int_equal(id.bytes[8] >> 6, 2);
}

static void ids_rise_also_when_the_date_stands_still_or_falls_back(void **state)
{
    static const int steps[] = {1, 0, 0, -1, 0, -100000, 3};
    char before[ORDER_ID_TEXT_SIZE] = "", text[ORDER_ID_TEXT_SIZE];
    struct order_id last = {{0}}, id;
    int64_t date = 1800000000000;

    (void)state;
    for (int n = 0; n < MADE; n++) {
        date += steps[(size_t)n % ARRAY_SIZE(steps)];
        order_id_make(&id, date);
        order_id_format(&id, text);
        assert_true(memcmp(&last, &id, sizeof(id)) < 0);
        assert_true(strcmp(before, text) < 0); /* the public form sorts as the id does */
        last = id;
        memcpy(before, text, sizeof(before));
    }
}

static void the_public_form_is_the_number_in_base_32(void **state)
{
    struct order_id id = {{0}};
    char text[ORDER_ID_TEXT_SIZE];

    (void)state;
    order_id_format(&id, text);
    assert_string_equal(text, "ord_00000000000000000000000000");
    id.bytes[15] = 33;
    order_id_format(&id, text);
    assert_string_equal(text, "ord_00000000000000000000000011");
    memset(&id, 0xff, sizeof(id));
    order_id_format(&id, text);
    assert_string_equal(text, "ord_7zzzzzzzzzzzzzzzzzzzzzzzzz");
}

static void what_is_no_id_is_refused(void **state)
{
    static const char *const garbage[] = {
        "",
        "ord_",
        "ord_0000000000000000000000000",   /* one short */
        "ord_000000000000000000000000000", /* one long */
        "ord_80000000000000000000000000",  /* more than 128 bits */
        "ord_0000000000000000000000000u",  /* no letter of the alphabet */
        "ord_0000000000000000000000000 ",
        "ORD_00000000000000000000000000",
        "00000000000000000000000000",
        ("ord_00000000000000000000000\xc3\xa9"
         "0"),
    };
    static const char *const no_uuids[] = {
        "",
        "00000000-0000-0000-0000-00000000000",
        "00000000-0000-0000-0000-0000000000000",
        "0000000-00000-0000-0000-000000000000",
        "g0000000-0000-0000-0000-000000000000",
        "00000000000000000000000000000000",
        "{00000000-0000-0000-0000-00000000000}",
    };
    struct order_id id;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(garbage); i++)
        if (order_id_parse(&id, garbage[i]))
            fail_msg("taken for an id: \"%s\"", garbage[i]);
    for (size_t i = 0; i < ARRAY_SIZE(no_uuids); i++)
        if (order_id_parse_uuid(&id, no_uuids[i]))
            fail_msg("taken for a uuid: \"%s\"", no_uuids[i]);
}

static void tells_when_it_was_made(void **state)
{
    struct order_id id;

    (void)state;
    order_id_make(&id, INT64_C(4070908800123)); /* later than any other test's */
    assert_int_equal(order_id_unix_ms(&id), INT64_C(4070908800123));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(ids_rise_also_when_the_date_stands_still_or_falls_back),
        cmocka_unit_test(an_id_says_its_version_variant_and_date),
        cmocka_unit_test(the_public_form_is_the_number_in_base_32),
        cmocka_unit_test(what_is_no_id_is_refused),
        cmocka_unit_test(tells_when_it_was_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
