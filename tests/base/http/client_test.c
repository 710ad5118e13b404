/* The client against a server that misbehaves, on one loop: what it says must be what happened. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/http/client.h"
#include "base/memory.h"
#include "tests/base/http/asker.h"

#include <cmocka.h> /* last: its fail() would hide ours */

static void gives_the_whole_answer(void **state)
{
    struct scene *scene = *state;
    struct asked asked = must_ask(scene, "/ok");

    expect_answer(&asked);
    assert_non_null(strstr(scene->server.last, "\r\n\r\na=1"));
    assert_null(strstr(scene->server.last, "Expect"));
}

static void reads_what_the_headers_wish(void **state)
{
    struct asked asked = must_ask(*state, "/headers");

    assert_int_equal(asked.call.outcome, HTTP_CALL_ANSWERED);
    assert_int_equal(asked.call.status, 429);
    assert_int_equal(asked.call.retry_after_ms, 7000);
    assert_true(asked.call.should_retry);
    assert_false(asked.call.should_not_retry);
    assert_string_equal(asked.call.request_id, "req_1");
}

static void follows_no_redirect(void **state)
{
    struct scene *scene = *state;
    struct asked asked = must_ask(scene, "/redirect");

    assert_int_equal(asked.call.outcome, HTTP_CALL_ANSWERED);
    assert_int_equal(asked.call.status, 302);
    assert_int_equal(scene->server.requests, 1);
}

static void uses_a_connection_again(void **state)
{
    struct scene *scene = *state;

    must_ask(scene, "/ok");
    must_ask(scene, "/ok");
    assert_int_equal(scene->server.requests, 2);
    assert_int_equal(scene->server.connections, 1);
}

/* --- never twice ----------------------------------------------------------------------------- */

static void sends_a_post_once_when_a_kept_connection_dies(void **state)
{
    struct scene *scene = *state;
    struct asked asked;

    must_ask(scene, "/ok");
    asked = must_ask(scene, "/die");
    assert_int_equal(scene->server.requests, 2);
    assert_int_equal(asked.call.outcome, HTTP_CALL_UNKNOWN);
    assert_string_equal(asked.call.fault.code, "connection_lost");
}

static void sends_a_post_without_body_once_when_a_kept_connection_dies(void **state)
{
    struct scene *scene = *state;
    struct asked asked = {0};

    must_ask(scene, "/ok");
    ask(&asked, scene, "POST", "/die");
    wait_for_all(scene);
    assert_int_equal(scene->server.requests, 2);
    assert_int_equal(asked.call.outcome, HTTP_CALL_UNKNOWN);
    assert_string_equal(asked.call.fault.code, "connection_lost");
}

static void sends_a_post_once_when_a_kept_connection_is_reset(void **state)
{
    struct scene *scene = *state;
    struct asked asked;

    must_ask(scene, "/ok");
    asked = must_ask(scene, "/reset");
    assert_int_equal(scene->server.requests, 2);
    assert_int_equal(asked.call.outcome, HTTP_CALL_UNKNOWN);
}

static void replaces_an_idle_connection_that_was_closed(void **state)
{
    struct scene *scene = *state;
    struct asked asked;

    must_ask(scene, "/ok_then_close");
    asked = must_ask(scene, "/ok");
    expect_answer(&asked);
    assert_int_equal(scene->server.requests, 2);
    assert_int_equal(scene->server.connections, 2);
}

/* --- sent, and no whole answer --------------------------------------------------------------- */

static void closing_without_an_answer_is_unknown(void **state)
{
    expect_unknown(*state, "/die", "connection_lost");
}

static void a_reset_after_sending_is_unknown(void **state)
{
    expect_unknown(*state, "/reset", "connection_lost");
}

static void a_torn_answer_is_unknown(void **state)
{
    expect_unknown(*state, "/torn", "answer_torn");
}

static void an_answer_without_a_length_is_unknown(void **state)
{
    expect_unknown(*state, "/unframed", "answer_unframed");
}

static void an_answer_over_the_limit_is_unknown(void **state)
{
    expect_unknown(*state, "/huge", "answer_too_large");
}

static void an_answer_that_is_no_http_is_unknown(void **state)
{
    expect_unknown(*state, "/junk", "answer_malformed");
}

static void a_drip_beyond_the_deadline_is_unknown(void **state)
{
    struct scene *scene = *state;
    struct asked asked = {.call = {.connect_ms = 100, .total_ms = 100}};
    uint64_t before = uv_hrtime();

    ask(&asked, scene, "POST", "/drip");
    wait_for_all(scene);
    assert_int_equal(asked.call.outcome, HTTP_CALL_UNKNOWN);
    assert_string_equal(asked.call.fault.code, "timed_out");
    assert_in_range((uv_hrtime() - before) / 1000000, 95, 2000);
}

static void an_answer_before_a_reset_is_an_answer(void **state)
{
    struct asked asked = must_ask(*state, "/whole_then_reset");

    expect_answer(&asked);
}

/* --- names and numbers ----------------------------------------------------------------------- */

static void looks_a_name_up(void **state)
{
    struct scene *scene = *state;
    struct asked asked = {0};
    char url[128];

    snprintf(url, sizeof(url), "http://localhost:%d/ok", scene->server.port);
    ask_at(&asked, scene, "GET", url);
    wait_for_all(scene);
    expect_answer(&asked);
}

static int threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;

    while (readdir(tasks))
        count++;
    closedir(tasks);
    return count - 2; /* . and .. */
}

static void release_when_all_are_held(struct rude_server *server)
{
    if (server->held == MANY)
        rude_release(server);
}

static void holds_hundreds_of_calls_open_without_a_thread(void **state)
{
    struct scene *scene = *state;
    struct asked *asked = xcalloc(MANY, sizeof(*asked));
    int before = threads();

    scene->server.on_held = release_when_all_are_held;
    for (int i = 0; i < MANY; i++)
        ask(&asked[i], scene, "POST", "/hold");
    assert_int_equal(http_client_open_calls(scene->client), MANY);
    wait_for_all(scene);
    for (int i = 0; i < MANY; i++)
        expect_answer(&asked[i]);
    assert_int_equal(scene->server.requests, MANY);
    assert_int_equal(threads(), before);
    free(asked);
}

static void an_abandoned_call_is_told_by_its_evidence(void **state)
{
    struct scene *scene = *state;
    struct asked sent = {0}, waiting = {0};

    use_connections(scene, 1);
    ask(&sent, scene, "POST", "/hold");
    ask(&waiting, scene, "POST", "/ok");
    while (scene->server.held == 0)
        uv_run(&scene->loop, UV_RUN_NOWAIT);
    http_client_abandon(scene->client);
    assert_int_equal(sent.done, 0);
    wait_for_all(scene);
    assert_int_equal(sent.call.outcome, HTTP_CALL_UNKNOWN);
    assert_string_equal(sent.call.fault.code, "abandoned");
    expect_not_sent(&waiting, "abandoned");
    assert_int_equal(scene->server.requests, 1);
}

static void destroy_client(struct http_call *call)
{
    struct asked *asked = container_of(call, struct asked, call);

    asker_on_done(call);
    http_client_destroy(asked->scene->client);
    asked->scene->client = http_client_create(&asked->scene->loop,
                                              &(struct http_client_options){.connections_max = 1});
}

static void the_last_answer_may_destroy_the_client(void **state)
{
    struct scene *scene = *state;
    struct asked asked = {0};

    ask(&asked, scene, "POST", "/ok");
    asked.call.on_done = destroy_client;
    wait_for_all(scene);
    expect_answer(&asked);
}

static void raise_open_files(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(gives_the_whole_answer),
        CASE(reads_what_the_headers_wish),
        CASE(follows_no_redirect),
        CASE(uses_a_connection_again),
        CASE(sends_a_post_once_when_a_kept_connection_dies),
        CASE(sends_a_post_without_body_once_when_a_kept_connection_dies),
        CASE(sends_a_post_once_when_a_kept_connection_is_reset),
        CASE(replaces_an_idle_connection_that_was_closed),
        CASE(closing_without_an_answer_is_unknown),
        CASE(a_reset_after_sending_is_unknown),
        CASE(a_torn_answer_is_unknown),
        CASE(an_answer_without_a_length_is_unknown),
        CASE(an_answer_over_the_limit_is_unknown),
        CASE(an_answer_that_is_no_http_is_unknown),
        CASE(a_drip_beyond_the_deadline_is_unknown),
        CASE(an_answer_before_a_reset_is_an_answer),
        CASE(looks_a_name_up),
        CASE(holds_hundreds_of_calls_open_without_a_thread),
        CASE(an_abandoned_call_is_told_by_its_evidence),
        CASE(the_last_answer_may_destroy_the_client),
    };

    raise_open_files();
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
