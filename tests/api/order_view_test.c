/* The receipt's bytes, written down: they may never change under their number. */
#include "api/order_view.h"
#include "api/problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void renderer_1_writes_these_bytes_for_ever(void **state)
{
    static const char expected[] =
        "{\"id\":\"ord_01m84eqhsae6kbrjpa7sd7kfnk\",\"accepted\":\"yes\",\"status\":\"accepted\","
        "\"final\":false,\"version\":1,\"poll_after_ms\":1000,"
        "\"client_token\":\"5OSG0hj7Ea7J2Yfy8xSrLOZldFvnM56t63yTbkcqgoM\","
        "\"links\":{\"self\":\"/v1/orders/ord_01m84eqhsae6kbrjpa7sd7kfnk\"}}";
    struct token_keys keys;
    struct fault fault;
    struct order_id id;
    struct text body;

    (void)state;
    assert_true(token_keys_parse(&keys, "1:" KEY, &fault));
    assert_true(order_id_parse(&id, "ord_01m84eqhsae6kbrjpa7sd7kfnk"));
    text_init(&body, RECEIPT_BYTES_MAX);
    assert_true(order_view_receipt(&body, &id, 1, 1, &keys));
    assert_string_equal(body.bytes, expected);
    text_finish(&body);
}

static void renderer_2_names_the_stream(void **state)
{
    static const char expected[] =
        "{\"id\":\"ord_01m84eqhsae6kbrjpa7sd7kfnk\",\"accepted\":\"yes\",\"status\":\"accepted\","
        "\"final\":false,\"version\":1,\"poll_after_ms\":1000,"
        "\"client_token\":\"5OSG0hj7Ea7J2Yfy8xSrLOZldFvnM56t63yTbkcqgoM\","
        "\"links\":{\"self\":\"/v1/orders/ord_01m84eqhsae6kbrjpa7sd7kfnk\","
        "\"events\":\"/v1/orders/ord_01m84eqhsae6kbrjpa7sd7kfnk/events\"}}";
    struct token_keys keys;
    struct fault fault;
    struct order_id id;
    struct text body;

    (void)state;
    assert_true(token_keys_parse(&keys, "1:" KEY, &fault));
    assert_true(order_id_parse(&id, "ord_01m84eqhsae6kbrjpa7sd7kfnk"));
    text_init(&body, RECEIPT_BYTES_MAX);
    assert_true(order_view_receipt(&body, &id, 2, 1, &keys));
    assert_string_equal(body.bytes, expected);
    text_finish(&body);
}

static void says_so_when_it_cannot_render(void **state)
{
    struct token_keys keys;
    struct fault fault;
    struct order_id id = {{0}};
    struct text body;

    (void)state;
    assert_true(token_keys_parse(&keys, "1:" KEY, &fault));
    text_init(&body, RECEIPT_BYTES_MAX);
    assert_false(order_view_receipt(&body, &id, 3, 1, &keys));
    assert_false(order_view_receipt(&body, &id, 0, 1, &keys));
    assert_false(order_view_receipt(&body, &id, 1, 9, &keys));
    text_finish(&body);
}

static void every_code_has_its_status(void **state)
{
    (void)state;
    assert_int_equal(problem_status("idempotency_key_reused"), 422);
    assert_int_equal(problem_status("total_changed"), 409);
    assert_int_equal(problem_status("overloaded"), 503);
    assert_int_equal(problem_status("unauthorized"), 401);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renderer_1_writes_these_bytes_for_ever),
        cmocka_unit_test(renderer_2_names_the_stream),
        cmocka_unit_test(says_so_when_it_cannot_render),
        cmocka_unit_test(every_code_has_its_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
