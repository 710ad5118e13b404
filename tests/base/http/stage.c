#include "tests/base/http/stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

struct client {
    uv_poll_t poll;
    int fd;
    struct text received;
    size_t passed; /* of received */
    int reads;
    bool is_ended, is_broken, is_closed;
    SLIST_ENTRY(client) link;
};

enum { HELD_MAX = 64 };

struct stage stage;
static SLIST_HEAD(, client) clients;
static struct {
    char name[32];
    struct http_request *request;
} held_requests[HELD_MAX];
static uv_timer_t patience;
static bool is_late;

/* The routes. */

static void count_handled(struct http_request *request)
{
    stage.handled++;
    snprintf(stage.last_method, sizeof(stage.last_method), "%s", http_method(request));
}

static void hold(struct http_request *request)
{
    count_handled(request);
    for (int i = 0; i < HELD_MAX; i++) {
        if (held_requests[i].request == NULL) {
            held_requests[i].request = request;
            snprintf(held_requests[i].name, sizeof(held_requests[i].name), "%s",
                     http_param(request, "name"));
            return;
        }
    }
    fail_msg("more than %d requests are held", HELD_MAX);
}

static void say_hello(struct http_request *request)
{
    count_handled(request);
    http_reply(request, 200, "text/plain", "hello", 5);
}

static void echo(struct http_request *request)
{
    size_t length;
    const char *body = http_body(request, &length);

    count_handled(request);
    http_reply(request, 200, "text/plain", body, length);
}

static void stream(struct http_request *request)
{
    hold(request);
    http_stream_begin(request, 200, "text/plain");
}

static void say_much(struct http_request *request)
{
    static const char much[BIG_BYTES];

    count_handled(request);
    http_reply(request, 200, "text/plain", much, sizeof(much));
}

static const struct http_route routes[] = {
    {"GET", "/hello", say_hello},
    {"POST", "/echo", echo},
    {"GET", "/wait/{name}", hold},
    {"POST", "/wait/{name}", hold},
    {"GET", "/stream/{name}", stream},
    {"GET", "/big", say_much},
    {0},
};

static void on_error(struct http_request *request, int status, const char *code, const char *detail)
{
    snprintf(stage.last_error, sizeof(stage.last_error), "%s", code);
    http_reply(request, status, "text/plain", detail, strlen(detail));
}

static void on_answered(struct http_request *request, int status, uint64_t microseconds)
{
    assert_non_null(http_id(request));
    assert_true(microseconds < 60ull * 1000 * 1000);
    stage.answered++;
    stage.answered_gone += status == 0;
}

/* The loop. */

static void on_late(uv_timer_t *timer)
{
    (void)timer;
    is_late = true;
}

static void begin_waiting(void)
{
    is_late = false;
    uv_update_time(&stage.loop);
    uv_timer_start(&patience, on_late, STAGE_WAIT_MS, 0);
}

#define WAIT_FOR(condition, ...)                                                                   \
    do {                                                                                           \
        begin_waiting();                                                                           \
        while (!(condition)) {                                                                     \
            if (is_late)                                                                           \
                fail_msg(__VA_ARGS__);                                                             \
            uv_run(&stage.loop, UV_RUN_ONCE);                                                      \
        }                                                                                          \
        uv_timer_stop(&patience);                                                                  \
    } while (0)

void must_reach(const int *number, int least)
{
    WAIT_FOR(*number >= least, "%d, but %d was waited for", *number, least);
}

/* Loopback delivers within the call, so a few turns in which nothing is ready are enough. */
void settle_loop(void)
{
    for (int i = 0; i < 20; i++)
        uv_run(&stage.loop, UV_RUN_NOWAIT);
}

void stage_open(const struct http_limits *limits)
{
    struct http_server_options options = {.routes = routes,
                                          .limits = limits ? *limits : http_limits_default,
                                          .on_error = on_error,
                                          .on_answered = on_answered};
    struct fault fault = {0};

    memset(&stage, 0, sizeof(stage));
    memset(held_requests, 0, sizeof(held_requests));
    assert_int_equal(uv_loop_init(&stage.loop), 0);
    uv_timer_init(&stage.loop, &patience);
    stage.server = http_server_open(&stage.loop, "127.0.0.1:0", &options, &fault);
    if (stage.server == NULL)
        fail_msg("%s", fault.text);
}

static void on_drained(void *owner)
{
    (void)owner;
    stage.server = NULL;
    stage.drained++;
}

static void free_client(uv_handle_t *handle)
{
    struct client *client = container_of(handle, struct client, poll);

    text_finish(&client->received);
    free(client);
}

int stage_close(void **state)
{
    struct client *client;

    (void)state;
    if (stage.server != NULL && stage.drained == 0)
        http_server_drain(stage.server, 0, on_drained, NULL);
    must_reach(&stage.drained, 1);
    for (int i = 0; i < HELD_MAX; i++) {
        if (held_requests[i].request != NULL)
            http_abort(held_requests[i].request, NULL, 0, false);
    }
    while ((client = SLIST_FIRST(&clients)) != NULL) {
        SLIST_REMOVE_HEAD(&clients, link);
        hang_up(client, false);
        uv_close((uv_handle_t *)&client->poll, free_client);
    }
    uv_close((uv_handle_t *)&patience, NULL);
    uv_run(&stage.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&stage.loop), 0);
    return 0;
}

/* Clients. */

/* False when there is nothing (more) to read now. */
static bool receive_some(struct client *client)
{
    char bytes[64 * 1024];
    ssize_t length = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (length > 0) {
        text_add_bytes(&client->received, bytes, (size_t)length);
        client->reads++;
        return true;
    }
    client->is_ended = length == 0;
    client->is_broken = length < 0 && errno != EAGAIN && errno != EINTR;
    if (client->is_ended || client->is_broken)
        uv_poll_stop(&client->poll);
    return false;
}

/* With a status, libuv saw the socket's error and looks no more. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct client *client = container_of(poll, struct client, poll);

    (void)events;
    while (receive_some(client) && status < 0)
        ;
}

struct client *dial(void)
{
    struct client *client = xcalloc(1, sizeof(*client));
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)http_server_port(stage.server))};

    text_init(&client->received, SIZE_MAX / 2);
    text_add(&client->received, "");
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(uv_poll_init(&stage.loop, &client->poll, client->fd), 0);
    SLIST_INSERT_HEAD(&clients, client, link);
    read_on(client);
    return client;
}

void read_on(struct client *client)
{
    uv_poll_start(&client->poll, UV_READABLE, on_readable);
}

void stop_reading(struct client *client)
{
    uv_poll_stop(&client->poll);
}

void must_send(struct client *client, const char *bytes)
{
    size_t length = strlen(bytes);

    assert_int_equal(send(client->fd, bytes, length, MSG_NOSIGNAL), length);
}

void send_what_fits(struct client *client, const char *bytes, size_t length)
{
    ssize_t sent = send(client->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);

    assert_true(sent > 0 || errno == EAGAIN || errno == ECONNRESET || errno == EPIPE);
}

static bool has_received(struct client *client, const char *bytes)
{
    const char *found = memmem(client->received.bytes + client->passed,
                               client->received.length - client->passed, bytes, strlen(bytes));

    if (found == NULL)
        return false;
    client->passed = (size_t)(found + strlen(bytes) - client->received.bytes);
    return true;
}

void must_receive(struct client *client, const char *bytes)
{
    WAIT_FOR(has_received(client, bytes), "\"%s\" did not come after\n%.*s\nbut\n%s", bytes,
             (int)client->passed, client->received.bytes, client->received.bytes + client->passed);
}

void must_receive_bytes(struct client *client, size_t count)
{
    WAIT_FOR(client->received.length >= count, "%zu bytes came, not %zu", client->received.length,
             count);
}

void must_not_have_received(struct client *client, const char *bytes)
{
    settle_loop();
    if (memmem(client->received.bytes, client->received.length, bytes, strlen(bytes)) != NULL)
        fail_msg("\"%s\" came:\n%s", bytes, client->received.bytes);
}

void must_end(struct client *client)
{
    WAIT_FOR(client->is_ended || client->is_broken, "the connection did not end after\n%s",
             client->received.bytes);
    assert_true(client->is_ended);
    hang_up(client, false);
}

void must_break(struct client *client)
{
    WAIT_FOR(client->is_ended || client->is_broken, "the connection did not break after\n%s",
             client->received.bytes);
    assert_true(client->is_broken);
}

size_t received(const struct client *client)
{
    return client->received.length;
}

int reads_of(const struct client *client)
{
    return client->reads;
}

void half_close(struct client *client)
{
    assert_int_equal(shutdown(client->fd, SHUT_WR), 0);
}

void hang_up(struct client *client, bool reset)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};

    if (client->is_closed)
        return;
    uv_poll_stop(&client->poll);
    if (reset)
        setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(client->fd);
    client->is_closed = true;
}

/* What is held. */

struct http_request *held(const char *name)
{
    for (int i = 0; i < HELD_MAX; i++) {
        if (held_requests[i].request != NULL && strcmp(held_requests[i].name, name) == 0)
            return held_requests[i].request;
    }
    return NULL;
}

void forget(const char *name)
{
    for (int i = 0; i < HELD_MAX; i++) {
        if (strcmp(held_requests[i].name, name) == 0)
            held_requests[i].request = NULL;
    }
}

void must_be_held(const char *name)
{
    WAIT_FOR(held(name) != NULL, "\"%s\" was not handled", name);
}

void answer(const char *name, const char *body)
{
    struct http_request *request = held(name);

    assert_non_null(request);
    forget(name);
    http_reply(request, 200, "text/plain", body, strlen(body));
}
