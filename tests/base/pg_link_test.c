/* What becomes of a link to Postgres whose descriptor libpq has closed by itself, against a server
 * of the test's own that says just enough to be taken for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/pg_link.h"
#include "base/pg_params.h"

#include <cmocka.h>

enum { PARAM_BYTES = 32 << 20, PEERS_MAX = 8, DEADLINE_MS = 5000 };

/* AuthenticationOk and ReadyForQuery, and the answer to a Sync (protocol 3.0, "Message Formats").
 */
static char welcome[] = "R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I", synced[] = "Z\0\0\0\x05I";

static uv_loop_t loop;
static uv_tcp_t listener, peers[PEERS_MAX];
static uv_timer_t deadline;
static int peer_count;
static bool has_greeted[PEERS_MAX];

struct watcher {
    struct pg_link *link;
    int ready, lost;
};

static void say(uv_tcp_t *peer, char *bytes, size_t length)
{
    uv_buf_t buffer = uv_buf_init(bytes, (unsigned)length);

    assert_int_equal(uv_try_write((uv_stream_t *)peer, &buffer, 1), (int)length);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    static char bytes[65536];

    (void)handle, (void)size;
    *buffer = uv_buf_init(bytes, sizeof(bytes));
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    uv_tcp_t *peer = (uv_tcp_t *)stream;

    (void)buffer;
    if (length <= 0)
        return;
    if (!has_greeted[peer - peers])
        say(peer, welcome, sizeof(welcome) - 1);
    else
        say(peer, synced, sizeof(synced) - 1);
    has_greeted[peer - peers] = true;
}

static void on_connection(uv_stream_t *stream, int status)
{
    uv_tcp_t *peer = &peers[peer_count++];

    assert_int_equal(status, 0);
    assert_in_range(peer_count, 1, PEERS_MAX);
    uv_tcp_init(&loop, peer);
    assert_int_equal(uv_accept(stream, (uv_stream_t *)peer), 0);
    uv_read_start((uv_stream_t *)peer, on_alloc, on_read);
}

static void on_ready(void *owner)
{
    ((struct watcher *)owner)->ready++;
}

static void on_result(void *owner, const PGresult *result)
{
    (void)owner, (void)result;
}

static void on_synced(void *owner, bool is_doubtful)
{
    (void)owner, (void)is_doubtful;
}

static void on_lost(void *owner, const struct fault *fault)
{
    (void)fault;
    ((struct watcher *)owner)->lost++;
}

static const struct pg_link_events events = {
    .on_ready = on_ready, .on_result = on_result, .on_synced = on_synced, .on_lost = on_lost};

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("not within %d ms", DEADLINE_MS);
}

static void run_until(const int *count, int wanted)
{
    uv_timer_start(&deadline, on_deadline, DEADLINE_MS, 0);
    while (*count < wanted)
        uv_run(&loop, UV_RUN_ONCE);
    uv_timer_stop(&deadline);
}

static char conninfo[128];
static struct pg_server server = {.conninfo = conninfo};

static void open_link(struct watcher *watcher)
{
    const struct pg_link_options options = {.server = &server};

    *watcher = (struct watcher){0};
    watcher->link = pg_link_create(&loop, &options, &events, watcher);
}

/* The server has said its last and reads no more: libpq, which cannot write, reads, finds the end,
 * and closes the descriptor from inside the send. */
static void send_until_closed(struct watcher *watcher, uv_tcp_t *peer)
{
    static const struct pg_statement statement = {.name = "s", .sql = "SELECT $1"};
    char *bytes = xcalloc(1, PARAM_BYTES);
    struct pg_params params;
    uv_os_fd_t fd;

    memset(bytes, 'x', PARAM_BYTES - 1);
    uv_read_stop((uv_stream_t *)peer);
    assert_int_equal(uv_fileno((uv_handle_t *)peer, &fd), 0);
    assert_int_equal(shutdown(fd, SHUT_WR), 0); /* before the loop could tell the link of it */
    pg_params_init(&params);
    pg_add_text(&params, bytes);
    pg_link_send(watcher->link, &statement, &params);
    pg_link_sync(watcher->link);
    pg_params_finish(&params);
    free(bytes);
}

static void a_descriptor_that_libpq_closed_in_a_send_is_nobodys(void **state)
{
    struct watcher first, second;

    (void)state;
    open_link(&first);
    run_until(&first.ready, 1);
    send_until_closed(&first, &peers[0]);
    open_link(&second); /* its socket has the number of the first one's */
    run_until(&second.ready, 1);
    run_until(&first.lost, 1);
    run_until(&first.ready, 2);
    pg_link_destroy(first.link);
    pg_link_destroy(second.link);
    uv_run(&loop, UV_RUN_NOWAIT);
}

static int open_server(void **state)
{
    struct sockaddr_storage name;
    int length = sizeof(name);

    (void)state;
    uv_loop_init(&loop);
    uv_timer_init(&loop, &deadline);
    uv_tcp_init(&loop, &listener);
    uv_ip4_addr("127.0.0.1", 0, (struct sockaddr_in *)&name);
    uv_tcp_bind(&listener, (struct sockaddr *)&name, 0);
    uv_listen((uv_stream_t *)&listener, PEERS_MAX, on_connection);
    uv_tcp_getsockname(&listener, (struct sockaddr *)&name, &length);
    snprintf(conninfo, sizeof(conninfo),
             "host=127.0.0.1 port=%d user=x dbname=x sslmode=disable gssencmode=disable",
             ntohs(((struct sockaddr_in *)&name)->sin_port));
    return 0;
}

static void close_handle(uv_handle_t *handle, void *data)
{
    (void)data;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static int close_server(void **state)
{
    (void)state;
    uv_walk(&loop, close_handle, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_descriptor_that_libpq_closed_in_a_send_is_nobodys),
    };

    return cmocka_run_group_tests(tests, open_server, close_server);
}
