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
#include "tests/base/http/rude_server.h"

#include <cmocka.h> /* last: its fail() would hide ours */

enum { DEADLINE_MS = 8000, MANY = 600 };

struct scene {
    uv_loop_t loop;
    uv_timer_t deadline;
    struct rude_server server;
    struct http_client *client;
    int waited_for; /* calls that are not done */
};

struct asked {
    struct http_call call;
    struct scene *scene;
    char url[128];
    char answer[64];
    int done, may_send_asked;
    bool is_sending;
};

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("the awaited event did not come within %d ms", DEADLINE_MS);
}

static int set_up(void **state)
{
    struct scene *scene = xcalloc(1, sizeof(*scene));
    struct http_client_options options = {.connections_max = MANY};

    uv_loop_init(&scene->loop);
    uv_timer_init(&scene->loop, &scene->deadline);
    uv_timer_start(&scene->deadline, on_deadline, DEADLINE_MS, 0);
    rude_open(&scene->server, &scene->loop);
    scene->client = http_client_create(&scene->loop, &options);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(http_client_open_calls(scene->client), 0);
    http_client_destroy(scene->client);
    rude_close(&scene->server);
    uv_close((uv_handle_t *)&scene->deadline, NULL);
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
    free(scene);
    return 0;
}

static void use_connections(struct scene *scene, int most)
{
    struct http_client_options options = {.connections_max = most};

    http_client_destroy(scene->client);
    scene->client = http_client_create(&scene->loop, &options);
}

static void on_done(struct http_call *call)
{
    struct asked *asked = container_of(call, struct asked, call);

    assert_false(asked->is_sending);
    asked->done++;
    snprintf(asked->answer, sizeof(asked->answer), "%s", call->answer);
    asked->scene->waited_for--;
    uv_stop(&asked->scene->loop);
}

static void ask_at(struct asked *asked, struct scene *scene, const char *method, const char *url)
{
    asked->scene = scene;
    snprintf(asked->url, sizeof(asked->url), "%s", url);
    asked->call.method = method;
    asked->call.url = asked->url;
    asked->call.on_done = on_done;
    asked->call.point = "test";
    if (asked->call.total_ms == 0)
        asked->call.connect_ms = asked->call.total_ms = 5000;
    scene->waited_for++;
    asked->is_sending = true;
    http_client_send(scene->client, &asked->call);
    asked->is_sending = false;
}

static void ask(struct asked *asked, struct scene *scene, const char *method, const char *path)
{
    char url[128];

    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", scene->server.port, path);
    ask_at(asked, scene, method, url);
}

static void wait_for_all(struct scene *scene)
{
    while (scene->waited_for > 0)
        uv_run(&scene->loop, UV_RUN_DEFAULT);
}

/* One POST with a body to `path`, seen through. */
static struct asked must_ask(struct scene *scene, const char *path)
{
    static struct asked asked;

    asked = (struct asked){.call = {.body = "a=1", .body_length = 3}};
    ask(&asked, scene, "POST", path);
    wait_for_all(scene);
    assert_int_equal(asked.done, 1);
    return asked;
}

static void expect_unknown(struct scene *scene, const char *path, const char *code)
{
    struct asked asked = must_ask(scene, path);

    assert_int_equal(asked.call.outcome, HTTP_CALL_UNKNOWN);
    assert_int_equal(asked.call.fault.kind, FAULT_UNKNOWN);
    assert_string_equal(asked.call.fault.code, code);
    assert_int_equal(scene->server.requests, 1);
}

static void expect_not_sent(const struct asked *asked, const char *code)
{
    assert_int_equal(asked->done, 1);
    assert_int_equal(asked->call.outcome, HTTP_CALL_NOT_SENT);
    assert_string_equal(asked->call.fault.code, code);
}

static void expect_answer(const struct asked *asked)
{
    assert_string_equal(asked->call.fault.text, "");
    assert_int_equal(asked->call.outcome, HTTP_CALL_ANSWERED);
    assert_int_equal(asked->call.status, 200);
    assert_string_equal(asked->answer, "hello");
}

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

/* --- not sent -------------------------------------------------------------------------------- */

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

static void a_name_that_is_none_is_not_sent(void **state)
{
    struct scene *scene = *state;
    struct asked asked = {.call = {.connect_ms = 3000, .total_ms = 3000}};

    ask_at(&asked, scene, "POST", "http://name.invalid/x");
    wait_for_all(scene);
    assert_int_equal(asked.call.outcome, HTTP_CALL_NOT_SENT);
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

    on_done(call);
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
        CASE(a_refused_connection_is_not_sent),
        CASE(a_handshake_that_never_ends_is_not_sent),
        CASE(a_url_that_is_none_is_not_sent),
        CASE(sends_nothing_when_its_owner_may_not),
        CASE(a_call_without_a_free_connection_meets_its_deadline),
        CASE(a_call_takes_the_connection_that_gets_free),
        CASE(looks_a_name_up),
        CASE(a_name_that_is_none_is_not_sent),
        CASE(holds_hundreds_of_calls_open_without_a_thread),
        CASE(an_abandoned_call_is_told_by_its_evidence),
        CASE(the_last_answer_may_destroy_the_client),
    };

    raise_open_files();
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
