#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "ops/sandbox/intent.h"

#include <cmocka.h> /* last: its fail() is a macro */

static struct intent *intent;
static struct refusal refusal;

static void begin(const char *method, bool manual)
{
    intent = intent_create(1250, "eur", method, "ord_1", "{\"order_id\":\"ord_1\"}");
    intent->manual = manual;
}

static int teardown(void **state)
{
    (void)state;
    intent_destroy(intent);
    intent = NULL;
    return 0;
}

static bool confirm(const char *method)
{
    const struct confirmation how = {.method = method};

    return intent_confirm(intent, &how, &refusal);
}

static void must_be(enum intent_status status)
{
    assert_string_equal(intent_status_name(intent->status), intent_status_name(status));
}

static void must_refuse(bool done, int status, const char *code)
{
    assert_false(done);
    assert_int_equal(refusal.status, status);
    if (code)
        assert_string_equal(refusal.code, code);
    assert_true(*refusal.message);
}

static void asks_for_a_method_unless_it_has_one(void **state)
{
    (void)state;
    begin("", false);
    must_be(INTENT_REQUIRES_PAYMENT_METHOD);
    must_refuse(confirm(NULL), 400, "payment_intent_unexpected_state");
    assert_true(confirm("pm_card_visa"));
    must_be(INTENT_SUCCEEDED);
}

static void takes_the_money_once(void **state)
{
    char charge[INTENT_ID_SIZE];

    (void)state;
    begin("pm_card_visa", false);
    must_be(INTENT_REQUIRES_CONFIRMATION);
    assert_true(confirm(NULL));
    must_be(INTENT_SUCCEEDED);
    assert_int_equal(intent->received, 1250);
    snprintf(charge, sizeof(charge), "%s", intent->charge);
    must_refuse(confirm(NULL), 400, "payment_intent_unexpected_state");
    assert_true(refusal.embeds_intent);
    assert_int_equal(intent->received, 1250);
    assert_string_equal(intent->charge, charge);
}

static void wants_another_card_after_a_decline(void **state)
{
    (void)state;
    begin("pm_card_chargeDeclinedInsufficientFunds", false);
    must_refuse(confirm(NULL), 402, "card_declined");
    assert_string_equal(refusal.type, "card_error");
    assert_string_equal(refusal.decline->decline_code, "insufficient_funds");
    must_be(INTENT_REQUIRES_PAYMENT_METHOD);
    assert_string_equal(intent->failure->decline_code, "insufficient_funds");
    assert_int_equal(intent->received, 0);
    must_refuse(confirm(NULL), 400, "payment_intent_unexpected_state");
    assert_true(confirm("pm_card_visa"));
    assert_null(intent->failure);
}

static void declines_on_demand_whatever_the_card(void **state)
{
    const struct confirmation how = {.decline = decline_find("lost_card")};

    (void)state;
    begin("pm_card_visa", false);
    must_refuse(intent_confirm(intent, &how, &refusal), 402, "card_declined");
    assert_string_equal(refusal.decline->decline_code, "lost_card");
}

static void waits_for_the_customer_of_a_3ds_card(void **state)
{
    (void)state;
    begin("pm_card_authenticationRequired", false);
    assert_true(confirm(NULL));
    must_be(INTENT_REQUIRES_ACTION);
    assert_int_equal(intent->received, 0);
    assert_true(intent_finish_action(intent, true, &refusal));
    must_be(INTENT_SUCCEEDED);
    assert_false(intent_finish_action(intent, true, &refusal));
}

static void wants_another_card_when_the_customer_fails(void **state)
{
    (void)state;
    begin("pm_card_authenticationRequired", false);
    assert_true(confirm(NULL));
    assert_true(intent_finish_action(intent, false, &refusal));
    must_be(INTENT_REQUIRES_PAYMENT_METHOD);
    assert_string_equal(intent->failure->code, "payment_intent_authentication_failure");
}

static void may_be_declined_after_the_customer_agreed(void **state)
{
    (void)state;
    begin("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds", false);
    assert_true(confirm(NULL));
    must_be(INTENT_REQUIRES_ACTION);
    assert_true(intent_finish_action(intent, true, &refusal));
    must_be(INTENT_REQUIRES_PAYMENT_METHOD);
    assert_int_equal(intent->received, 0);
}

static void declines_3ds_where_no_customer_is_there(void **state)
{
    const struct confirmation how = {.refuse_action = true};

    (void)state;
    begin("pm_card_authenticationRequired", false);
    must_refuse(intent_confirm(intent, &how, &refusal), 402, "authentication_required");
    must_be(INTENT_REQUIRES_PAYMENT_METHOD);
}

static void lingers_in_processing_until_the_bank_decides(void **state)
{
    (void)state;
    begin("pm_usBankAccount_processing", false);
    assert_true(confirm(NULL));
    must_be(INTENT_PROCESSING);
    must_refuse(confirm(NULL), 400, "payment_intent_unexpected_state");
    must_refuse(intent_cancel(intent, "", &refusal), 400, "payment_intent_unexpected_state");
    assert_true(intent_finish_action(intent, true, &refusal));
    must_be(INTENT_SUCCEEDED);
}

static void holds_the_money_until_a_manual_capture(void **state)
{
    (void)state;
    begin("pm_card_visa", true);
    must_refuse(intent_capture(intent, -1, &refusal), 400, "payment_intent_unexpected_state");
    assert_true(confirm(NULL));
    must_be(INTENT_REQUIRES_CAPTURE);
    assert_int_equal(intent->capturable, 1250);
    assert_int_equal(intent->received, 0);
    must_refuse(intent_capture(intent, 1251, &refusal), 400, "amount_too_large");
    assert_true(intent_capture(intent, 1000, &refusal));
    must_be(INTENT_SUCCEEDED);
    assert_int_equal(intent->received, 1000);
    assert_int_equal(intent->capturable, 0);
    must_refuse(intent_capture(intent, -1, &refusal), 400, "payment_intent_unexpected_state");
}

static void cancels_from_every_state_that_has_no_money(void **state)
{
    static const struct {
        const char *method;
        bool manual, confirmed;
        enum intent_status status;
    } cases[] = {
        {"", false, false, INTENT_REQUIRES_PAYMENT_METHOD},
        {"pm_card_visa", false, false, INTENT_REQUIRES_CONFIRMATION},
        {"pm_card_authenticationRequired", false, true, INTENT_REQUIRES_ACTION},
        {"pm_card_visa", true, true, INTENT_REQUIRES_CAPTURE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin(cases[i].method, cases[i].manual);
        if (cases[i].confirmed)
            assert_true(confirm(NULL));
        must_be(cases[i].status);
        assert_true(intent_cancel(intent, "duplicate", &refusal));
        must_be(INTENT_CANCELED);
        assert_int_equal(intent->capturable, 0);
        must_refuse(confirm("pm_card_visa"), 400, "payment_intent_unexpected_state");
        must_refuse(intent_cancel(intent, "", &refusal), 400, "payment_intent_unexpected_state");
        intent_destroy(intent);
    }
    begin("", false);
}

static void cannot_cancel_what_has_been_paid(void **state)
{
    (void)state;
    begin("pm_card_visa", false);
    assert_true(confirm(NULL));
    must_refuse(intent_cancel(intent, "", &refusal), 400, "payment_intent_unexpected_state");
    must_be(INTENT_SUCCEEDED);
    assert_true(refusal.embeds_intent);
}

static void refunds_no_more_than_was_received(void **state)
{
    (void)state;
    begin("pm_card_visa", false);
    assert_null(intent_refund(intent, -1, "", "{}", &refusal));
    assert_true(confirm(NULL));
    assert_non_null(intent_refund(intent, 500, "", "{}", &refusal));
    assert_non_null(intent_refund(intent, 500, "", "{}", &refusal));
    assert_null(intent_refund(intent, 251, "", "{}", &refusal));
    assert_int_equal(refusal.status, 400);
    assert_int_equal(intent_refund(intent, -1, "duplicate", "{}", &refusal)->amount, 250);
    assert_null(intent_refund(intent, -1, "", "{}", &refusal));
    assert_string_equal(refusal.code, "charge_already_refunded");
    assert_int_equal(intent->refunded, 1250);
}

static struct intent *through_json(const struct intent *original)
{
    struct text text;
    struct intent *restored;
    json_t *json;

    text_init(&text, 10000);
    intent_render(original, &text);
    json = json_loads(text.bytes, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    restored = intent_restore(json);
    json_decref(json);
    text_finish(&text);
    return restored;
}

/* What is shown must be all there is: a restart knows nothing else. */
static void must_survive_json(void)
{
    struct intent *restored = through_json(intent);
    struct text left, right;

    text_init(&left, 10000);
    text_init(&right, 10000);
    intent_render(intent, &left);
    intent_render(restored, &right);
    assert_string_equal(right.bytes, left.bytes);
    assert_string_equal(restored->order, intent->order);
    text_finish(&left);
    text_finish(&right);
    intent_destroy(restored);
}

static void survives_json_in_every_state(void **state)
{
    (void)state;
    begin("", true);
    must_survive_json();
    assert_false(confirm("pm_card_chargeDeclinedExpiredCard"));
    must_survive_json();
    assert_true(confirm("pm_card_authenticationRequired"));
    must_survive_json();
    assert_true(intent_finish_action(intent, false, &refusal));
    must_survive_json();
    assert_true(confirm("pm_usBankAccount_processing"));
    must_survive_json();
    assert_true(intent_finish_action(intent, true, &refusal));
    must_be(INTENT_REQUIRES_CAPTURE);
    must_survive_json();
    assert_true(intent_cancel(intent, "abandoned", &refusal));
    must_survive_json();
}

static void embeds_the_intent_in_a_state_refusal(void **state)
{
    struct text text;
    json_t *json;
    const char *type, *code, *status;

    (void)state;
    begin("pm_card_visa", false);
    assert_true(confirm(NULL));
    assert_false(confirm(NULL));
    text_init(&text, 10000);
    refusal_render(&refusal, intent, &text);
    json = json_loads(text.bytes, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_unpack(json, "{s:{s:s,s:s,s:{s:s}}}", "error", "type", &type, "code",
                                 &code, "payment_intent", "status", &status),
                     0);
    assert_string_equal(type, "invalid_request_error");
    assert_string_equal(code, "payment_intent_unexpected_state");
    assert_string_equal(status, "succeeded");
    json_decref(json);
    text_finish(&text);
}

#define CASE(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(asks_for_a_method_unless_it_has_one),
        CASE(takes_the_money_once),
        CASE(wants_another_card_after_a_decline),
        CASE(declines_on_demand_whatever_the_card),
        CASE(waits_for_the_customer_of_a_3ds_card),
        CASE(wants_another_card_when_the_customer_fails),
        CASE(may_be_declined_after_the_customer_agreed),
        CASE(declines_3ds_where_no_customer_is_there),
        CASE(lingers_in_processing_until_the_bank_decides),
        CASE(holds_the_money_until_a_manual_capture),
        CASE(cancels_from_every_state_that_has_no_money),
        CASE(cannot_cancel_what_has_been_paid),
        CASE(refunds_no_more_than_was_received),
        CASE(survives_json_in_every_state),
        CASE(embeds_the_intent_in_a_state_refusal),
    };

    return cmocka_run_group_tests_name("sandbox intent", tests, NULL, NULL);
}
