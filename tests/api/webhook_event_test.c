/* What of an event is kept. */
#include "api/webhook_event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ORDER "ord_01h00000000000000000000001"

static bool read_event(const char *body, struct inbox_event *event)
{
    struct fault fault;

    return webhook_event_read(body, strlen(body), event, &fault);
}

static void names_the_intent_and_its_order(void **state)
{
    struct inbox_event event;
    struct order_id id;

    (void)state;
    assert_true(order_id_parse(&id, ORDER));
    assert_true(read_event("{\"id\":\"evt_1\",\"type\":\"payment_intent.succeeded\",\"data\":{"
                           "\"object\":{\"object\":\"payment_intent\",\"id\":\"pi_1\",\"amount\":1,"
                           "\"metadata\":{\"order_id\":\"" ORDER "\"}}}}",
                           &event));
    assert_string_equal(event.id, "evt_1");
    assert_string_equal(event.type, "payment_intent.succeeded");
    assert_string_equal(event.intent_id, "pi_1");
    assert_int_equal(event.stage, STAGE_PAYMENT);
    assert_int_equal(event.says, ATTEMPT_CAPTURED);
    assert_true(event.has_order);
    assert_memory_equal(event.order_id.bytes, id.bytes, ORDER_ID_BYTES);
}

static void an_event_that_nobody_looks_at_is_an_event(void **state)
{
    struct inbox_event event;

    (void)state;
    assert_true(read_event("{\"id\":\"evt_2\",\"type\":\"customer.created\",\"data\":{\"object\":{"
                           "\"object\":\"customer\",\"id\":\"cus_1\"}}}",
                           &event));
    assert_int_equal(event.stage, STAGE_NONE);
    assert_false(event.has_order);
    assert_string_equal(event.intent_id, "");
    assert_true(read_event("{\"id\":\"evt_3\",\"type\":\"charge.refunded\",\"data\":{\"object\":{"
                           "\"object\":\"charge\",\"id\":\"ch_1\",\"payment_intent\":\"pi_1\"}}}",
                           &event));
    assert_string_equal(event.intent_id, "pi_1");
    assert_int_equal(event.stage, STAGE_REFUND);
}

static void a_stranger_s_order_is_none(void **state)
{
    struct inbox_event event;

    (void)state;
    assert_true(read_event("{\"id\":\"evt_1\",\"type\":\"payment_intent.succeeded\",\"data\":{"
                           "\"object\":{\"object\":\"payment_intent\",\"id\":\"pi_1\","
                           "\"metadata\":{\"order_id\":\"1234\"}}}}",
                           &event));
    assert_false(event.has_order);
    assert_int_equal(event.stage, STAGE_PAYMENT);
}

static void what_is_no_event_is_refused(void **state)
{
    static const char *const bodies[] = {
        "",
        "[]",
        "{\"id\":\"evt_1\"}",
        "{\"id\":\"evt_1\",\"type\":\"x\",\"data\":{\"object\":{}}}",
        "{\"id\":\"evt 1\",\"type\":\"x\",\"data\":{\"object\":{\"object\":\"charge\"}}}",
        "{\"id\":1,\"type\":\"x\",\"data\":{\"object\":{\"object\":\"charge\"}}}",
        "{\"id\":\"a\",\"id\":\"b\",\"type\":\"x\",\"data\":{\"object\":{\"object\":\"c\"}}}",
    };
    struct inbox_event event;

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        if (read_event(bodies[i], &event))
            fail_msg("was taken: %s", bodies[i]);
    }
}

static void an_intent_too_long_to_be_ours_is_nobody_s_to_look_at(void **state)
{
    char id[201] = "", body[1024];
    struct inbox_event event;

    (void)state;
    memset(id, 'x', sizeof(id) - 1);
    snprintf(body, sizeof(body),
             "{\"id\":\"evt_1\",\"type\":\"payment_intent.succeeded\",\"data\":{\"object\":{"
             "\"object\":\"payment_intent\",\"id\":\"pi_%s\"}}}",
             id);
    assert_true(read_event(body, &event));
    assert_int_equal(event.stage, STAGE_NONE);
    assert_string_equal(event.intent_id, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_intent_and_its_order),
        cmocka_unit_test(an_event_that_nobody_looks_at_is_an_event),
        cmocka_unit_test(a_stranger_s_order_is_none),
        cmocka_unit_test(what_is_no_event_is_refused),
        cmocka_unit_test(an_intent_too_long_to_be_ours_is_nobody_s_to_look_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
