#include "tests/base/http/asker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

#include <cmocka.h> /* last: its fail() would hide ours */

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("the awaited event did not come within %d ms", DEADLINE_MS);
}

int asker_set_up(void **state)
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

int asker_tear_down(void **state)
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

void use_connections(struct scene *scene, int most)
{
    struct http_client_options options = {.connections_max = most};

    http_client_destroy(scene->client);
    scene->client = http_client_create(&scene->loop, &options);
}

void asker_on_done(struct http_call *call)
{
    struct asked *asked = container_of(call, struct asked, call);

    assert_false(asked->is_sending);
    asked->done++;
    snprintf(asked->answer, sizeof(asked->answer), "%s", call->answer);
    asked->scene->waited_for--;
    uv_stop(&asked->scene->loop);
}

void ask_at(struct asked *asked, struct scene *scene, const char *method, const char *url)
{
    asked->scene = scene;
    snprintf(asked->url, sizeof(asked->url), "%s", url);
    asked->call.method = method;
    asked->call.url = asked->url;
    asked->call.on_done = asker_on_done;
    asked->call.point = "test";
    if (asked->call.total_ms == 0)
        asked->call.connect_ms = asked->call.total_ms = 5000;
    scene->waited_for++;
    asked->is_sending = true;
    http_client_send(scene->client, &asked->call);
    asked->is_sending = false;
}

void ask(struct asked *asked, struct scene *scene, const char *method, const char *path)
{
    char url[128];

    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", scene->server.port, path);
    ask_at(asked, scene, method, url);
}

void wait_for_all(struct scene *scene)
{
    while (scene->waited_for > 0)
        uv_run(&scene->loop, UV_RUN_DEFAULT);
}

/* One POST with a body to `path`, seen through. */
struct asked must_ask(struct scene *scene, const char *path)
{
    static struct asked asked;

    asked = (struct asked){.call = {.body = "a=1", .body_length = 3}};
    ask(&asked, scene, "POST", path);
    wait_for_all(scene);
    assert_int_equal(asked.done, 1);
    return asked;
}

void expect_unknown(struct scene *scene, const char *path, const char *code)
{
    struct asked asked = must_ask(scene, path);

    assert_int_equal(asked.call.outcome, HTTP_CALL_UNKNOWN);
    assert_int_equal(asked.call.fault.kind, FAULT_UNKNOWN);
    assert_string_equal(asked.call.fault.code, code);
    assert_int_equal(scene->server.requests, 1);
}

void expect_not_sent(const struct asked *asked, const char *code)
{
    assert_int_equal(asked->done, 1);
    assert_int_equal(asked->call.outcome, HTTP_CALL_NOT_SENT);
    assert_string_equal(asked->call.fault.code, code);
}

void expect_answer(const struct asked *asked)
{
    assert_string_equal(asked->call.fault.text, "");
    assert_int_equal(asked->call.outcome, HTTP_CALL_ANSWERED);
    assert_int_equal(asked->call.status, 200);
    assert_string_equal(asked->answer, "hello");
}
