/* Each way in which a body can be wrong, and the place that is pointed at. */
#include "base/text.h"
#include "schema/order_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define CUSTOMER "\"customer\":{\"email\":\"a@b.example\",\"name\":\"Ada\"}"
#define LINES    "\"lines\":[{\"sku\":\"TEA\",\"quantity\":2}]"
#define ADDRESS  "{\"line1\":\"1 Street\",\"city\":\"Town\",\"country\":\"DE\"}"
#define SHIPPING "\"shipping\":{\"method\":\"standard\",\"address\":" ADDRESS "}"
#define TOTAL    "\"expected_total\":{\"amount\":1,\"currency\":\"EUR\"}"
#define PAYMENT  "\"payment\":{\"method\":\"pm_card_visa\"}"
#define WITH(customer, lines, shipping, total, payment, more)                                      \
    "{" customer "," lines "," shipping "," total "," payment more "}"

struct example {
    const char *body;
    const char *pointer; /* of the only problem */
    const char *code;
};

static const struct example examples[] = {
    {WITH("\"customer\":1", LINES, SHIPPING, TOTAL, PAYMENT, ""), "/customer", "wrong_type"},
    {WITH("\"customer\":{\"name\":\"A\"}", LINES, SHIPPING, TOTAL, PAYMENT, ""), "/customer/email",
     "required"},
    {WITH("\"customer\":{\"email\":\"a@b@c\",\"name\":\"A\"}", LINES, SHIPPING, TOTAL, PAYMENT, ""),
     "/customer/email", "invalid_value"},
    {WITH("\"customer\":{\"email\":\"a@b\",\"name\":\"A\\nB\"}", LINES, SHIPPING, TOTAL, PAYMENT,
          ""),
     "/customer/name", "out_of_range"},
    {WITH("\"customer\":{\"email\":\"a@b\",\"name\":\"A\",\"vip\":true}", LINES, SHIPPING, TOTAL,
          PAYMENT, ""),
     "/customer/vip", "unknown_field"},
    {WITH(CUSTOMER, "\"lines\":{}", SHIPPING, TOTAL, PAYMENT, ""), "/lines", "wrong_type"},
    {WITH(CUSTOMER, "\"lines\":[]", SHIPPING, TOTAL, PAYMENT, ""), "/lines", "out_of_range"},
    {WITH(CUSTOMER, "\"lines\":[1]", SHIPPING, TOTAL, PAYMENT, ""), "/lines/0", "wrong_type"},
    {WITH(CUSTOMER, "\"lines\":[{\"sku\":\"A\",\"quantity\":0}]", SHIPPING, TOTAL, PAYMENT, ""),
     "/lines/0/quantity", "out_of_range"},
    {WITH(CUSTOMER, "\"lines\":[{\"sku\":\"A\",\"quantity\":10000}]", SHIPPING, TOTAL, PAYMENT, ""),
     "/lines/0/quantity", "out_of_range"},
    {WITH(CUSTOMER, "\"lines\":[{\"sku\":\"A\",\"quantity\":1.0}]", SHIPPING, TOTAL, PAYMENT, ""),
     "/lines/0/quantity", "wrong_type"},
    {WITH(CUSTOMER, "\"lines\":[{\"sku\":\"A\",\"quantity\":1},{\"sku\":\"A\",\"quantity\":1}]",
          SHIPPING, TOTAL, PAYMENT, ""),
     "/lines/1/sku", "duplicate_sku"},
    {WITH(CUSTOMER, LINES, "\"shipping\":{\"method\":\"standard\"}", TOTAL, PAYMENT, ""),
     "/shipping/address", "required"},
    {WITH(CUSTOMER, LINES, "\"shipping\":{\"method\":\"\",\"address\":" ADDRESS "}", TOTAL, PAYMENT,
          ""),
     "/shipping/method", "out_of_range"},
    {WITH(CUSTOMER, LINES,
          "\"shipping\":{\"method\":\"m\",\"address\":{\"line1\":\"1\",\"city\":\"T\","
          "\"country\":\"Germany\"}}",
          TOTAL, PAYMENT, ""),
     "/shipping/address/country", "out_of_range"},
    {WITH(CUSTOMER, LINES, SHIPPING, "\"expected_total\":{\"amount\":0,\"currency\":\"EUR\"}",
          PAYMENT, ""),
     "/expected_total/amount", "out_of_range"},
    {WITH(CUSTOMER, LINES, SHIPPING,
          "\"expected_total\":{\"amount\":9007199254740992,\"currency\":\"EUR\"}", PAYMENT, ""),
     "/expected_total/amount", "out_of_range"},
    {WITH(CUSTOMER, LINES, SHIPPING, "\"expected_total\":{\"amount\":1,\"currency\":\"eur\"}",
          PAYMENT, ""),
     "/expected_total/currency", "invalid_value"},
    {WITH(CUSTOMER, LINES, SHIPPING, TOTAL, "\"payment\":{\"method\":\"tok_x\"}", ""),
     "/payment/method", "invalid_value"},
    {WITH(CUSTOMER, LINES, SHIPPING, TOTAL, "\"payment\":null", ""), "/payment", "wrong_type"},
    {WITH(CUSTOMER, LINES, SHIPPING, TOTAL, PAYMENT, ",\"cart_id\":\"a b\""), "/cart_id",
     "invalid_value"},
    {WITH(CUSTOMER, LINES, SHIPPING, TOTAL, PAYMENT, ",\"metadata\":{\"a/b\":1}"), "/metadata/a~1b",
     "wrong_type"},
    {WITH(CUSTOMER, LINES, SHIPPING, TOTAL, PAYMENT, ",\"total\":1"), "/total", "unknown_field"},
    {"[]", "", "wrong_type"},
};

static bool read(const char *body, struct order *order, struct problem_items *problems,
                 json_t **value)
{
    struct fault fault;

    *value = json_read(body, strlen(body), &fault);
    assert_non_null(*value);
    return order_from_json(order, *value, problems);
}

static void points_at_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        struct arena arena = {NULL};
        struct problem_items problems = {.arena = &arena};
        struct order order;
        json_t *value;

        assert_false(read(examples[i].body, &order, &problems, &value));
        assert_string_equal(problems.items[0].pointer, examples[i].pointer);
        assert_string_equal(problems.items[0].code, examples[i].code);
        assert_int_equal(problems.count, 1);
        json_decref(value);
        arena_finish(&arena);
    }
}

static void reads_every_field(void **state)
{
    static const char body[] = WITH(CUSTOMER, LINES, SHIPPING, TOTAL, PAYMENT,
                                    ",\"cart_id\":\"c-1\",\"metadata\":{\"b\":\"2\",\"a\":\"1\"}");
    struct arena arena = {NULL};
    struct problem_items problems = {.arena = &arena};
    struct order order;
    json_t *value;

    (void)state;
    assert_true(read(body, &order, &problems, &value));
    assert_string_equal(order.cart_id, "c-1");
    assert_string_equal(order.email, "a@b.example");
    assert_int_equal(order.line_count, 1);
    assert_string_equal(order.lines[0].sku, "TEA");
    assert_int_equal(order.lines[0].quantity, 2);
    assert_string_equal(order.shipping_method, "standard");
    assert_string_equal(order.address_json,
                        "{\"city\":\"Town\",\"country\":\"DE\",\"line1\":\"1 Street\"}");
    assert_int_equal(order.expected_total.amount, 1);
    assert_string_equal(order.expected_total.currency, "EUR");
    assert_string_equal(order.payment_method, "pm_card_visa");
    assert_string_equal(order.metadata_json, "{\"a\":\"1\",\"b\":\"2\"}");
    json_decref(value);
    arena_finish(&arena);
}

static void tells_many_problems_but_not_without_end(void **state)
{
    struct arena arena = {NULL};
    struct problem_items problems = {.arena = &arena};
    struct text body;
    struct order order;
    json_t *value;

    (void)state;
    text_init(&body, 65536);
    text_add(&body, "{\"lines\":[{}");
    for (int i = 0; i < 90; i++)
        text_add(&body, ",{}");
    text_add(&body, "]}");
    assert_false(read(body.bytes, &order, &problems, &value));
    assert_int_equal(problems.count, PROBLEMS_MAX);
    json_decref(value);
    arena_finish(&arena);
    text_finish(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_at_what_is_wrong),
        cmocka_unit_test(reads_every_field),
        cmocka_unit_test(tells_many_problems_but_not_without_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
