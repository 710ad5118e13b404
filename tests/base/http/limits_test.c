#include "tests/base/http/stage.h"

#include <sys/resource.h>
#include <unistd.h>

enum { LONG_MS = 60000, HELD_NS = 200000000 };

/* Each deadline that a test is about is tiny, the others are long: what happens is its doing. */
static struct http_limits limits_but(void)
{
    struct http_limits limits = http_limits_default;

    limits.head_ms = limits.body_ms = limits.idle_ms = limits.write_ms = LONG_MS;
    return limits;
}

static void gives_up_on_a_head_that_does_not_come(void **state)
{
    struct http_limits limits = limits_but();
    struct client *client;

    (void)state;
    limits.head_ms = 20;
    stage_open(&limits);
    client = dial();
    must_send(client, "GET / HT");
    must_receive(client, "HTTP/1.1 408 Request Timeout\r\n");
    must_end(client);
    assert_string_equal(stage.last_error, "request_timeout");
}

/* One byte now and then does not keep a head alive: the deadline is for the whole. */
static void gives_up_on_a_head_that_drips(void **state)
{
    struct http_limits limits = limits_but();
    struct client *client;

    (void)state;
    limits.head_ms = 30;
    stage_open(&limits);
    client = dial();
    must_send(client, "GET /");
    while (stage.answered == 0) {
        send_what_fits(client, "a", 1);
        uv_run(&stage.loop, UV_RUN_ONCE);
    }
    must_receive(client, "HTTP/1.1 408 ");
    must_end(client);
}

static void gives_up_on_a_body_that_does_not_come(void **state)
{
    struct http_limits limits = limits_but();
    struct client *client;

    (void)state;
    limits.body_ms = 20;
    stage_open(&limits);
    client = dial();
    must_send(client, GET("/hello") POST("/echo", "Content-Length: 3") "ab");
    must_receive(client, "hello");
    must_receive(client, "HTTP/1.1 408 Request Timeout\r\n");
    must_end(client);
    assert_int_equal(stage.handled, 1);
}

static void closes_an_idle_connection_without_a_word(void **state)
{
    struct http_limits limits = limits_but();
    struct client *fresh, *used;

    (void)state;
    limits.idle_ms = 20;
    stage_open(&limits);
    fresh = dial();
    used = dial();
    must_send(used, GET("/hello"));
    must_receive(used, "hello");
    must_end(fresh);
    must_end(used);
    assert_int_equal(received(fresh), 0);
    assert_int_equal(stage.answered, 1);
}

static void does_not_call_a_client_idle_that_waits(void **state)
{
    struct http_limits limits = limits_but();
    struct client *waiting, *idle;

    (void)state;
    limits.idle_ms = 20;
    stage_open(&limits);
    waiting = dial();
    must_send(waiting, GET("/wait/a"));
    must_be_held("a");
    idle = dial(); /* its deadline is later than the other's would be */
    must_end(idle);
    answer("a", "at last");
    must_receive(waiting, "at last");
    must_end(waiting);
}

static void does_not_call_a_client_idle_that_got_one_answer_of_two(void **state)
{
    struct http_limits limits = limits_but();
    struct client *waiting, *idle;

    (void)state;
    limits.idle_ms = 20;
    limits.pipeline_max = 2;
    stage_open(&limits);
    waiting = dial();
    must_send(waiting, GET("/wait/a") GET("/wait/b"));
    must_be_held("b");
    answer("a", "first");
    must_receive(waiting, "first");
    idle = dial();
    must_end(idle);
    answer("b", "second");
    must_receive(waiting, "second");
    must_end(waiting);
}

static void breaks_with_a_reader_that_stands_still(void **state)
{
    struct http_limits limits = limits_but();
    struct client *client;

    (void)state;
    limits.write_ms = 20;
    stage_open(&limits);
    client = dial();
    stop_reading(client);
    for (int i = 0; i < 100; i++)
        must_send(client, GET("/big"));
    must_reach(&stage.handled, 1);
    while (http_server_connections(stage.server) > 0)
        uv_run(&stage.loop, UV_RUN_ONCE);
    read_on(client);
    must_break(client);
}

static void makes_room_by_closing_the_one_idle_longest(void **state)
{
    struct http_limits limits = limits_but();
    struct client *first, *second, *third;

    (void)state;
    limits.connections_max = 2;
    stage_open(&limits);
    first = dial();
    second = dial();
    must_send(first, GET("/hello"));
    must_receive(first, "hello");
    must_send(second, GET("/hello"));
    must_receive(second, "hello");
    must_send(first, GET("/hello"));
    must_receive(first, "hello");
    third = dial();
    must_send(third, GET("/hello"));
    must_receive(third, "hello");
    must_end(second);
    must_send(first, GET("/hello"));
    must_receive(first, "hello");
}

static void turns_away_who_comes_when_all_are_busy(void **state)
{
    struct http_limits limits = limits_but();
    struct client *busy, *surplus;

    (void)state;
    limits.connections_max = 1;
    stage_open(&limits);
    busy = dial();
    must_send(busy, GET("/wait/a"));
    must_be_held("a");
    surplus = dial();
    must_send(surplus, GET("/hello"));
    must_receive(surplus, "HTTP/1.1 503 Service Unavailable\r\n");
    must_receive(surplus, "Connection: close\r\n");
    must_end(surplus);
    assert_int_equal(stage.handled, 1);
    answer("a", "kept");
    must_receive(busy, "kept");
}

/* What it sends meanwhile waits in the kernel; others are served. */
static void does_not_read_for_a_while_from_who_was_held(void **state)
{
    struct client *pushy, *other;
    uint64_t held_ns;

    (void)state;
    stage_open(NULL);
    pushy = dial();
    other = dial();
    must_send(pushy, GET("/wait/a"));
    must_be_held("a");
    http_reply_hold(held("a"));
    held_ns = uv_hrtime();
    answer("a", "later");
    must_receive(pushy, "later");
    must_send(pushy, GET("/hello"));
    must_send(other, GET("/hello"));
    must_receive(other, "hello");
    assert_true(stage.handled == 2 || uv_hrtime() - held_ns > HELD_NS);
    must_receive(pushy, "hello");
    assert_true(uv_hrtime() - held_ns > HELD_NS);
}

static void takes_no_new_connection_while_it_pauses(void **state)
{
    struct client *old, *young[2];

    (void)state;
    stage_open(NULL);
    old = dial();
    must_send(old, GET("/hello"));
    must_receive(old, "hello");
    http_server_pause(stage.server, true);
    for (int i = 0; i < 2; i++) {
        young[i] = dial();
        must_send(young[i], GET("/hello"));
    }
    must_send(old, GET("/hello"));
    must_receive(old, "hello");
    settle_loop();
    assert_int_equal(stage.handled, 2);
    assert_int_equal(http_server_connections(stage.server), 1);
    http_server_pause(stage.server, false);
    for (int i = 0; i < 2; i++)
        must_receive(young[i], "hello");
}

/* Those beyond even the 503s stay in the listener, and are served when others leave. */
static void lets_the_rest_wait_outside(void **state)
{
    enum { MANY = 100 };
    struct http_limits limits = limits_but();
    struct client *busy, *outside[MANY];

    (void)state;
    limits.connections_max = 1;
    stage_open(&limits);
    busy = dial();
    must_send(busy, GET("/wait/a"));
    must_be_held("a");
    for (int i = 0; i < MANY; i++)
        outside[i] = dial();
    settle_loop();
    assert_true(http_server_connections(stage.server) < MANY);
    for (int i = 0; i < MANY; i++)
        hang_up(outside[i], false);
    must_reach(&stage.answered, 64);
    answer("a", "kept");
    must_receive(busy, "kept");
    hang_up(busy, false);
    busy = dial();
    must_send(busy, GET("/hello"));
    must_receive(busy, "hello");
}

enum { DESCRIPTORS_MAX = 100 };

/* Takes every descriptor that is left; returns how many. */
static int take_descriptors(int *taken)
{
    int count = 0, fd;

    while ((fd = dup(STDIN_FILENO)) >= 0) {
        assert_true(count < DESCRIPTORS_MAX);
        taken[count++] = fd;
    }
    return count;
}

/* libuv closes what it cannot accept with a descriptor it keeps in reserve; without that, the
 * listener would stay readable and the loop would spin. */
static void survives_without_a_free_descriptor(void **state)
{
    struct rlimit before, few;
    struct client *served, *unlucky;
    int taken[DESCRIPTORS_MAX], count;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &before);
    few = (struct rlimit){.rlim_cur = DESCRIPTORS_MAX, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    stage_open(NULL);
    served = dial();
    must_send(served, GET("/hello"));
    must_receive(served, "hello");
    unlucky = dial();
    count = take_descriptors(taken);
    must_end(unlucky);
    must_send(served, GET("/hello"));
    must_receive(served, "hello");
    while (count > 0)
        close(taken[--count]);
    served = dial();
    must_send(served, GET("/hello"));
    must_receive(served, "hello");
    setrlimit(RLIMIT_NOFILE, &before);
}

static const struct CMUnitTest tests[] = {
#define IN(name) cmocka_unit_test_teardown(name, stage_close)
    IN(gives_up_on_a_head_that_does_not_come),
    IN(gives_up_on_a_head_that_drips),
    IN(gives_up_on_a_body_that_does_not_come),
    IN(closes_an_idle_connection_without_a_word),
    IN(does_not_call_a_client_idle_that_waits),
    IN(does_not_call_a_client_idle_that_got_one_answer_of_two),
    IN(breaks_with_a_reader_that_stands_still),
    IN(makes_room_by_closing_the_one_idle_longest),
    IN(turns_away_who_comes_when_all_are_busy),
    IN(does_not_read_for_a_while_from_who_was_held),
    IN(takes_no_new_connection_while_it_pauses),
    IN(lets_the_rest_wait_outside),
    IN(survives_without_a_free_descriptor),
};

int main(void)
{
    return cmocka_run_group_tests_name("http limits", tests, NULL, NULL);
}
