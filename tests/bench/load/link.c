#include "tests/bench/load/link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

void link_open(struct link *link, int epoll, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = link};
    int one = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    link->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link->fd < 0) {
        perror("generator: socket");
        exit(1);
    }
    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    link->input_length = 0;
    (void)connect(link->fd, (struct sockaddr *)&address, sizeof(address));
    epoll_ctl(epoll, EPOLL_CTL_ADD, link->fd, &event);
}

void link_shut(struct link *link)
{
    close(link->fd);
    link->fd = -1;
}

bool link_is_connected(const struct link *link)
{
    int error = 0;
    socklen_t size = sizeof(error);

    return getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

void link_want_input(struct link *link, int epoll)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = link};

    epoll_ctl(epoll, EPOLL_CTL_MOD, link->fd, &event);
}

bool link_write(struct link *link, const char *bytes, size_t length)
{
    return send(link->fd, bytes, length, MSG_NOSIGNAL) == (ssize_t)length;
}

int link_read(struct link *link, struct answer *answer)
{
    ssize_t length =
        recv(link->fd, link->input + link->input_length, LINK_INPUT_BYTES - link->input_length, 0);
    size_t used;

    if (length < 0)
        return errno == EAGAIN ? 0 : -1;
    link->input_length += (size_t)length;
    if (length == 0 || link->input_length == LINK_INPUT_BYTES)
        return -1;
    used = answer_read(link->input, link->input_length, answer);
    if (used == 0)
        return 0;
    link->input_length -= used;
    memmove(link->input, link->input + used, link->input_length);
    return 1;
}
