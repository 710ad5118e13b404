#include "schema/order_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void both_spellings_come_back(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct order_id id, back;
        char text[ORDER_ID_TEXT_SIZE], uuid[ORDER_ID_UUID_SIZE];

        order_id_make(&id, 1795000000000 + i);
        order_id_format(&id, text);
        order_id_format_uuid(&id, uuid);
        assert_true(order_id_parse(&back, text));
        assert_memory_equal(back.bytes, id.bytes, ORDER_ID_BYTES);
        assert_true(order_id_parse_uuid(&back, uuid));
        assert_memory_equal(back.bytes, id.bytes, ORDER_ID_BYTES);
        assert_int_equal(uuid[14], '7');
    }
}

static void ids_rise_also_when_the_date_falls(void **state)
{
    struct order_id before, id;

    (void)state;
    order_id_make(&before, 1795000009000);
    for (int i = 0; i < 1000; i++) {
        order_id_make(&id, 1795000009000 - i);
        assert_true(memcmp(id.bytes, before.bytes, ORDER_ID_BYTES) > 0);
        before = id;
    }
}

static void refuses_what_is_no_id(void **state)
{
    static const char *const texts[] = {
        "",
        "ord_",
        "ord_01m84eqhsae6kbrjpa7sd7kfn",
        "ord_01m84eqhsae6kbrjpa7sd7kfnkk",
        "ord_81m84eqhsae6kbrjpa7sd7kfnk", /* more than 128 bits */
        "ord_01m84eqhsae6kbrjpa7sd7kfnl", /* no such digit */
        "ORD_01m84eqhsae6kbrjpa7sd7kfnk",
        "01m84eqhsae6kbrjpa7sd7kfnk",
    };
    struct order_id id;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(order_id_parse(&id, texts[i]));
    assert_false(order_id_parse_uuid(&id, "019a1b2c"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_spellings_come_back),
        cmocka_unit_test(ids_rise_also_when_the_date_falls),
        cmocka_unit_test(refuses_what_is_no_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
