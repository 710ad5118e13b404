/* What the carrier is asked, and what its answers mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tests/base/http/rude_server.h"
#include "workers/carriers/http_carrier.h"

#include <cmocka.h> /* last: its fail() would hide ours */

#define SHIPMENT(reference)                                                                        \
    "{\"id\":\"shp_1\",\"reference\":\"" reference "\",\"tracking\":\"T1\",\"status\":"            \
    "\"created\"}"
#define ERROR(code, permanent)                                                                     \
    "{\"error\":{\"code\":\"" code "\",\"message\":\"m\",\"permanent\":" permanent "}}"

static const struct row {
    const char *name;
    enum carrier_operation operation;
    int status;
    const char *body;
    enum carrier_verdict verdict;
    const char *code; /* of the fault */
} rows[] = {
    {"made", CARRIER_SHIP, 201, SHIPMENT("r-1"), CARRIER_SHIPPED, ""},
    {"there already", CARRIER_SHIP, 200, SHIPMENT("r-1"), CARRIER_SHIPPED, ""},
    {"another one", CARRIER_SHIP, 201, SHIPMENT("r-2"), CARRIER_UNKNOWN, "answer_for_another"},
    {"torn", CARRIER_SHIP, 201, "{\"id\":\"sh", CARRIER_UNKNOWN, "answer_unreadable"},
    {"no id", CARRIER_SHIP, 201, "{\"reference\":\"r-1\"}", CARRIER_UNKNOWN, "answer_unreadable"},
    {"found", CARRIER_LOOK_UP, 200, "{\"data\":[" SHIPMENT("r-1") "]}", CARRIER_SHIPPED, ""},
    {"none", CARRIER_LOOK_UP, 200, "{\"data\":[]}", CARRIER_NONE, ""},
    {"two", CARRIER_LOOK_UP, 200, "{\"data\":[" SHIPMENT("r-1") "," SHIPMENT("r-1") "]}",
     CARRIER_BROKEN, "shipped_twice"},
    {"found another", CARRIER_LOOK_UP, 200, "{\"data\":[" SHIPMENT("r-2") "]}", CARRIER_TRANSIENT,
     "answer_for_another"},
    {"no list", CARRIER_LOOK_UP, 200, "{}", CARRIER_TRANSIENT, "answer_unreadable"},
    {"empty answer", CARRIER_LOOK_UP, 200, "", CARRIER_TRANSIENT, "answer_unreadable"},
    {"no such page", CARRIER_LOOK_UP, 404, "", CARRIER_BROKEN, "carrier_404"},
    {"refused", CARRIER_SHIP, 422, ERROR("address_undeliverable", "true"), CARRIER_REFUSED,
     "address_undeliverable"},
    {"refused for now", CARRIER_SHIP, 422, ERROR("depot_closed", "false"), CARRIER_TRANSIENT,
     "depot_closed"},
    {"refused how?", CARRIER_SHIP, 422, "", CARRIER_BROKEN, "carrier_422"},
    {"other content", CARRIER_SHIP, 409, ERROR("reference_conflict", "true"), CARRIER_BROKEN,
     "reference_conflict"},
    {"in flight", CARRIER_SHIP, 409, ERROR("in_flight", "false"), CARRIER_TRANSIENT, "in_flight"},
    {"too many", CARRIER_SHIP, 429, "", CARRIER_TRANSIENT, "carrier_429"},
    {"500", CARRIER_SHIP, 500, ERROR("oops", "true"), CARRIER_UNKNOWN, "carrier_500"},
    {"504", CARRIER_SHIP, 504, "<html>", CARRIER_UNKNOWN, "carrier_504"},
    {"500 to a read", CARRIER_LOOK_UP, 500, "", CARRIER_TRANSIENT, "carrier_500"},
    {"bad key", CARRIER_SHIP, 401, ERROR("unauthorized", "true"), CARRIER_BROKEN, "unauthorized"},
    {"bad body", CARRIER_SHIP, 400, "", CARRIER_BROKEN, "carrier_400"},
    {"elsewhere", CARRIER_SHIP, 301, "", CARRIER_BROKEN, "carrier_redirects"},
};

static void each_answer_means_what_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct http_carrier_answer answer = {rows[i].operation, "r-1", rows[i].status,
                                                   rows[i].body, strlen(rows[i].body)};
        struct carrier_result result = {.retry_after_ms = 7};
        bool is_good;

        http_carrier_read_answer(&answer, &result);
        is_good = result.verdict == CARRIER_SHIPPED || result.verdict == CARRIER_NONE;
        if (result.verdict != rows[i].verdict || strcmp(result.fault.code, rows[i].code) != 0)
            fail_msg("%s: %s (%s), not %s (%s)", rows[i].name, carrier_verdict_name(result.verdict),
                     result.fault.code, carrier_verdict_name(rows[i].verdict), rows[i].code);
        assert_int_equal(result.fault.kind == FAULT_NONE, is_good);
        assert_string_equal(result.shipment, result.verdict == CARRIER_SHIPPED ? "shp_1" : "");
        assert_int_equal(result.retry_after_ms, 7);
    }
}

static const struct carrier_line lines[] = {{"mug \"blue\"", 2}, {"tee", 1}};

static struct carrier_call shipment(void)
{
    return (struct carrier_call){
        .operation = CARRIER_SHIP,
        .reference = "r-1",
        .order = "ord_1",
        .key = "k-1",
        .method = "standard",
        .name = "Ada",
        .address = "{\"line1\": \"Street 1\", \"country\": \"DE\"}",
        .lines = lines,
        .line_count = ARRAY_SIZE(lines),
    };
}

static void asks_with_the_carriers_json(void **state)
{
    struct carrier_call call = shipment();
    struct text text;
    struct fault fault = {0};

    (void)state;
    text_init(&text, 1024);
    http_carrier_add_path(&text, &call);
    assert_string_equal(text.bytes, "/shipments");
    text_clear(&text);
    assert_true(http_carrier_add_body(&text, &call, &fault));
    assert_string_equal(text.bytes,
                        "{\"reference\":\"r-1\",\"order\":\"ord_1\",\"lines\":[{\"sku\":"
                        "\"mug \\\"blue\\\"\",\"quantity\":2},{\"sku\":\"tee\",\"quantity\":1}],"
                        "\"method\":\"standard\",\"address\":{\"line1\":\"Street 1\","
                        "\"country\":\"DE\"},\"name\":\"Ada\"}");
    text_clear(&text);
    call.operation = CARRIER_LOOK_UP;
    call.reference = "r 1&x";
    http_carrier_add_path(&text, &call);
    assert_string_equal(text.bytes, "/shipments?reference=r%201%26x");
    text_finish(&text);
}

static void refuses_an_address_that_is_none(void **state)
{
    struct carrier_call call = shipment();
    struct text text;
    struct fault fault = {0};

    (void)state;
    text_init(&text, 1024);
    call.address = "Street 1";
    assert_false(http_carrier_add_body(&text, &call, &fault));
    assert_string_equal(fault.code, "address_unreadable");
    assert_null(strstr(fault.text, "Street"));
    call.address = "[]";
    assert_false(http_carrier_add_body(&text, &call, &fault));
    call = shipment();
    call.name = "\xff";
    assert_false(http_carrier_add_body(&text, &call, &fault));
    text_finish(&text);
}

/* --- over the wire --------------------------------------------------------------------------- */

struct scene {
    uv_loop_t loop;
    struct rude_server server;
    struct http_client *client;
};

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

static void on_done(struct carrier_call *call)
{
    call->on_done = NULL;
}

static enum carrier_verdict must_call(struct scene *scene, const char *path,
                                      struct carrier_call *call)
{
    struct http_carrier_options options = {.key = "c-1", .connect_ms = 2000, .total_ms = 2000};
    char url[128];
    struct carrier *carrier;

    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s?x=", scene->server.port, path);
    options.base_url = url;
    carrier = http_carrier_create(scene->client, &options);
    call->on_done = on_done;
    carrier->start(carrier, call);
    assert_non_null(call->on_done);
    while (call->on_done)
        uv_run(&scene->loop, UV_RUN_NOWAIT);
    carrier->destroy(carrier);
    return call->result.verdict;
}

static void sends_key_and_json(void **state)
{
    struct scene *scene = *state;
    struct carrier_call call = shipment();

    must_call(scene, "/ok", &call);
    assert_int_equal(call.outside.status, 200);
    assert_non_null(strstr(scene->server.last, "\r\nAuthorization: Bearer c-1\r\n"));
    assert_non_null(strstr(scene->server.last, "\r\nIdempotency-Key: k-1\r\n"));
    assert_non_null(strstr(scene->server.last, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(scene->server.last, "\r\n\r\n{\"reference\":\"r-1\""));
}

static void no_answer_is_unknown_but_to_a_look_up(void **state)
{
    struct carrier_call call = shipment();

    assert_int_equal(must_call(*state, "/torn", &call), CARRIER_UNKNOWN);
    call.operation = CARRIER_LOOK_UP;
    assert_int_equal(must_call(*state, "/torn", &call), CARRIER_TRANSIENT);
}

static void what_cannot_be_asked_is_broken_and_unsent(void **state)
{
    struct scene *scene = *state;
    struct carrier_call call = shipment();

    call.address = "none";
    assert_int_equal(must_call(scene, "/ok", &call), CARRIER_BROKEN);
    call = shipment();
    call.key = "";
    assert_int_equal(must_call(scene, "/ok", &call), CARRIER_BROKEN);
    assert_int_equal(scene->server.connections, 0);
}

#define WIRE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_means_what_the_table_says),
        cmocka_unit_test(asks_with_the_carriers_json),
        cmocka_unit_test(refuses_an_address_that_is_none),
        WIRE(sends_key_and_json),
        WIRE(no_answer_is_unknown_but_to_a_look_up),
        WIRE(what_cannot_be_asked_is_broken_and_unsent),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
