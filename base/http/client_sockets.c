#include "base/http/client_sockets.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

struct http_socket {
    uv_poll_t poll;
    struct http_sockets *sockets;
    curl_socket_t fd;
    int wanted; /* UV_READABLE | UV_WRITABLE, as libcurl asked last */
};

static void on_poll(uv_poll_t *poll, int status, int events);

static struct http_socket *find(const struct http_sockets *sockets, curl_socket_t fd)
{
    return fd >= 0 && fd < sockets->room ? sockets->by_fd[fd] : NULL;
}

static void keep(struct http_sockets *sockets, struct http_socket *socket)
{
    int room = sockets->room ? sockets->room : 64;

    while (room <= socket->fd)
        room *= 2;
    if (room != sockets->room) {
        sockets->by_fd = xrealloc(sockets->by_fd, (size_t)room * sizeof(struct http_socket *));
        for (int i = sockets->room; i < room; i++)
            sockets->by_fd[i] = NULL;
        sockets->room = room;
    }
    sockets->by_fd[socket->fd] = socket;
}

static void on_closed(uv_handle_t *handle)
{
    free(container_of(handle, struct http_socket, poll));
}

curl_socket_t http_sockets_open(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_sockets *sockets = data;
    int fd = socket(address->family, address->socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    address->protocol);
    struct http_socket *socket;

    (void)purpose;
    if (fd < 0)
        return CURL_SOCKET_BAD;
    socket = xcalloc(1, sizeof(*socket));
    socket->sockets = sockets;
    socket->fd = fd;
    if (uv_poll_init(sockets->loop, &socket->poll, fd) != 0) {
        free(socket);
        close(fd);
        return CURL_SOCKET_BAD;
    }
    keep(sockets, socket);
    return fd;
}

int http_sockets_close(void *data, curl_socket_t fd)
{
    struct http_sockets *sockets = data;
    struct http_socket *socket = find(sockets, fd);

    assert(socket != NULL);
    sockets->by_fd[fd] = NULL;
    /* libuv lets go of the descriptor at once; only the memory waits for on_closed. */
    uv_close((uv_handle_t *)&socket->poll, on_closed);
    return close(fd);
}

static void watch(struct http_socket *socket)
{
    if (socket->wanted == 0)
        uv_poll_stop(&socket->poll);
    else if (uv_poll_start(&socket->poll, socket->wanted, on_poll) != 0)
        abort(); /* only a descriptor that is not ours any more could be refused */
}

int http_sockets_watch(CURL *easy, curl_socket_t fd, int what, void *data, void *unused)
{
    struct http_socket *socket = find(data, fd);

    (void)easy;
    (void)unused;
    if (socket == NULL) {
        assert(what == CURL_POLL_REMOVE); /* told after the closing: nothing is left to stop */
        return 0;
    }
    socket->wanted = (what & CURL_POLL_IN ? UV_READABLE : 0) |
                     (what & CURL_POLL_OUT ? UV_WRITABLE : 0); /* REMOVE has neither bit */
    watch(socket);
    return 0;
}

/* libuv stops a watcher whose socket has an error pending (UV_EBADF).  libcurl is then told
 * "readable" as well: with the error alone it would give up an answer that arrived whole before a
 * reset.  Should it not end with the socket, it is watched again. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct http_socket *socket = container_of(poll, struct http_socket, poll);
    struct http_sockets *sockets = socket->sockets;
    curl_socket_t fd = socket->fd;
    int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);

    if (status < 0) {
        flags = CURL_CSELECT_IN | CURL_CSELECT_ERR;
        watch(socket);
    }
    sockets->on_event(sockets->owner, fd, flags);
}

void http_sockets_init(struct http_sockets *sockets, uv_loop_t *loop)
{
    *sockets = (struct http_sockets){.loop = loop};
}

void http_sockets_finish(struct http_sockets *sockets)
{
    for (int i = 0; i < sockets->room; i++)
        assert(sockets->by_fd[i] == NULL);
    free(sockets->by_fd);
    *sockets = (struct http_sockets){0};
}
