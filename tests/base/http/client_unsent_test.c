/* What the client never sent, it says so: nothing can have happened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "tests/base/http/asker.h"

#include <cmocka.h> /* last: its fail() would hide ours */

static void a_refused_connection_is_not_sent(void **state)
{
    struct scene *scene = *state;
    struct asked asked = {0};

    uv_close((uv_handle_t *)&scene->server.tcp, NULL);
    uv_run(&scene->loop, UV_RUN_NOWAIT);
    ask(&asked, scene, "POST", "/ok");
    wait_for_all(scene);
    expect_not_sent(&asked, "connect_failed");
    assert_int_equal(asked.call.fault.kind, FAULT_TRANSIENT);
    rude_open(&scene->server, &scene->loop);
}

static void a_handshake_that_never_ends_is_not_sent(void **state)
{
    struct scene *scene = *state;
    struct asked asked = {.call = {.connect_ms = 60, .total_ms = 5000}};
    char url[128];

    scene->server.silent = true;
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/ok", scene->server.port);
    ask_at(&asked, scene, "POST", url);
    wait_for_all(scene);
    expect_not_sent(&asked, "connect_timeout");
}

static void a_url_that_is_none_is_not_sent(void **state)
{
    struct scene *scene = *state;
    struct asked asked = {0}, other = {0};

    ask_at(&asked, scene, "POST", "ftp://127.0.0.1/x");
    ask_at(&other, scene, "POST", "no url");
    wait_for_all(scene);
    expect_not_sent(&asked, "url_invalid");
    expect_not_sent(&other, "url_invalid");
    assert_int_equal(asked.call.fault.kind, FAULT_BROKEN);
}

static bool may_not_send(struct http_call *call)
{
    container_of(call, struct asked, call)->may_send_asked++;
    return false;
}

static void sends_nothing_when_its_owner_may_not(void **state)
{
    struct scene *scene = *state;
    struct asked asked = {.call = {.may_send = may_not_send, .body = "a=1", .body_length = 3}};

    ask(&asked, scene, "POST", "/ok");
    wait_for_all(scene);
    expect_not_sent(&asked, "call_withheld");
    assert_int_equal(asked.may_send_asked, 1);
    asked = must_ask(scene, "/ok"); /* whatever was on its way has arrived before this */
    expect_answer(&asked);
    assert_int_equal(scene->server.requests, 1);
    assert_int_equal(scene->server.bytes, strlen(scene->server.last));
}

static void a_call_without_a_free_connection_meets_its_deadline(void **state)
{
    struct scene *scene = *state;
    struct asked first = {0}, second = {.call = {.connect_ms = 50, .total_ms = 5000}};

    use_connections(scene, 1);
    ask(&first, scene, "POST", "/hold");
    ask(&second, scene, "POST", "/ok");
    while (!second.done)
        uv_run(&scene->loop, UV_RUN_DEFAULT);
    expect_not_sent(&second, "connect_timeout");
    assert_int_equal(scene->server.requests, 1);
    rude_release(&scene->server);
    wait_for_all(scene);
    expect_answer(&first);
}

static void a_call_takes_the_connection_that_gets_free(void **state)
{
    struct scene *scene = *state;
    struct asked first = {0}, second = {0};

    use_connections(scene, 1);
    ask(&first, scene, "POST", "/ok");
    ask(&second, scene, "POST", "/ok");
    wait_for_all(scene);
    expect_answer(&first);
    expect_answer(&second);
    assert_int_equal(scene->server.connections, 1);
}

static void a_name_that_is_none_is_not_sent(void **state)
{
    struct scene *scene = *state;
    struct asked asked = {.call = {.connect_ms = 3000, .total_ms = 3000}};

    ask_at(&asked, scene, "POST", "http://name.invalid/x");
    wait_for_all(scene);
    assert_int_equal(asked.call.outcome, HTTP_CALL_NOT_SENT);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(a_refused_connection_is_not_sent),
        CASE(a_handshake_that_never_ends_is_not_sent),
        CASE(a_url_that_is_none_is_not_sent),
        CASE(sends_nothing_when_its_owner_may_not),
        CASE(a_call_without_a_free_connection_meets_its_deadline),
        CASE(a_call_takes_the_connection_that_gets_free),
        CASE(a_name_that_is_none_is_not_sent),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
