#include "tests/base/http/stage.h"

#include <stdio.h>

static int open_default(void **state)
{
    (void)state;
    stage_open(NULL);
    return 0;
}

static int open_narrow(void **state)
{
    struct http_limits limits = http_limits_default;

    (void)state;
    limits.pipeline_max = 2;
    limits.body_bytes_max = 64;
    limits.unread_bytes_max = 64 << 10;
    stage_open(&limits);
    return 0;
}

static void keeps_the_connection_for_the_next_request(void **state)
{
    struct client *client = dial();

    (void)state;
    for (int i = 0; i < 3; i++) {
        must_send(client, GET("/hello"));
        must_receive(client, "HTTP/1.1 200 OK\r\nDate: ");
        must_receive(client, "GMT\r\nRequest-Id: req_");
        must_receive(client, "Content-Length: 5\r\n\r\nhello");
    }
    must_not_have_received(client, "Connection:");
}

static void answers_in_the_order_of_the_requests(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, GET("/wait/a") GET("/wait/b") GET("/hello"));
    must_be_held("b");
    must_reach(&stage.handled, 3);
    answer("b", "second");
    must_not_have_received(client, "second");
    must_not_have_received(client, "hello");
    answer("a", "first");
    must_receive(client, "first");
    must_receive(client, "second");
    must_receive(client, "hello");
}

static void writes_the_answers_of_one_turn_together(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, GET("/hello") GET("/hello") GET("/hello") GET("/hello"));
    for (int i = 0; i < 4; i++)
        must_receive(client, "hello");
    assert_int_equal(reads_of(client), 1);
}

static void reads_a_request_that_comes_byte_by_byte(void **state)
{
    static const char request[] = POST("/echo", "Content-Length: 3") "abc";
    struct client *client = dial();

    (void)state;
    for (size_t i = 0; i + 1 < sizeof(request); i++) {
        const char byte[2] = {request[i]};

        must_send(client, byte);
        uv_run(&stage.loop, UV_RUN_NOWAIT);
    }
    must_receive(client, "\r\n\r\nabc");
}

static void handles_no_more_than_the_pipeline_holds(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, GET("/wait/a") GET("/wait/b") GET("/wait/c"));
    must_be_held("b");
    settle_loop();
    assert_null(held("c"));
    answer("a", "first");
    must_be_held("c");
    answer("c", "third");
    answer("b", "second");
    must_receive(client, "first");
    must_receive(client, "second");
    must_receive(client, "third");
}

static void stops_reading_from_who_does_not_read(void **state)
{
    struct client *client = dial();
    const int wanted = 200;
    int handled;

    (void)state;
    stop_reading(client);
    for (int i = 0; i < wanted; i++)
        must_send(client, GET("/big"));
    must_reach(&stage.handled, 2);
    settle_loop();
    handled = stage.handled;
    assert_true(handled < wanted / 2);
    read_on(client);
    must_receive_bytes(client, (size_t)wanted * BIG_BYTES);
    assert_int_equal(stage.handled, wanted);
}

static void answers_a_client_that_has_shut_its_side(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, GET("/wait/a") GET("/wait/b"));
    half_close(client);
    must_be_held("b");
    settle_loop();
    assert_false(http_is_gone(held("a")));
    answer("a", "first");
    answer("b", "second");
    must_receive(client, "first");
    must_receive(client, "second");
    must_end(client);
}

static void answers_all_that_was_piped_before_the_side_was_shut(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, GET("/wait/a") GET("/wait/b") GET("/hello") GET("/hello"));
    half_close(client);
    must_be_held("b");
    answer("a", "first");
    answer("b", "second");
    must_receive(client, "first");
    must_receive(client, "second");
    must_receive(client, "hello");
    must_receive(client, "hello");
    must_end(client);
}

static void says_that_a_request_ended_too_early(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, POST("/echo", "Content-Length: 3") "ab");
    half_close(client);
    must_receive(client, "HTTP/1.1 400 ");
    must_end(client);
    assert_string_equal(stage.last_error, "incomplete_request");
    assert_int_equal(stage.handled, 0);
}

static void count_gone(struct http_request *request, void *data)
{
    assert_non_null(request);
    ++*(int *)data;
}

static void tells_who_waits_that_the_client_left(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, GET("/wait/a") GET("/wait/b"));
    must_be_held("b");
    http_on_gone(held("a"), count_gone, &stage.gone);
    http_on_gone(held("b"), count_gone, &stage.gone);
    http_on_gone(held("b"), NULL, NULL);
    hang_up(client, true);
    must_reach(&stage.gone, 1);
    settle_loop();
    assert_int_equal(stage.gone, 1);
    assert_true(http_is_gone(held("a")));
    assert_true(http_is_gone(held("b")));
    assert_int_equal(http_server_connections(stage.server), 0);
    assert_string_equal(http_path(held("b")), "/wait/b");
    answer("b", "dropped");
    answer("a", "dropped");
    assert_int_equal(stage.answered_gone, 2);
}

static void answer_both(struct http_request *request, void *data)
{
    ++*(int *)data;
    assert_non_null(request);
    answer("b", "dropped");
    answer("a", "dropped");
}

static void lets_the_one_told_answer_for_others_too(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, GET("/wait/a") GET("/wait/b") GET("/wait/c"));
    must_be_held("c");
    http_on_gone(held("a"), answer_both, &stage.gone);
    http_on_gone(held("b"), answer_both, &stage.gone);
    http_on_gone(held("c"), count_gone, &stage.gone);
    hang_up(client, true);
    must_reach(&stage.gone, 2);
    settle_loop();
    assert_int_equal(stage.gone, 2);
    assert_int_equal(stage.answered_gone, 2);
    answer("c", "dropped");
    assert_int_equal(stage.answered_gone, 3);
}

static void tells_who_waits_that_the_client_shut_its_side(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, GET("/wait/a"));
    half_close(client);
    must_be_held("a");
    settle_loop();
    http_on_gone(held("a"), count_gone, &stage.gone);
    assert_int_equal(stage.gone, 0);
    settle_loop();
    assert_int_equal(stage.gone, 1);
    answer("a", "still read");
    must_receive(client, "still read");
    must_end(client);
    assert_int_equal(stage.gone, 1);
}

static void breaks_the_connection_when_told_to(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, GET("/wait/a") GET("/wait/b"));
    must_be_held("b");
    http_abort(held("a"), "HTTP/1.1 200 OK\r\nContent-Le", 26, true);
    forget("a");
    must_break(client);
    assert_true(http_is_gone(held("b")));
    answer("b", "dropped");
    assert_int_equal(stage.answered_gone, 2);
}

static void ends_the_connection_when_told_to_after_the_bytes(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, GET("/wait/a") GET("/wait/b"));
    must_be_held("b");
    http_abort(held("b"), "torn", 4, false);
    forget("b");
    must_not_have_received(client, "torn");
    answer("a", "first");
    must_receive(client, "first");
    must_receive(client, "torn");
    must_end(client);
}

static void closes_after_the_answer_that_says_so(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, GET("/wait/a"));
    must_be_held("a");
    http_reply_close(held("a"));
    answer("a", "last");
    must_receive(client, "Connection: close\r\n");
    must_receive(client, "last");
    must_end(client);
}

static void closes_for_who_asked_for_it(void **state)
{
    struct client *client = dial(), *old = dial(), *kept = dial();

    (void)state;
    must_send(client, "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" GET("/hello"));
    must_receive(client, "Connection: close\r\n");
    must_end(client);
    must_send(old, "GET /hello HTTP/1.0\r\n\r\n");
    must_receive(old, "hello");
    must_end(old);
    must_send(kept, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    must_receive(kept, "Connection: keep-alive\r\n");
    must_send(kept, "GET /hello HTTP/1.0\r\n\r\n");
    must_end(kept);
    assert_int_equal(stage.handled, 4);
}

static void answers_head_as_get_without_its_body(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n" GET("/wait/a"));
    must_be_held("a");
    must_receive(client, "Content-Length: 5\r\n\r\n");
    answer("a", "next");
    must_receive(client, "next");
    must_not_have_received(client, "hello");
}

static void gives_leave_to_send_a_body(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, POST("/echo", "Content-Length: 3\r\nExpect: 100-continue"));
    must_receive(client, "HTTP/1.1 100 Continue\r\n\r\n");
    must_send(client, "abc");
    must_receive(client, "HTTP/1.1 200 OK\r\n");
    must_receive(client, "abc");
}

static void gives_leave_only_when_it_is_the_request_s_turn(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, GET("/wait/a") POST("/echo", "Content-Length: 3\r\nExpect: 100-continue"));
    must_be_held("a");
    must_not_have_received(client, "100 Continue");
    answer("a", "first");
    must_receive(client, "first");
    must_receive(client, "HTTP/1.1 100 Continue\r\n\r\n");
    must_send(client, "abc");
    must_receive(client, "abc");
}

static void gives_no_leave_for_a_body_that_is_too_large(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, POST("/echo", "Content-Length: 65\r\nExpect: 100-continue"));
    must_receive(client, "HTTP/1.1 413 ");
    must_end(client);
    must_not_have_received(client, "100 Continue");
    assert_string_equal(stage.last_error, "body_too_large");
}

static void reads_nothing_after_what_it_refused(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, GET("/hello") "GET /hello HTTP/1.1\r\n\r\n" GET("/hello"));
    must_receive(client, "hello");
    must_receive(client, "HTTP/1.1 400 Bad Request\r\n");
    must_receive(client, "Connection: close\r\n");
    must_end(client);
    assert_int_equal(stage.handled, 1);
}

/* A close while bytes are unread would be a reset, and the client might never see the answer. */
static void lets_the_client_read_why_it_was_refused(void **state)
{
    static char flood[1 << 20];
    struct client *client = dial();

    (void)state;
    stop_reading(client);
    must_send(client, POST("/echo", "Content-Length: 1000000"));
    for (int i = 0; i < 20; i++) {
        send_what_fits(client, flood, sizeof(flood));
        settle_loop();
    }
    read_on(client);
    must_receive(client, "HTTP/1.1 413 ");
    must_end(client);
}

static void says_what_is_not_there(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, GET("/nothing") "DELETE /echo HTTP/1.1\r\nHost: a\r\n\r\n" GET("/%zz"));
    must_receive(client, "HTTP/1.1 404 Not Found\r\n");
    must_receive(client, "HTTP/1.1 405 Method Not Allowed\r\n");
    must_receive(client, "Allow: POST, OPTIONS\r\n");
    must_receive(client, "HTTP/1.1 400 Bad Request\r\n");
    must_end(client);
}

static void sends_the_fields_of_the_answer(void **state)
{
    struct client *client = dial();
    char longer[2001];

    (void)state;
    memset(longer, 'y', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    must_send(client, GET("/wait/a"));
    must_be_held("a");
    http_reply_header(held("a"), "Location", "/v1/orders/%s", "x");
    http_reply_header(held("a"), "X-Long", "%s", longer);
    answer("a", "b");
    must_receive(client, "\r\nLocation: /v1/orders/x\r\nX-Long: yyy");
    must_receive_bytes(client, sizeof(longer) + 100);
    must_receive(client, "y\r\nContent-Length: 1\r\n\r\nb");
}

static void must_not_listen(const char *address, const char *why)
{
    const struct http_server_options options = {.limits = http_limits_default};
    struct fault fault = {0};

    if (http_server_open(&stage.loop, address, &options, &fault) != NULL)
        fail_msg("it listens on %s", address);
    assert_int_equal(fault.kind, FAULT_REFUSED);
    if (strstr(fault.text, address) == NULL || strstr(fault.text, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", fault.text, why);
}

static void says_why_it_cannot_listen(void **state)
{
    static const char *const wrong[] = {
        "",          "8080",          ":8080",          "localhost:80",
        "127.0.0.1", "127.0.0.1:-1",  "127.0.0.1:x",    "[::1:80",
        "::1:8080",  "127.0.0.1:80x", "127.0.0.1:65536"};
    char taken[32];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        must_not_listen(wrong[i], "write 127.0.0.1:8080");
    snprintf(taken, sizeof(taken), "127.0.0.1:%d", http_server_port(stage.server));
    must_not_listen(taken, "address already in use");
}

static const struct CMUnitTest tests[] = {
#define IN(opener, name) cmocka_unit_test_setup_teardown(name, opener, stage_close)
    IN(open_default, keeps_the_connection_for_the_next_request),
    IN(open_default, answers_in_the_order_of_the_requests),
    IN(open_default, writes_the_answers_of_one_turn_together),
    IN(open_default, reads_a_request_that_comes_byte_by_byte),
    IN(open_narrow, handles_no_more_than_the_pipeline_holds),
    IN(open_default, stops_reading_from_who_does_not_read),
    IN(open_default, answers_a_client_that_has_shut_its_side),
    IN(open_narrow, answers_all_that_was_piped_before_the_side_was_shut),
    IN(open_default, says_that_a_request_ended_too_early),
    IN(open_default, tells_who_waits_that_the_client_left),
    IN(open_default, lets_the_one_told_answer_for_others_too),
    IN(open_default, tells_who_waits_that_the_client_shut_its_side),
    IN(open_default, breaks_the_connection_when_told_to),
    IN(open_default, ends_the_connection_when_told_to_after_the_bytes),
    IN(open_default, closes_after_the_answer_that_says_so),
    IN(open_default, closes_for_who_asked_for_it),
    IN(open_default, answers_head_as_get_without_its_body),
    IN(open_default, gives_leave_to_send_a_body),
    IN(open_default, gives_leave_only_when_it_is_the_request_s_turn),
    IN(open_narrow, gives_no_leave_for_a_body_that_is_too_large),
    IN(open_default, reads_nothing_after_what_it_refused),
    IN(open_narrow, lets_the_client_read_why_it_was_refused),
    IN(open_default, says_what_is_not_there),
    IN(open_default, sends_the_fields_of_the_answer),
    IN(open_default, says_why_it_cannot_listen),
};

int main(void)
{
    return cmocka_run_group_tests_name("http connection", tests, NULL, NULL);
}
