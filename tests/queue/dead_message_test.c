#include "queue/dead_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#define UUID "01a208f2-f4a3-7d9a-8bb1-c0000aba9502"

static bool parse(const char *body, enum stage *stage, struct fault *fault)
{
    struct order_id order;

    return dead_message_parse(body, strlen(body), &order, stage, fault);
}

static void a_hint_names_an_order_and_a_stage(void **state)
{
    struct order_id order;
    struct fault fault;
    enum stage stage;
    char uuid[ORDER_ID_UUID_SIZE];
    const char *body = "{\"order\":\"" UUID "\",\"stage\":\"fulfilment\",\"outbox\":7,\"new\":1}";

    (void)state;
    assert_true(dead_message_parse(body, strlen(body), &order, &stage, &fault));
    order_id_format_uuid(&order, uuid);
    assert_string_equal(uuid, UUID);
    assert_int_equal(stage, STAGE_FULFILMENT);
}

static void what_is_no_hint_is_refused_with_a_reason(void **state)
{
    static const char *const bodies[] = {
        "",
        "{",
        "null",
        "[]",
        "{}",
        "{\"order\":7,\"stage\":\"payment\"}",
        "{\"order\":\"" UUID "\"}",
        "{\"order\":\"" UUID "\",\"stage\":\"nowhere\"}",
        "{\"order\":\"ord_1\",\"stage\":\"payment\"}",
        "{\"order\":\"" UUID "\",\"order\":\"" UUID "\",\"stage\":\"payment\"}",
    };
    enum stage stage;

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct fault fault = {0};

        assert_false(parse(bodies[i], &stage, &fault));
        assert_true(fault.text[0] != '\0');
    }
}

static json_t *describe(const void *body, size_t length)
{
    struct amqp_delivery delivery = {.message_id = "7.\"1\"", .body = body, .body_length = length};
    struct text text;
    json_t *root;

    text_init(&text, 16384);
    dead_message_describe(&delivery, &text);
    assert_false(text.cut);
    root = json_loadb(text.bytes, text.length, 0, NULL);
    assert_non_null(root);
    text_finish(&text);
    return root;
}

static void any_bytes_are_kept_as_json(void **state)
{
    char body[256];
    json_t *root;

    (void)state;
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (char)i;
    root = describe(body, sizeof(body));
    assert_string_equal(json_string_value(json_object_get(root, "message_id")), "7.\"1\"");
    assert_int_equal(json_integer_value(json_object_get(root, "body_bytes")), 256);
    json_decref(root);
}

static void what_is_kept_is_bounded_and_has_no_secret(void **state)
{
    static char body[100000];
    const char *kept;
    json_t *root;

    (void)state;
    memset(body, '\\', sizeof(body));
    memcpy(body, "4242 4242 4242 4242 sk_live_abcdefgh", 36);
    root = describe(body, sizeof(body));
    kept = json_string_value(json_object_get(root, "body"));
    assert_int_equal(strlen(kept), DEAD_MESSAGE_BODY_MAX);
    assert_null(strstr(kept, "4242"));
    assert_null(strstr(kept, "abcdefgh"));
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hint_names_an_order_and_a_stage),
        cmocka_unit_test(what_is_no_hint_is_refused_with_a_reason),
        cmocka_unit_test(any_bytes_are_kept_as_json),
        cmocka_unit_test(what_is_kept_is_bounded_and_has_no_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
