#include "tests/base/http/stage.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LONG_MS = 60 * 1000 };

static int open_default(void **state)
{
    (void)state;
    stage_open(NULL);
    return 0;
}

static void on_drained(void *owner)
{
    ++*(int *)owner;
    stage.server = NULL;
}

static void drain(uint64_t grace_ms)
{
    http_server_drain(stage.server, grace_ms, on_drained, &stage.drained);
    assert_int_equal(stage.drained, 0); /* never from inside the call */
}

static void is_over_at_once_when_nobody_is_there(void **state)
{
    (void)state;
    drain(LONG_MS);
    must_reach(&stage.drained, 1);
}

static void closes_idle_connections_at_once(void **state)
{
    struct client *fresh = dial(), *used = dial();

    (void)state;
    must_send(used, GET("/hello"));
    must_receive(used, "hello");
    drain(LONG_MS);
    must_end(fresh);
    must_end(used);
    must_reach(&stage.drained, 1);
}

static void refuses_new_connections(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)http_server_port(stage.server))};
    struct client *client = dial();
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    must_send(client, GET("/wait/a"));
    must_be_held("a");
    drain(LONG_MS);
    settle_loop();
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), -1);
    close(fd);
    answer("a", "last");
    must_receive(client, "last");
    must_end(client);
    must_reach(&stage.drained, 1);
}

static void answers_what_was_received_and_says_that_it_closes(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, GET("/wait/a") GET("/wait/b"));
    must_be_held("b");
    drain(LONG_MS);
    must_send(client, GET("/hello"));
    settle_loop();
    assert_int_equal(stage.drained, 0);
    answer("a", "first");
    must_receive(client, "first");
    answer("b", "second");
    must_receive(client, "Connection: close\r\n");
    must_receive(client, "second");
    must_end(client);
    must_reach(&stage.drained, 1);
    assert_int_equal(stage.handled, 2);
}

static void takes_a_request_that_is_on_its_way(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, POST("/echo", "Content-Length: 3") "a");
    settle_loop();
    drain(LONG_MS);
    must_send(client, "bc" GET("/hello"));
    must_receive(client, "Connection: close\r\n");
    must_receive(client, "abc");
    must_end(client);
    must_reach(&stage.drained, 1);
    assert_int_equal(stage.handled, 1);
}

static void gives_up_when_the_grace_is_over(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, GET("/wait/a"));
    must_be_held("a");
    drain(10);
    must_end(client);
    must_reach(&stage.drained, 1);
}

/* A handler may hold a request longer than the server is there. */
static void lets_a_late_reply_fall(void **state)
{
    struct client *client = dial();

    (void)state;
    must_send(client, GET("/wait/a"));
    must_be_held("a");
    drain(0);
    must_reach(&stage.drained, 1);
    assert_true(http_is_gone(held("a")));
    assert_string_equal(http_param(held("a"), "name"), "a");
    answer("a", "too late");
    must_end(client);
    must_not_have_received(client, "too late");
}

static const struct CMUnitTest tests[] = {
#define IN(name) cmocka_unit_test_setup_teardown(name, open_default, stage_close)
    IN(is_over_at_once_when_nobody_is_there),
    IN(closes_idle_connections_at_once),
    IN(refuses_new_connections),
    IN(answers_what_was_received_and_says_that_it_closes),
    IN(takes_a_request_that_is_on_its_way),
    IN(gives_up_when_the_grace_is_over),
    IN(lets_a_late_reply_fall),
};

int main(void)
{
    return cmocka_run_group_tests_name("http drain", tests, NULL, NULL);
}
