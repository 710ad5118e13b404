#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/amqp_wire.h"
#include "base/clock.h"

enum { DIAL_MS = 3000 };

bool amqp_address_parse(struct amqp_connection_info *address, char *copy, struct fault *fault)
{
    static char default_vhost[] = "/";

    if (amqp_parse_url(copy, address) != AMQP_STATUS_OK)
        return fail(fault, FAULT_BROKEN, "DOCKET_AMQP is no amqp://user:password@host:port/vhost");
    if (address->ssl)
        return fail(fault, FAULT_BROKEN, "DOCKET_AMQP: only amqp:// is spoken, not amqps://");
    if (address->vhost[0] == '\0') /* amqp://host/ is what people write for the default one */
        address->vhost = default_vhost;
    return true;
}

/* A peer that vanished is found by the kernel in 10 s while librabbitmq still writes (login), and
 * in 25 s afterwards where nothing was sent. */
static void set_options(int fd)
{
    const unsigned user_timeout_ms = 10000;
    const int on = 1, idle_s = 10, interval_s = 5, count = 3;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof(user_timeout_ms));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

/* Waits for the connection; a command that comes meanwhile only wakes us. */
static int await_connected(const struct amqp_wire *wire, int fd)
{
    uint64_t until = clock_monotonic_ms() + DIAL_MS, now, wakes;
    struct pollfd fds[2] = {{fd, POLLOUT, 0}, {wire->wake_fd, POLLIN, 0}};
    int error = 0;
    socklen_t size = sizeof(error);

    while (!fds[0].revents) {
        now = clock_monotonic_ms();
        if (now >= until || atomic_load(wire->is_given_up))
            return ETIMEDOUT;
        if (poll(fds, 2, (int)(until - now)) < 0 && errno != EINTR)
            return errno;
        if (fds[1].revents && read(wire->wake_fd, &wakes, sizeof(wakes)) < 0 && errno != EAGAIN)
            return errno;
    }
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

static int dial_one(const struct amqp_wire *wire, const struct addrinfo *to, int *fd)
{
    int error = 0;

    *fd = socket(to->ai_family, to->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, to->ai_protocol);
    if (*fd < 0)
        return errno;
    set_options(*fd);
    if (connect(*fd, to->ai_addr, to->ai_addrlen) < 0)
        error = errno == EINPROGRESS ? await_connected(wire, *fd) : errno;
    if (error != 0)
        close(*fd);
    return error;
}

bool amqp_dial(const struct amqp_connection_info *address, const struct amqp_wire *wire, int *fd,
               struct fault *fault)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    char port[16];
    int error;

    snprintf(port, sizeof(port), "%d", address->port);
    error = getaddrinfo(address->host, port, &hints, &found);
    if (error != 0)
        return fail(fault, FAULT_TRANSIENT, "RabbitMQ: %s: %s", address->host, gai_strerror(error));
    error = EADDRNOTAVAIL;
    for (const struct addrinfo *to = found; to != NULL && error != 0; to = to->ai_next)
        error = dial_one(wire, to, fd);
    freeaddrinfo(found);
    if (error != 0)
        return fail(fault, FAULT_TRANSIENT, "RabbitMQ %s:%d: %s", address->host, address->port,
                    strerror(error));
    return true;
}
