#include <amqp_tcp_socket.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/amqp_wire.h"
#include "base/clock.h"
#include "base/memory.h"

/* Silence for two heartbeats means that the broker is gone.  12 s is far below what a person
 * notices of a queue, and far above what a busy machine makes a live broker keep silent. */
enum { DIAL_MS = 3000, LOGIN_S = 5, HEARTBEAT_S = 6, PATIENCE_MS = 5000, FRAME_BYTES_MAX = 131072 };

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

/* --- login ---------------------------------------------------------------------------------------
 */

/* RabbitMQ sends connection.blocked and basic.cancel only to who says that it understands them;
 * librabbitmq's own list does not (traps.md §1.3). */
static amqp_rpc_reply_t login(struct amqp_wire *wire, const struct amqp_connection_info *address)
{
    static const char *const names[] = {"connection.blocked", "consumer_cancel_notify",
                                        "publisher_confirms", "basic.nack"};
    amqp_table_entry_t can[ARRAY_SIZE(names)], property;
    amqp_table_t properties = {1, &property};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        can[i].key = amqp_cstring_bytes(names[i]);
        can[i].value.kind = AMQP_FIELD_KIND_BOOLEAN;
        can[i].value.value.boolean = 1;
    }
    property.key = amqp_cstring_bytes("capabilities");
    property.value.kind = AMQP_FIELD_KIND_TABLE;
    property.value.value.table.num_entries = ARRAY_SIZE(names);
    property.value.value.table.entries = can;
    return amqp_login_with_properties(wire->connection, address->vhost, AMQP_CHANNELS,
                                      FRAME_BYTES_MAX, HEARTBEAT_S, &properties,
                                      AMQP_SASL_METHOD_PLAIN, address->user, address->password);
}

static bool fail_login(const struct amqp_connection_info *address, amqp_rpc_reply_t reply,
                       struct fault *fault)
{
    const amqp_connection_close_t *closed = reply.reply.decoded;

    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
        reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD)
        return fail(fault, FAULT_BROKEN, "RabbitMQ %s:%d, vhost %s, refuses user %s: %d %.*s",
                    address->host, address->port, address->vhost, address->user, closed->reply_code,
                    (int)closed->reply_text.len, (const char *)closed->reply_text.bytes);
    return fail(fault, FAULT_TRANSIENT, "RabbitMQ %s:%d: login failed: %s", address->host,
                address->port, amqp_error_string2(reply.library_error));
}

static void take_tuning(struct amqp_wire *wire)
{
    wire->frame_bytes_max = (size_t)amqp_get_frame_max(wire->connection);
    wire->heartbeat_ms = (uint64_t)amqp_get_heartbeat(wire->connection) * 1000;
    if (wire->heartbeat_ms == 0) /* the broker wants none: ask for signs of life just the same */
        wire->heartbeat_ms = UINT32_MAX;
    wire->heard_ms = wire->spoke_ms = clock_monotonic_ms();
}

/* It guarded librabbitmq's blocking writes.  From here on our heartbeat judges: under a memory
 * alarm the broker lets its window close for as long as it likes, but it is alive and says so. */
static void end_user_timeout(int fd)
{
    const unsigned none = 0;

    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &none, sizeof(none));
}

static bool enter(struct amqp_wire *wire, const struct amqp_connection_info *address,
                  struct fault *fault)
{
    const struct timeval patience = {LOGIN_S, 0};
    amqp_rpc_reply_t reply;

    /* A copy: librabbitmq closes its own when it has had enough, perhaps while the owner of ours
     * shuts it down, and by then the number could be somebody else's. */
    amqp_tcp_socket_set_sockfd(amqp_tcp_socket_new(wire->connection),
                               fcntl(wire->fd, F_DUPFD_CLOEXEC, 0));
    amqp_set_handshake_timeout(wire->connection, &patience);
    amqp_set_rpc_timeout(wire->connection, &patience);
    reply = login(wire, address);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        return fail_login(address, reply, fault);
    take_tuning(wire);
    end_user_timeout(wire->fd);
    if (amqp_tune_connection(wire->connection, AMQP_CHANNELS, amqp_get_frame_max(wire->connection),
                             0) != AMQP_STATUS_OK)
        return fail(fault, FAULT_BROKEN, "RabbitMQ: cannot turn librabbitmq's heartbeat off");
    return amqp_wire_open_channel(wire, AMQP_CHANNEL_WORK, fault) &&
           amqp_wire_open_channel(wire, AMQP_CHANNEL_CONTROL, fault);
}

bool amqp_wire_open(struct amqp_wire *wire, int fd, const struct amqp_connection_info *address,
                    struct fault *fault)
{
    wire->connection = amqp_new_connection();
    if (wire->connection == NULL)
        abort();
    wire->fd = fd;
    wire->patience_ms = PATIENCE_MS;
    return enter(wire, address, fault);
}
