#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"
#include "ops/sandbox/idempotency.h"

#include <cmocka.h> /* last: its fail() is a macro */

enum { LIFETIME_US = 1000 };

static struct idempotency store;

static int setup(void **state)
{
    (void)state;
    idempotency_init(&store, LIFETIME_US);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    idempotency_finish(&store);
    return 0;
}

static struct idempotency_entry *expect(enum idempotency_verdict verdict, const char *key,
                                        const char *parameters, int64_t now_us)
{
    char print[IDEMPOTENCY_PRINT_SIZE];
    struct idempotency_entry *entry;

    idempotency_print(print, "POST", "/v1/refunds", parameters);
    assert_int_equal(idempotency_begin(&store, key, print, now_us, &entry), verdict);
    return entry;
}

static void keep(struct idempotency_entry *entry, int status, const char *body)
{
    idempotency_keep(entry, status, body, strlen(body));
}

static void replays_status_and_body_of_the_first_call(void **state)
{
    const struct idempotency_entry *entry;

    (void)state;
    keep(expect(IDEMPOTENCY_BEGUN, "k", "a=1", 0), 402, "declined");
    entry = expect(IDEMPOTENCY_REPLAYED, "k", "a=1", 1);
    assert_int_equal(entry->status, 402);
    assert_string_equal(entry->body, "declined");
    assert_int_equal(entry->body_length, 8);
}

static void replays_a_500_like_any_other_answer(void **state)
{
    (void)state;
    keep(expect(IDEMPOTENCY_BEGUN, "k", "a=1", 0), 500, "sorry");
    assert_int_equal(expect(IDEMPOTENCY_REPLAYED, "k", "a=1", 1)->status, 500);
}

static void refuses_other_parameters_under_a_kept_key(void **state)
{
    (void)state;
    keep(expect(IDEMPOTENCY_BEGUN, "k", "a=1", 0), 200, "yes");
    expect(IDEMPOTENCY_MISMATCHED, "k", "a=2", 1);
    expect(IDEMPOTENCY_REPLAYED, "k", "a=1", 2);
}

static void tells_a_key_in_flight_from_a_kept_one(void **state)
{
    struct idempotency_entry *entry = expect(IDEMPOTENCY_BEGUN, "k", "a=1", 0);

    (void)state;
    expect(IDEMPOTENCY_IN_FLIGHT, "k", "a=1", 1);
    expect(IDEMPOTENCY_MISMATCHED, "k", "a=2", 1);
    expect(IDEMPOTENCY_IN_FLIGHT, "k", "a=1", INT64_C(10) * LIFETIME_US);
    keep(entry, 200, "yes");
    expect(IDEMPOTENCY_REPLAYED, "k", "a=1", 1);
}

static void leaves_a_forgotten_key_free_for_other_parameters(void **state)
{
    (void)state;
    idempotency_forget(&store, expect(IDEMPOTENCY_BEGUN, "k", "a=1", 0));
    expect(IDEMPOTENCY_BEGUN, "k", "a=2", 1);
}

static void begins_anew_when_the_lifetime_is_over(void **state)
{
    (void)state;
    keep(expect(IDEMPOTENCY_BEGUN, "k", "a=1", 0), 200, "old");
    expect(IDEMPOTENCY_REPLAYED, "k", "a=1", LIFETIME_US - 1);
    keep(expect(IDEMPOTENCY_BEGUN, "k", "a=2", LIFETIME_US), 200, "new");
    assert_string_equal(expect(IDEMPOTENCY_REPLAYED, "k", "a=2", LIFETIME_US + 1)->body, "new");
}

static void binds_a_key_to_its_endpoint(void **state)
{
    char left[IDEMPOTENCY_PRINT_SIZE], right[IDEMPOTENCY_PRINT_SIZE];

    (void)state;
    idempotency_print(left, "POST", "/v1/payment_intents/pi_1/confirm", "");
    idempotency_print(right, "POST", "/v1/payment_intents/pi_2/confirm", "");
    assert_string_not_equal(left, right);
    assert_int_equal(strlen(left), IDEMPOTENCY_PRINT_SIZE - 1);
}

/* Through the journal and back, as a restart does it. */
static void comes_back_from_its_journal_with_its_age(void **state)
{
    const char *body = "{\"text\":\"quote \\\" and \\n end\"}";
    struct text text;
    json_t *json;

    (void)state;
    keep(expect(IDEMPOTENCY_BEGUN, "k\"1", "a=1", 500), 500, body);
    text_init(&text, 4096);
    text_add(&text, "{");
    idempotency_journal(expect(IDEMPOTENCY_REPLAYED, "k\"1", "a=1", 501), &text);
    text_add(&text, "}");
    json = json_loads(text.bytes, 0, NULL);
    assert_non_null(json);
    idempotency_finish(&store);
    idempotency_init(&store, LIFETIME_US);
    idempotency_restore(&store, json_object_get(json, "answer"));
    assert_string_equal(expect(IDEMPOTENCY_REPLAYED, "k\"1", "a=1", 1499)->body, body);
    expect(IDEMPOTENCY_MISMATCHED, "k\"1", "a=2", 1499);
    expect(IDEMPOTENCY_BEGUN, "k\"1", "a=1", 1500);
    json_decref(json);
    text_finish(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(replays_status_and_body_of_the_first_call, setup, teardown),
        cmocka_unit_test_setup_teardown(replays_a_500_like_any_other_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_other_parameters_under_a_kept_key, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_a_key_in_flight_from_a_kept_one, setup, teardown),
        cmocka_unit_test_setup_teardown(leaves_a_forgotten_key_free_for_other_parameters, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(begins_anew_when_the_lifetime_is_over, setup, teardown),
        cmocka_unit_test(binds_a_key_to_its_endpoint),
        cmocka_unit_test_setup_teardown(comes_back_from_its_journal_with_its_age, setup, teardown),
    };

    return cmocka_run_group_tests_name("sandbox idempotency", tests, NULL, NULL);
}
