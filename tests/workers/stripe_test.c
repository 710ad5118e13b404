/* What Stripe is asked, and how: the form, the key, and what is not sent at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tests/base/http/rude_server.h"
#include "workers/providers/stripe.h"

#include <cmocka.h> /* last: its fail() would hide ours */

/* --- what it is asked ------------------------------------------------------------------------ */

static void expect_request(const struct payment_call *call, const char *path, const char *form)
{
    struct text text;
    struct fault fault = {0};

    text_init(&text, 1024);
    stripe_add_path(&text, call);
    assert_string_equal(text.bytes, path);
    text_clear(&text);
    assert_true(stripe_add_form(&text, call, false, &fault));
    assert_string_equal(text.bytes, form);
    text_finish(&text);
}

static void asks_with_stripes_forms(void **state)
{
    struct payment_call call = {
        .operation = PAYMENT_CREATE,
        .order = "ord_1",
        .amount = 1999,
        .currency = "EUR",
        .method = "pm_a&b",
        .intent = "pi_1/../x",
        .refund = "ord_1-2",
    };

    (void)state;
    expect_request(&call, "/v1/payment_intents",
                   "amount=1999&currency=eur&payment_method=pm_a%26b&payment_method_types[0]=card&"
                   "capture_method=automatic&confirm=false&metadata[order_id]=ord_1");
    call.operation = PAYMENT_CONFIRM;
    expect_request(&call, "/v1/payment_intents/pi_1%2F..%2Fx/confirm", "payment_method=pm_a%26b");
    call.method = NULL;
    expect_request(&call, "/v1/payment_intents/pi_1%2F..%2Fx/confirm", "");
    call.operation = PAYMENT_CANCEL;
    expect_request(&call, "/v1/payment_intents/pi_1%2F..%2Fx/cancel", "");
    call.operation = PAYMENT_RETRIEVE;
    expect_request(&call, "/v1/payment_intents/pi_1%2F..%2Fx", "");
    call.operation = PAYMENT_CAPTURE;
    expect_request(&call, "/v1/payment_intents/pi_1%2F..%2Fx/capture", "amount_to_capture=1999");
    call.operation = PAYMENT_REFUND;
    expect_request(&call, "/v1/refunds",
                   "payment_intent=pi_1%2F..%2Fx&metadata[order_id]=ord_1&"
                   "metadata[refund_id]=ord_1-2&amount=1999");
    call.operation = PAYMENT_REFUNDS;
    expect_request(&call, "/v1/refunds?limit=100&payment_intent=pi_1%2F..%2Fx", "");
}

static void expect_amount(const char *currency, int64_t minor, int64_t amount)
{
    int64_t to = -1, from = -1;

    assert_true(stripe_amount_to(currency, minor, &to));
    assert_int_equal(to, amount);
    assert_true(stripe_amount_from(currency, amount, &from));
    assert_int_equal(from, minor);
}

static void keeps_the_value_where_exponents_differ(void **state)
{
    int64_t amount;

    (void)state;
    expect_amount("EUR", 1999, 1999);
    expect_amount("JPY", 500, 500);
    expect_amount("ISK", 5, 500);
    expect_amount("MGA", 500, 5);
    expect_amount("KWD", 5120, 5120);
    assert_false(stripe_amount_to("KWD", 5124, &amount));
    assert_false(stripe_amount_to("MGA", 501, &amount));
    assert_false(stripe_amount_to("UGX", 500, &amount));
    assert_false(stripe_amount_to("ISK", INT64_MAX, &amount));
    assert_false(stripe_amount_from("ISK", 550, &amount));
    assert_false(stripe_amount_from("UGX", 500, &amount));
}

/* --- over the wire --------------------------------------------------------------------------- */

struct scene {
    uv_loop_t loop;
    struct rude_server server;
    struct http_client *client;
};

static void on_done(struct payment_call *call)
{
    call->on_done = NULL;
}

/* One call to a server that answers as `path` says. */
static struct payment_result must_call(struct scene *scene, const char *path,
                                       struct payment_call *call)
{
    struct stripe_options options = {.key = "sk_test_1", .connect_ms = 2000, .total_ms = 2000};
    char url[128];
    struct provider *stripe;

    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s?x=", scene->server.port, path);
    options.base_url = url;
    stripe = stripe_create(scene->client, &options);
    call->on_done = on_done;
    call->intent = "pi_1";
    stripe->start(stripe, call);
    assert_non_null(call->on_done);
    while (call->on_done)
        uv_run(&scene->loop, UV_RUN_NOWAIT);
    stripe->destroy(stripe);
    return call->result;
}

static int set_up(void **state)
{
    struct scene *scene = xcalloc(1, sizeof(*scene));

    uv_loop_init(&scene->loop);
    rude_open(&scene->server, &scene->loop);
    scene->client =
        http_client_create(&scene->loop, &(struct http_client_options){.connections_max = 4});
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    http_client_destroy(scene->client);
    rude_close(&scene->server);
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
    free(scene);
    return 0;
}

static void sends_key_and_form(void **state)
{
    struct scene *scene = *state;
    struct payment_call call = {.operation = PAYMENT_CONFIRM, .key = "k-1", .method = "pm_1"};

    must_call(scene, "/ok", &call);
    assert_int_equal(call.outside.status, 200);
    assert_non_null(strstr(scene->server.last, "\r\nAuthorization: Bearer sk_test_1\r\n"));
    assert_non_null(strstr(scene->server.last, "\r\nIdempotency-Key: k-1\r\n"));
    assert_non_null(strstr(scene->server.last, "\r\n\r\npayment_method=pm_1"));
}

static void no_answer_is_unknown_but_to_a_read(void **state)
{
    struct payment_call confirm = {.operation = PAYMENT_CONFIRM, .key = "k-1"};
    struct payment_call read = {.operation = PAYMENT_RETRIEVE};
    struct payment_result result = must_call(*state, "/die", &confirm);

    assert_int_equal(result.verdict, PAYMENT_UNKNOWN);
    assert_string_equal(result.fault.code, "connection_lost");
    result = must_call(*state, "/die", &read);
    assert_int_equal(result.verdict, PAYMENT_TRANSIENT);
    assert_int_equal(result.fault.kind, FAULT_TRANSIENT);
}

static bool may_not_send(struct payment_call *call)
{
    (void)call;
    return false;
}

static void a_withheld_call_did_nothing(void **state)
{
    struct scene *scene = *state;
    struct payment_call call = {
        .operation = PAYMENT_CONFIRM, .key = "k-1", .may_send = may_not_send};
    struct payment_result result = must_call(scene, "/ok", &call);

    assert_int_equal(result.verdict, PAYMENT_TRANSIENT);
    assert_string_equal(result.fault.code, "call_withheld");
    assert_int_equal(scene->server.bytes, 0);
}

static void what_cannot_be_asked_is_broken_and_unsent(void **state)
{
    struct scene *scene = *state;
    struct payment_call no_key = {.operation = PAYMENT_CONFIRM, .key = "two lines\r\n"};
    struct payment_call amount = {.operation = PAYMENT_CREATE,
                                  .key = "k-1",
                                  .amount = 1,
                                  .currency = "UGX",
                                  .method = "pm_1",
                                  .order = "ord_1"};
    struct payment_result result = must_call(scene, "/ok", &no_key);

    assert_int_equal(result.verdict, PAYMENT_BROKEN);
    assert_string_equal(result.fault.code, "idempotency_key_unsound");
    result = must_call(scene, "/ok", &amount);
    assert_int_equal(result.verdict, PAYMENT_BROKEN);
    assert_string_equal(result.fault.code, "amount_not_expressible");
    assert_int_equal(scene->server.connections, 0);
}

#define WIRE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_with_stripes_forms),
        cmocka_unit_test(keeps_the_value_where_exponents_differ),
        WIRE(sends_key_and_form),
        WIRE(no_answer_is_unknown_but_to_a_read),
        WIRE(a_withheld_call_did_nothing),
        WIRE(what_cannot_be_asked_is_broken_and_unsent),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
