#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "ops/sandbox/form.h"

#include <cmocka.h> /* last: its fail() is a macro */

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_finish(&arena);
    return 0;
}

static struct form must_parse(const char *bytes)
{
    struct form form;
    struct fault fault = {0};

    if (!form_parse(&form, &arena, bytes, strlen(bytes), &fault))
        fail_msg("\"%s\" was refused: %s", bytes, fault.text);
    return form;
}

static void must_refuse(const char *bytes)
{
    struct form form;
    struct fault fault = {0};

    if (form_parse(&form, &arena, bytes, strlen(bytes), &fault))
        fail_msg("\"%s\" was taken", bytes);
    assert_int_equal(fault.kind, FAULT_REFUSED);
    assert_true(*fault.text);
}

static void reads_what_stripes_clients_send(void **state)
{
    struct form form =
        must_parse("amount=1250&currency=eur&metadata%5Border_id%5D=ord_1&metadata[note]=a+b%26c");

    (void)state;
    assert_int_equal(form.count, 4);
    assert_string_equal(form_value(&form, "amount"), "1250");
    assert_string_equal(form_value(&form, "currency"), "eur");
    assert_string_equal(form_value(&form, "metadata[order_id]"), "ord_1");
    assert_string_equal(form_value(&form, "metadata[note]"), "a b&c");
    assert_null(form_value(&form, "metadata"));
}

static void takes_an_empty_body_and_empty_values(void **state)
{
    struct form form = must_parse("");

    (void)state;
    assert_int_equal(form.count, 0);
    form = must_parse("a=&b&&c=1");
    assert_int_equal(form.count, 3);
    assert_string_equal(form_value(&form, "a"), "");
    assert_string_equal(form_value(&form, "b"), "");
    assert_string_equal(form_value(&form, "c"), "1");
}

static void refuses_broken_escapes_and_nul(void **state)
{
    (void)state;
    must_refuse("a=%");
    must_refuse("a=%4");
    must_refuse("a=%zz");
    must_refuse("%4=a");
    must_refuse("a=%00b");
}

static void refuses_more_pairs_than_it_may_hold(void **state)
{
    struct text text;

    (void)state;
    text_init(&text, 10000);
    for (int i = 0; i < FORM_PAIRS_MAX; i++)
        text_add(&text, "a=1&");
    assert_int_equal(must_parse(text.bytes).count, FORM_PAIRS_MAX);
    text_add(&text, "a=1");
    must_refuse(text.bytes);
    text_finish(&text);
}

static void gives_the_last_of_a_repeated_name(void **state)
{
    struct form form = must_parse("a=1&a=2");

    (void)state;
    assert_string_equal(form_value(&form, "a"), "2");
}

static void names_the_first_unknown_parameter(void **state)
{
    static const char *const known[] = {"amount", "metadata[", NULL};
    struct form form = must_parse("amount=1&metadata[x]=1&amout=2&b=3");

    (void)state;
    assert_string_equal(form_unknown(&form, known), "amout");
    form = must_parse("amount=1&metadata[x]=1");
    assert_null(form_unknown(&form, known));
}

static void has_one_canonical_form_whatever_the_order(void **state)
{
    struct form left = must_parse("b=2&a=1&c=x%20y"), right = must_parse("c=x+y&a=1&b=2");
    struct form other = must_parse("b=2&a=1&c=x%20z"), joined = must_parse("a=1%26b%3D2");

    (void)state;
    assert_string_equal(form_canonical(&left, &arena), form_canonical(&right, &arena));
    assert_string_not_equal(form_canonical(&left, &arena), form_canonical(&other, &arena));
    right = must_parse("a=1&b=2");
    assert_string_not_equal(form_canonical(&joined, &arena), form_canonical(&right, &arena));
}

static void reads_numbers_of_digits_only(void **state)
{
    int64_t number = 0;

    (void)state;
    assert_true(form_number("0", &number));
    assert_int_equal(number, 0);
    assert_true(form_number("999999999999999", &number));
    assert_int_equal(number, 999999999999999);
    assert_false(form_number("", &number));
    assert_false(form_number("-1", &number));
    assert_false(form_number("1.5", &number));
    assert_false(form_number(" 1", &number));
    assert_false(form_number("1000000000000000", &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_what_stripes_clients_send, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_an_empty_body_and_empty_values, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_broken_escapes_and_nul, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_more_pairs_than_it_may_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(gives_the_last_of_a_repeated_name, setup, teardown),
        cmocka_unit_test_setup_teardown(names_the_first_unknown_parameter, setup, teardown),
        cmocka_unit_test_setup_teardown(has_one_canonical_form_whatever_the_order, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_numbers_of_digits_only, setup, teardown),
    };

    return cmocka_run_group_tests_name("sandbox form", tests, NULL, NULL);
}
