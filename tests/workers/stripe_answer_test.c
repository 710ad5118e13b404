/* What Stripe's answers mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "workers/providers/stripe.h"

#include <cmocka.h> /* last: its fail() would hide ours */

#define INTENT(status)                                                                             \
    "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":1999,\"amount_received\":0,"        \
    "\"currency\":\"eur\",\"status\":\"" status "\",\"created\":1700000000,"                       \
    "\"metadata\":{\"order_id\":\"ord_1\"},\"last_payment_error\":null}"
#define LIST(refunds, more) "{\"object\":\"list\",\"data\":[" refunds "],\"has_more\":" more "}"
#define REFUND(id, ours, amount, status)                                                           \
    "{\"id\":\"" id "\",\"object\":\"refund\",\"amount\":" amount                                  \
    ",\"currency\":\"eur\",\"status\":\"" status "\",\"metadata\":{\"refund_id\":\"" ours "\"}}"
#define ERROR(members) "{\"error\":{" members "}}"
#define CODE(code)     "\"type\":\"invalid_request_error\",\"message\":\"m\",\"code\":\"" code "\""

static const struct row {
    const char *name;
    enum payment_operation operation;
    int status;
    const char *body;
    enum payment_verdict verdict;
    const char *code; /* of the fault */
} rows[] = {
    /* 2xx: the intent's state, or no evidence at all */
    {"created", PAYMENT_CREATE, 200, INTENT("requires_confirmation"), PAYMENT_STATE, ""},
    {"confirmed", PAYMENT_CONFIRM, 200, INTENT("succeeded"), PAYMENT_STATE, ""},
    {"wants action", PAYMENT_CONFIRM, 200, INTENT("requires_action"), PAYMENT_STATE, ""},
    {"canceled", PAYMENT_CANCEL, 200, INTENT("canceled"), PAYMENT_STATE, ""},
    {"retrieved", PAYMENT_RETRIEVE, 200, INTENT("processing"), PAYMENT_STATE, ""},
    {"empty 200", PAYMENT_CONFIRM, 200, "", PAYMENT_UNKNOWN, "answer_unreadable"},
    {"torn 200", PAYMENT_CONFIRM, 200, "{\"id\":\"pi_1\",", PAYMENT_UNKNOWN, "answer_unreadable"},
    {"a page", PAYMENT_CONFIRM, 200, "<html>", PAYMENT_UNKNOWN, "answer_unreadable"},
    {"a list", PAYMENT_CONFIRM, 200, "[]", PAYMENT_UNKNOWN, "answer_unreadable"},
    {"more after it", PAYMENT_CONFIRM, 200, INTENT("succeeded") "x", PAYMENT_UNKNOWN,
     "answer_unreadable"},
    {"new status", PAYMENT_CONFIRM, 200, INTENT("frozen"), PAYMENT_UNKNOWN, "answer_unreadable"},
    {"two statuses", PAYMENT_CONFIRM, 200,
     "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":1,\"currency\":\"eur\","
     "\"status\":\"succeeded\",\"status\":\"canceled\"}",
     PAYMENT_UNKNOWN, "answer_unreadable"},
    {"amount with a point", PAYMENT_CONFIRM, 200,
     "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":1.5,\"currency\":\"eur\","
     "\"status\":\"succeeded\"}",
     PAYMENT_UNKNOWN, "answer_unreadable"},
    {"another object", PAYMENT_CONFIRM, 200,
     "{\"id\":\"pi_1\",\"object\":\"charge\",\"amount\":1,\"currency\":\"eur\","
     "\"status\":\"succeeded\"}",
     PAYMENT_UNKNOWN, "answer_unreadable"},
    {"another intent", PAYMENT_CONFIRM, 200,
     "{\"id\":\"pi_2\",\"object\":\"payment_intent\",\"amount\":1,\"currency\":\"eur\","
     "\"status\":\"succeeded\"}",
     PAYMENT_UNKNOWN, "answer_for_another"},
    {"unreadable read", PAYMENT_RETRIEVE, 200, "{", PAYMENT_TRANSIENT, "answer_unreadable"},
    {"refunded", PAYMENT_REFUND, 200,
     "{\"id\":\"re_1\",\"object\":\"refund\",\"amount\":5,\"currency\":\"eur\","
     "\"status\":\"succeeded\"}",
     PAYMENT_STATE, ""},
    {"refunds", PAYMENT_REFUNDS, 200, LIST(REFUND("re_1", "x", "5", "succeeded"), "false"),
     PAYMENT_STATE, ""},
    {"no refunds", PAYMENT_REFUNDS, 200, LIST("", "false"), PAYMENT_STATE, ""},
    {"half a list", PAYMENT_REFUNDS, 200, LIST(REFUND("re_1", "x", "5", "succeeded"), "true"),
     PAYMENT_TRANSIENT, "answer_unreadable"},
    {"a list of others", PAYMENT_REFUNDS, 200, LIST(INTENT("succeeded"), "false"),
     PAYMENT_TRANSIENT, "answer_unreadable"},
    {"no list", PAYMENT_REFUNDS, 200, "{}", PAYMENT_TRANSIENT, "answer_unreadable"},
    {"refunds, 500", PAYMENT_REFUNDS, 500, "", PAYMENT_TRANSIENT, "provider_500"},
    {"refund without status", PAYMENT_REFUND, 200,
     "{\"id\":\"re_1\",\"object\":\"refund\",\"amount\":5,\"currency\":\"eur\",\"status\":null}",
     PAYMENT_UNKNOWN, "answer_unreadable"},

    /* 402: declined, final for the attempt */
    {"declined", PAYMENT_CONFIRM, 402,
     ERROR("\"type\":\"card_error\",\"code\":\"card_declined\","
           "\"decline_code\":\"insufficient_funds\",\"message\":\"m\""),
     PAYMENT_DECLINED, "insufficient_funds"},
    {"declined by code", PAYMENT_CONFIRM, 402,
     ERROR("\"type\":\"card_error\",\"code\":\"expired_card\""), PAYMENT_DECLINED, "expired_card"},
    {"declined without one", PAYMENT_CONFIRM, 402, ERROR(""), PAYMENT_DECLINED, "declined"},
    {"unreadable 402", PAYMENT_CONFIRM, 402, "Payment Required", PAYMENT_UNKNOWN,
     "answer_unreadable"},
    {"402 to a cancel", PAYMENT_CANCEL, 402, ERROR(CODE("odd")), PAYMENT_BROKEN, "odd"},

    /* it did nothing */
    {"in flight", PAYMENT_CONFIRM, 409, ERROR(CODE("idempotency_key_in_use")), PAYMENT_TRANSIENT,
     "idempotency_key_in_use"},
    {"bare 409", PAYMENT_CONFIRM, 409, "", PAYMENT_TRANSIENT, "provider_409"},
    {"too many", PAYMENT_CONFIRM, 429, ERROR(CODE("rate_limit")), PAYMENT_TRANSIENT, "rate_limit"},
    {"locked", PAYMENT_CONFIRM, 400, ERROR(CODE("lock_timeout")), PAYMENT_TRANSIENT,
     "lock_timeout"},

    /* perhaps it happened */
    {"500", PAYMENT_CONFIRM, 500, ERROR("\"type\":\"api_error\""), PAYMENT_UNKNOWN, "provider_500"},
    {"502", PAYMENT_CONFIRM, 502, "<html>", PAYMENT_UNKNOWN, "provider_502"},
    {"503 to a create", PAYMENT_CREATE, 503, "", PAYMENT_UNKNOWN, "provider_503"},
    {"504 to a cancel", PAYMENT_CANCEL, 504, "", PAYMENT_UNKNOWN, "provider_504"},
    {"408", PAYMENT_CONFIRM, 408, "", PAYMENT_UNKNOWN, "provider_408"},
    {"500 to a read", PAYMENT_RETRIEVE, 500, "", PAYMENT_TRANSIENT, "provider_500"},

    /* it was too late: the state that it tells */
    {"already done", PAYMENT_CONFIRM, 400,
     ERROR(CODE("payment_intent_unexpected_state") ",\"payment_intent\":" INTENT("succeeded")),
     PAYMENT_STATE, ""},
    {"already canceled", PAYMENT_CANCEL, 400,
     ERROR(CODE("payment_intent_unexpected_state") ",\"payment_intent\":" INTENT("canceled")),
     PAYMENT_STATE, ""},
    {"already what?", PAYMENT_CONFIRM, 400, ERROR(CODE("payment_intent_unexpected_state")),
     PAYMENT_UNKNOWN, "answer_unreadable"},
    {"already refunded", PAYMENT_REFUND, 400, ERROR(CODE("charge_already_refunded")),
     PAYMENT_UNKNOWN, "charge_already_refunded"},

    /* our fault */
    {"another body", PAYMENT_CONFIRM, 400,
     ERROR("\"type\":\"idempotency_error\",\"message\":\"m\""), PAYMENT_BROKEN, "provider_400"},
    {"bad parameter", PAYMENT_CREATE, 400, ERROR(CODE("parameter_unknown")), PAYMENT_BROKEN,
     "parameter_unknown"},
    {"bad key", PAYMENT_CREATE, 401, ERROR(""), PAYMENT_BROKEN, "provider_401"},
    {"missing", PAYMENT_RETRIEVE, 404, ERROR(CODE("resource_missing")), PAYMENT_BROKEN,
     "resource_missing"},
    {"a gate's page", PAYMENT_CONFIRM, 403, "<html>", PAYMENT_BROKEN, "provider_403"},
    {"elsewhere", PAYMENT_CONFIRM, 302, "", PAYMENT_BROKEN, "provider_redirects"},
    {"a code that is none", PAYMENT_CONFIRM, 400, ERROR("\"code\":\"<b>\""), PAYMENT_BROKEN,
     "provider_400"},
};

static struct payment_result read_row(const struct row *row, bool should_retry)
{
    const struct stripe_answer answer = {
        .operation = row->operation,
        .intent = row->operation == PAYMENT_CREATE ? NULL : "pi_1",
        .status = row->status,
        .body = row->body,
        .length = strlen(row->body),
        .should_retry = should_retry,
    };
    struct payment_result result = {.retry_after_ms = 7};

    stripe_read_answer(&answer, &result);
    return result;
}

static void each_answer_means_what_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct payment_result result = read_row(&rows[i], false);

        if (result.verdict != rows[i].verdict || strcmp(result.fault.code, rows[i].code) != 0)
            fail_msg("%s: %s (%s), not %s (%s)", rows[i].name, payment_verdict_name(result.verdict),
                     result.fault.code, payment_verdict_name(rows[i].verdict), rows[i].code);
        assert_int_equal(result.fault.kind == FAULT_NONE, result.verdict == PAYMENT_STATE);
        assert_int_equal(result.retry_after_ms, 7);
    }
}

static struct payment_result read_body(enum payment_operation operation, int status,
                                       const char *body)
{
    return read_row(&(struct row){.operation = operation, .status = status, .body = body}, false);
}

/* Ours among the others; what failed gives nothing back. */
static void a_refund_is_found_by_our_own_name_for_it(void **state)
{
    static const char list[] =
        LIST(REFUND("re_3", "ord_1-3", "7", "pending") "," REFUND(
                 "re_2", "ord_1-2", "5", "succeeded") "," REFUND("re_1", "ord_1-1", "9", "failed"),
             "false");
    struct stripe_answer answer = {.operation = PAYMENT_REFUNDS,
                                   .intent = "pi_1",
                                   .refund = "ord_1-2",
                                   .status = 200,
                                   .body = list,
                                   .length = sizeof(list) - 1};
    struct payment_result result = {.retry_after_ms = -1};

    (void)state;
    stripe_read_answer(&answer, &result);
    assert_int_equal(result.verdict, PAYMENT_STATE);
    assert_string_equal(result.refund.id, "re_2");
    assert_int_equal(result.refund.status, REFUND_SUCCEEDED);
    assert_int_equal(result.refund.amount, 5);
    assert_int_equal(result.refunded, 12);
    answer.refund = "ord_1-4";
    stripe_read_answer(&answer, &result);
    assert_string_equal(result.refund.id, "");
    assert_int_equal(result.refunded, 12);
}

static void what_should_be_retried_did_nothing_unless_it_failed_inside(void **state)
{
    struct row row = {.operation = PAYMENT_CONFIRM, .status = 400, .body = ERROR(CODE("odd"))};

    (void)state;
    assert_int_equal(read_row(&row, true).verdict, PAYMENT_TRANSIENT);
    row.status = 500;
    assert_int_equal(read_row(&row, true).verdict, PAYMENT_UNKNOWN);
    row.status = 402;
    assert_int_equal(read_row(&row, true).verdict, PAYMENT_DECLINED);
}

static void a_state_carries_the_whole_intent(void **state)
{
    struct payment_result result = read_body(
        PAYMENT_RETRIEVE, 200,
        "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":1999,\"amount_received\":1998,"
        "\"currency\":\"eur\",\"status\":\"requires_payment_method\",\"created\":1700000000,"
        "\"metadata\":{\"order_id\":\"ord_1\"},\"last_payment_error\":{\"code\":\"card_declined\","
        "\"decline_code\":\"lost_card\"}}");

    (void)state;
    assert_int_equal(result.verdict, PAYMENT_STATE);
    assert_string_equal(result.intent.id, "pi_1");
    assert_int_equal(result.intent.status, INTENT_REQUIRES_PAYMENT_METHOD);
    assert_int_equal(result.intent.amount, 1999);
    assert_int_equal(result.intent.amount_received, 1998);
    assert_string_equal(result.intent.currency, "EUR");
    assert_string_equal(result.intent.order, "ord_1");
    assert_string_equal(result.intent.decline.code, "lost_card");
    assert_string_equal(result.intent.decline.reason, "fraud_suspected");
    assert_int_equal(result.intent.created, 1700000000);
}

static void a_decline_says_what_the_customer_can_do(void **state)
{
    struct payment_result result;

    (void)state;
    result = read_body(
        PAYMENT_CONFIRM, 402,
        ERROR("\"code\":\"incorrect_cvc\",\"payment_intent\":" INTENT("requires_payment_method")));
    assert_string_equal(result.decline.reason, "card_details_wrong");
    assert_true(result.decline.retry_same_card && result.decline.try_another_card);
    assert_string_equal(result.intent.id, "pi_1");
    result = read_body(PAYMENT_CONFIRM, 402,
                       ERROR("\"code\":\"card_declined\",\"decline_code\":\"generic_decline\","
                             "\"advice_code\":\"try_again_later\""));
    assert_string_equal(result.decline.reason, "card_declined");
    assert_true(result.decline.retry_same_card);
    result = read_body(PAYMENT_CONFIRM, 402,
                       ERROR("\"decline_code\":\"insufficient_funds\","
                             "\"advice_code\":\"do_not_try_again\""));
    assert_string_equal(result.decline.reason, "insufficient_funds");
    assert_false(result.decline.retry_same_card);
    result = read_body(PAYMENT_CONFIRM, 402, ERROR("\"decline_code\":\"stolen_card\""));
    assert_string_equal(result.decline.reason, "fraud_suspected");
    assert_false(result.decline.retry_same_card);
    result = read_body(PAYMENT_CONFIRM, 402, ERROR("\"decline_code\":\"of_next_year\""));
    assert_string_equal(result.decline.reason, "other");
    assert_true(!result.decline.retry_same_card && result.decline.try_another_card);
    result = read_body(PAYMENT_CONFIRM, 402, ERROR(""));
    assert_string_equal(result.decline.reason, "other");
}

#define ASKING(next_action)                                                                        \
    "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":1,\"currency\":\"eur\","            \
    "\"status\":\"requires_action\",\"client_secret\":\"pi_1_secret_2\",\"next_"                   \
    "action\":" next_action "}"

static void what_the_front_end_needs_is_taken_from_the_intent(void **state)
{
    static const struct {
        const char *told, *wanted;
    } actions[] = {
        {"null", ""},
        {"{}", ""},
        {"{\"type\":\"Redirect\"}", ""},
        {"{\"type\":\"use_stripe_sdk\",\"use_stripe_sdk\":{}}",
         "{\"type\":\"use_stripe_sdk\",\"client_secret\":\"pi_1_secret_2\"}"},
        {"{\"type\":\"redirect_to_url\",\"redirect_to_url\":{\"url\":\"https://b/?a=\\\"\"}}",
         "{\"type\":\"redirect_to_url\",\"url\":\"https://b/?a=\\\"\","
         "\"client_secret\":\"pi_1_secret_2\"}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        char body[1024];

        snprintf(body, sizeof(body), ASKING("%s"), actions[i].told);
        assert_string_equal(read_body(PAYMENT_RETRIEVE, 200, body).intent.next_action,
                            actions[i].wanted);
    }
}

static void a_fault_holds_no_secret(void **state)
{
    struct payment_result result = read_body(
        PAYMENT_CREATE, 401,
        ERROR("\"message\":\"Invalid key sk_live_abcdef1234567890 for 4242424242424242\""));

    (void)state;
    assert_null(strstr(result.fault.text, "abcdef"));
    assert_null(strstr(result.fault.text, "4242"));
}

static void another_amount_or_order_is_an_integrity_failure(void **state)
{
    struct payment_intent intent = {.id = "pi_1",
                                    .status = INTENT_SUCCEEDED,
                                    .amount = 5,
                                    .amount_received = 5,
                                    .currency = "EUR",
                                    .order = "ord_1"};
    struct fault fault = {0};

    (void)state;
    assert_true(payment_intent_agrees(&intent, "ord_1", 5, "EUR", &fault));
    assert_false(payment_intent_agrees(&intent, "ord_2", 5, "EUR", &fault));
    assert_string_equal(fault.code, "integrity_failure");
    assert_false(payment_intent_agrees(&intent, "ord_1", 6, "EUR", &fault));
    assert_false(payment_intent_agrees(&intent, "ord_1", 5, "USD", &fault));
    intent.amount_received = 4;
    assert_false(payment_intent_agrees(&intent, "ord_1", 5, "EUR", &fault));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_means_what_the_table_says),
        cmocka_unit_test(a_refund_is_found_by_our_own_name_for_it),
        cmocka_unit_test(what_should_be_retried_did_nothing_unless_it_failed_inside),
        cmocka_unit_test(a_state_carries_the_whole_intent),
        cmocka_unit_test(a_decline_says_what_the_customer_can_do),
        cmocka_unit_test(what_the_front_end_needs_is_taken_from_the_intent),
        cmocka_unit_test(a_fault_holds_no_secret),
        cmocka_unit_test(another_amount_or_order_is_an_integrity_failure),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
