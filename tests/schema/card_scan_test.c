#include "schema/canonical_json.h"
#include "schema/card_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *body, const char *pointer)
{
    struct arena arena = {NULL};
    struct fault fault;
    json_t *value = json_read(body, strlen(body), &fault);
    const char *found;

    assert_non_null(value);
    found = card_scan(value, &arena);
    if (pointer)
        assert_string_equal(found ? found : "nothing", pointer);
    else
        assert_null(found);
    json_decref(value);
    arena_finish(&arena);
}

static void finds_card_numbers_anywhere(void **state)
{
    (void)state;
    expect("{\"a\":\"4242424242424242\"}", "/a");
    expect("{\"a\":[\"x\",{\"b\":\"no 4242 4242 4242 4242, sorry\"}]}", "/a/1/b");
    expect("{\"a\":\"12 4242-4242-4242-4242 99\"}", "/a");
    expect("{\"a\":378282246310005}", "/a");
    expect("{\"4242424242424242\":1}", "/4242424242424242");
    expect("{\"sku\":\"4242424242424242\"}", "/sku");
}

static void finds_the_fields_of_a_card_form(void **state)
{
    (void)state;
    expect("{\"payment\":{\"cvc\":\"1\"}}", "/payment/cvc");
    expect("{\"payment\":{\"CVV\":1}}", "/payment/CVV");
    expect("{\"card_number\":null}", "/card_number");
}

static void takes_nothing_else_for_a_card(void **state)
{
    (void)state;
    expect("{\"a\":\"4242424242424241\"}", NULL); /* fails the Luhn check */
    expect("{\"a\":\"8e03978e-4005-4123-9123-123456789012\"}", NULL);
    expect("{\"a\":\"4242424242424242abc\"}", NULL); /* part of a hex id */
    expect("{\"a\":\"a4242424242424242\"}", NULL);
    expect("{\"a\":\"42424242\"}", NULL);
    expect("{\"a\":\"1700000000000\"}", NULL); /* a time in ms */
    expect("{\"lines\":[{\"sku\":\"4006381333931\"}]}", NULL);
    expect("{\"lines\":[{\"sku\":\"5901234123457\"}]}", NULL);
    expect("{\"amount\":9007199254740991}", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_card_numbers_anywhere),
        cmocka_unit_test(finds_the_fields_of_a_card_form),
        cmocka_unit_test(takes_nothing_else_for_a_card),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
