#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "ops/sandbox/rules.h"

#include <cmocka.h> /* last: its fail() is a macro */

static struct rules rules;

static int setup(void **state)
{
    (void)state;
    rules_init(&rules);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rules_clear(&rules);
    return 0;
}

static int64_t add(const char *text, struct fault *fault)
{
    json_t *json = json_loads(text, 0, NULL);
    int64_t id;

    if (!json)
        fail_msg("the test is wrong: %s", text);
    id = rules_add(&rules, json, fault);
    json_decref(json);
    return id;
}

static void must_add(const char *text)
{
    struct fault fault = {0};

    if (add(text, &fault) == 0)
        fail_msg("%s was refused: %s", text, fault.text);
}

static void must_refuse(const char *text, const char *because)
{
    struct fault fault = {0};

    if (add(text, &fault) != 0)
        fail_msg("%s was taken", text);
    if (!strstr(fault.text, because))
        fail_msg("%s was refused as \"%s\", not for \"%s\"", text, fault.text, because);
}

static struct trouble take(enum op op, const char *order, const char *method)
{
    struct trouble trouble;

    rules_take(&rules, op, order, method, &trouble);
    return trouble;
}

static void leaves_calls_alone_without_a_rule(void **state)
{
    (void)state;
    assert_int_equal(take(OP_CONFIRM, "ord_1", "pm_card_visa").kind, TROUBLE_NONE);
}

static void matches_op_order_and_method_together(void **state)
{
    (void)state;
    must_add("{\"match\":{\"op\":\"confirm\",\"order\":\"ord_1\",\"method\":\"pm_x\"},"
             "\"fault\":\"hang\"}");
    assert_int_equal(take(OP_CREATE, "ord_1", "pm_x").kind, TROUBLE_NONE);
    assert_int_equal(take(OP_CONFIRM, "ord_2", "pm_x").kind, TROUBLE_NONE);
    assert_int_equal(take(OP_CONFIRM, "ord_1", "pm_y").kind, TROUBLE_NONE);
    assert_int_equal(take(OP_CONFIRM, "", "").kind, TROUBLE_NONE);
    assert_int_equal(take(OP_CONFIRM, "ord_1", "pm_x").kind, TROUBLE_HANG);
}

static void matches_everything_without_a_match(void **state)
{
    (void)state;
    must_add("{\"fault\":\"delay\",\"ms\":20}");
    assert_int_equal(take(OP_LOOKUP, "", "").kind, TROUBLE_DELAY);
    assert_int_equal(take(OP_CREATE, "ord_1", "pm_x").ms, 20);
}

static void is_used_up_after_its_times(void **state)
{
    (void)state;
    must_add("{\"fault\":\"reset\",\"times\":2}");
    assert_int_equal(take(OP_SHIP, "", "").kind, TROUBLE_RESET);
    assert_int_equal(take(OP_SHIP, "", "").kind, TROUBLE_RESET);
    assert_int_equal(take(OP_SHIP, "", "").kind, TROUBLE_NONE);
}

static void stays_until_cleared_without_times(void **state)
{
    (void)state;
    must_add("{\"fault\":\"reset\"}");
    for (int i = 0; i < 100; i++)
        assert_int_equal(take(OP_SHIP, "", "").kind, TROUBLE_RESET);
    rules_clear(&rules);
    assert_int_equal(take(OP_SHIP, "", "").kind, TROUBLE_NONE);
}

static void prefers_the_oldest_rule_that_matches(void **state)
{
    (void)state;
    must_add("{\"match\":{\"op\":\"ship\"},\"fault\":\"torn\",\"times\":1}");
    must_add("{\"fault\":\"hang\"}");
    assert_int_equal(take(OP_CREATE, "", "").kind, TROUBLE_HANG);
    assert_int_equal(take(OP_SHIP, "", "").kind, TROUBLE_TORN);
    assert_int_equal(take(OP_SHIP, "", "").kind, TROUBLE_HANG);
}

static void carries_the_decline_code(void **state)
{
    (void)state;
    must_add("{\"match\":{\"op\":\"confirm\"},\"fault\":\"decline\",\"code\":\"lost_card\","
             "\"times\":1}");
    assert_string_equal(take(OP_CONFIRM, "", "").code, "lost_card");
    must_add("{\"match\":{\"op\":\"ship\"},\"fault\":\"decline\"}");
    assert_string_equal(take(OP_SHIP, "", "").code, "address_undeliverable");
}

static void refuses_what_it_does_not_know_and_says_what(void **state)
{
    (void)state;
    must_refuse("{}", "fault");
    must_refuse("{\"fault\":\"explode\"}", "explode");
    must_refuse("{\"fault\":\"hang\",\"match\":{\"op\":\"confrim\"}}", "confrim");
    must_refuse("{\"fault\":\"hang\",\"match\":{\"opp\":\"confirm\"}}", "opp");
    must_refuse("{\"fault\":\"hang\",\"tiems\":1}", "tiems");
    must_refuse("{\"fault\":\"hang\",\"times\":0}", "times");
    must_refuse("{\"fault\":\"delay\"}", "ms");
    must_refuse("{\"fault\":\"delay\",\"ms\":\"5\"}", "integer");
    must_refuse("{\"fault\":\"delay\",\"ms\":600001}", "600000");
    must_refuse("{\"fault\":\"decline\"}", "create, confirm and ship");
    must_refuse("{\"fault\":\"wrong_amount\"}", "goes with");
    must_refuse("{\"fault\":\"wrong_amount\",\"match\":{\"op\":\"ship\"}}", "goes with");
    must_refuse("{\"fault\":\"hang\",\"code\":\"lost_card\"}", "decline only");
    must_refuse("{\"fault\":\"decline\",\"match\":{\"op\":\"confirm\"},\"code\":\"nope\"}", "nope");
}

static void reads_one_calls_trouble_from_its_header(void **state)
{
    struct trouble trouble;
    struct fault fault;

    (void)state;
    assert_true(trouble_parse("hang", OP_RETRIEVE, &trouble, &fault));
    assert_int_equal(trouble.kind, TROUBLE_HANG);
    assert_true(trouble_parse("delay; ms=50", OP_CONFIRM, &trouble, &fault));
    assert_int_equal(trouble.ms, 50);
    assert_true(trouble_parse("decline;code=stolen_card", OP_CONFIRM, &trouble, &fault));
    assert_string_equal(trouble.code, "stolen_card");
    assert_false(trouble_parse("", OP_CONFIRM, &trouble, &fault));
    assert_false(trouble_parse("explode", OP_CONFIRM, &trouble, &fault));
    assert_false(trouble_parse("delay", OP_CONFIRM, &trouble, &fault));
    assert_false(trouble_parse("delay; ms=-1", OP_CONFIRM, &trouble, &fault));
    assert_false(trouble_parse("hang; for=ever", OP_CONFIRM, &trouble, &fault));
    assert_false(trouble_parse("decline", OP_RETRIEVE, &trouble, &fault));
}

static void shows_what_is_left(void **state)
{
    struct text text;
    const char *op, *fault;
    json_t *json;
    int times;

    (void)state;
    must_add("{\"match\":{\"op\":\"cancel\"},\"fault\":\"drip\",\"times\":3}");
    take(OP_CANCEL, "", "");
    text_init(&text, 10000);
    rules_render(&rules, &text);
    json = json_loads(text.bytes, 0, NULL);
    assert_int_equal(json_unpack(json, "{s:[{s:{s:s},s:s,s:i}]}", "data", "match", "op", &op,
                                 "fault", &fault, "times", &times),
                     0);
    assert_string_equal(op, "cancel");
    assert_string_equal(fault, "drip");
    assert_int_equal(times, 2);
    json_decref(json);
    text_finish(&text);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(leaves_calls_alone_without_a_rule),
        CASE(matches_op_order_and_method_together),
        CASE(matches_everything_without_a_match),
        CASE(is_used_up_after_its_times),
        CASE(stays_until_cleared_without_times),
        CASE(prefers_the_oldest_rule_that_matches),
        CASE(carries_the_decline_code),
        CASE(refuses_what_it_does_not_know_and_says_what),
        CASE(reads_one_calls_trouble_from_its_header),
        CASE(shows_what_is_left),
    };

    return cmocka_run_group_tests_name("sandbox rules", tests, NULL, NULL);
}
