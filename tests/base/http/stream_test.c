#include "tests/base/http/stage.h"

enum { UNREAD_MAX = 64 * 1024 };

static int open_narrow(void **state)
{
    struct http_limits limits = http_limits_default;

    (void)state;
    limits.unread_bytes_max = UNREAD_MAX;
    stage_open(&limits);
    return 0;
}

static struct client *begin(const char *request, const char *name)
{
    struct client *client = dial();

    must_send(client, request);
    must_be_held(name);
    return client;
}

static void writes_chunks_as_they_come(void **state)
{
    struct client *client = begin(GET("/stream/a"), "a");

    (void)state;
    must_receive(client, "Transfer-Encoding: chunked\r\n\r\n");
    assert_true(http_stream_write(held("a"), "one", 3));
    must_receive(client, "3\r\none\r\n");
    assert_true(http_stream_write(held("a"), "", 0));
    assert_true(http_stream_write(held("a"), "seventeen letters", 17));
    must_receive(client, "11\r\nseventeen letters\r\n");
    http_stream_end(held("a"));
    forget("a");
    must_receive(client, "0\r\n\r\n");
    must_send(client, GET("/hello"));
    must_receive(client, "hello");
}

static void waits_for_its_turn_in_the_line(void **state)
{
    struct client *client = begin(GET("/wait/a") GET("/stream/b"), "b");

    (void)state;
    assert_true(http_stream_write(held("b"), "early", 5));
    must_not_have_received(client, "early");
    answer("a", "first");
    must_receive(client, "first");
    must_receive(client, "5\r\nearly\r\n");
    assert_true(http_stream_write(held("b"), "late", 4));
    must_receive(client, "4\r\nlate\r\n");
    http_stream_end(held("b"));
    forget("b");
    must_receive(client, "0\r\n\r\n");
}

static void holds_back_what_follows_until_it_ends(void **state)
{
    struct client *client = begin(GET("/stream/a") GET("/hello"), "a");

    (void)state;
    must_reach(&stage.handled, 2);
    must_not_have_received(client, "hello");
    http_stream_end(held("a"));
    forget("a");
    must_receive(client, "0\r\n\r\nHTTP/1.1 200 OK\r\n");
    must_receive(client, "hello");
}

static void has_no_chunks_for_http_1_0_and_ends_with_the_connection(void **state)
{
    struct client *client = begin("GET /stream/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "a");

    (void)state;
    assert_true(http_stream_write(held("a"), "one", 3));
    must_receive(client, "Connection: close\r\n\r\none");
    assert_true(http_stream_write(held("a"), "two", 3));
    http_stream_end(held("a"));
    forget("a");
    must_receive(client, "two");
    must_end(client);
    must_not_have_received(client, "chunked");
}

static void has_no_body_for_head(void **state)
{
    struct client *client = begin("HEAD /stream/a HTTP/1.1\r\nHost: a\r\n\r\n", "a");

    (void)state;
    assert_true(http_stream_write(held("a"), "unseen", 6));
    http_stream_end(held("a"));
    forget("a");
    must_send(client, GET("/hello"));
    must_receive(client, "\r\n\r\nHTTP/1.1 200 OK\r\n");
    must_not_have_received(client, "unseen");
}

static void gives_up_on_a_client_that_does_not_read(void **state)
{
    static const char piece[8 * 1024];
    struct client *client = begin(GET("/stream/a"), "a");
    size_t written = 0;

    (void)state;
    stop_reading(client);
    while (http_stream_write(held("a"), piece, sizeof(piece))) {
        written += sizeof(piece);
        assert_true(written < 64u << 20);
    }
    assert_true(written > UNREAD_MAX);
    assert_false(http_is_gone(held("a")));
    http_stream_end(held("a"));
    forget("a");
    read_on(client);
    must_receive(client, "0\r\n\r\n");
}

static void takes_much_in_one_turn_from_one_who_reads(void **state)
{
    static const char piece[32 * 1024];
    struct client *client = begin(GET("/stream/a"), "a");

    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_true(http_stream_write(held("a"), piece, sizeof(piece)));
        must_receive_bytes(client, (size_t)(i + 1) * sizeof(piece));
    }
    http_stream_end(held("a"));
    forget("a");
    must_receive(client, "0\r\n\r\n");
}

static void limits_what_waits_behind_another_answer(void **state)
{
    static const char piece[8 * 1024];
    struct client *client = begin(GET("/wait/a") GET("/stream/b"), "b");
    int written = 0;

    (void)state;
    while (http_stream_write(held("b"), piece, sizeof(piece)))
        assert_true(++written < 100);
    http_stream_end(held("b"));
    forget("b");
    answer("a", "first");
    must_receive(client, "first");
    must_receive(client, "0\r\n\r\n");
}

static void end_stream(struct http_request *request, void *data)
{
    ++*(int *)data;
    forget("a");
    http_stream_end(request);
}

static void can_be_ended_when_the_client_leaves(void **state)
{
    struct client *client = begin(GET("/stream/a"), "a");

    (void)state;
    http_on_gone(held("a"), end_stream, &stage.gone);
    must_receive(client, "chunked");
    hang_up(client, false);
    must_reach(&stage.gone, 1);
    assert_int_equal(stage.answered, 1);
}

static void cannot_be_written_after_a_reset(void **state)
{
    struct client *client = begin(GET("/stream/a"), "a");

    (void)state;
    http_on_gone(held("a"), NULL, NULL);
    hang_up(client, true);
    settle_loop();
    assert_false(http_stream_write(held("a"), "one", 3));
    http_stream_end(held("a"));
    forget("a");
    assert_int_equal(stage.answered_gone, 1);
}

static void can_be_torn(void **state)
{
    struct client *client = begin(GET("/stream/a"), "a");

    (void)state;
    assert_true(http_stream_write(held("a"), "one", 3));
    http_abort(held("a"), "5\r\nto", 5, false);
    forget("a");
    must_receive(client, "3\r\none\r\n5\r\nto");
    must_end(client);
}

static const struct CMUnitTest tests[] = {
#define IN(name) cmocka_unit_test_setup_teardown(name, open_narrow, stage_close)
    IN(writes_chunks_as_they_come),
    IN(waits_for_its_turn_in_the_line),
    IN(holds_back_what_follows_until_it_ends),
    IN(has_no_chunks_for_http_1_0_and_ends_with_the_connection),
    IN(has_no_body_for_head),
    IN(gives_up_on_a_client_that_does_not_read),
    IN(takes_much_in_one_turn_from_one_who_reads),
    IN(limits_what_waits_behind_another_answer),
    IN(can_be_ended_when_the_client_leaves),
    IN(cannot_be_written_after_a_reset),
    IN(can_be_torn),
};

int main(void)
{
    return cmocka_run_group_tests_name("http stream", tests, NULL, NULL);
}
