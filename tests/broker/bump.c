#include "tests/broker/bump.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

enum { PAIRS_MAX = 16, PIECE_BYTES = 65536, FREEZE_TURN_MS = 10 };

struct bump {
    struct sockaddr_in broker;
    int listener, port, wake_fd;
    pthread_t thread;
    _Atomic int mode;
    atomic_bool is_ending;
    int fds[PAIRS_MAX][2];
    int count;
};

static void hang_up(struct bump *bump, int pair)
{
    const struct linger reset = {1, 0};

    for (int side = 0; side < 2; side++) {
        setsockopt(bump->fds[pair][side], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(bump->fds[pair][side]);
    }
    memmove(&bump->fds[pair], &bump->fds[pair + 1],
            (size_t)(--bump->count - pair) * sizeof(bump->fds[0]));
}

static void take_on(struct bump *bump)
{
    int client = accept4(bump->listener, NULL, NULL, SOCK_CLOEXEC);
    int broker = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (client >= 0 && broker >= 0 && bump->mode != BUMP_CUT && bump->count < PAIRS_MAX &&
        connect(broker, (struct sockaddr *)&bump->broker, sizeof(bump->broker)) == 0) {
        bump->fds[bump->count][0] = client;
        bump->fds[bump->count++][1] = broker;
        return;
    }
    close(client);
    close(broker);
}

/* A piece at a time: what does not fit waits in the kernel, which is what a slow peer does. */
static bool carry(int from, int to)
{
    char piece[PIECE_BYTES];
    ssize_t length = recv(from, piece, sizeof(piece), 0);

    for (ssize_t done = 0, sent; done < length; done += sent) {
        sent = send(to, piece + done, (size_t)(length - done), MSG_NOSIGNAL);
        if (sent < 0)
            return false;
    }
    return length > 0;
}

static bool carry_pair(struct bump *bump, int pair, const struct pollfd *polled)
{
    for (int side = 0; side < 2; side++) {
        if (polled[side].revents && !carry(bump->fds[pair][side], bump->fds[pair][1 - side]))
            return false;
    }
    return true;
}

static void turn(struct bump *bump)
{
    struct pollfd fds[2 + 2 * PAIRS_MAX] = {{bump->listener, POLLIN, 0},
                                            {bump->wake_fd, POLLIN, 0}};
    int count = bump->count, mode = bump->mode;

    for (int i = 0; i < 2 * count; i++)
        fds[2 + i] = (struct pollfd){bump->fds[i / 2][i % 2], mode == BUMP_FLOWING ? POLLIN : 0, 0};
    poll(fds, 2 + 2 * (nfds_t)count, mode == BUMP_FROZEN ? FREEZE_TURN_MS : -1);
    if (mode == BUMP_FROZEN)
        return;
    for (int pair = count - 1; pair >= 0; pair--) {
        if (mode == BUMP_CUT || !carry_pair(bump, pair, &fds[2 + 2 * pair]))
            hang_up(bump, pair);
    }
    if (fds[0].revents)
        take_on(bump);
}

static void *run(void *argument)
{
    struct bump *bump = argument;
    eventfd_t wakes;

    while (!bump->is_ending) {
        turn(bump);
        eventfd_read(bump->wake_fd, &wakes);
    }
    while (bump->count > 0)
        hang_up(bump, 0);
    return NULL;
}

struct bump *bump_open(const char *host, int port)
{
    struct bump *bump = xcalloc(1, sizeof(*bump));
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(here);

    bump->broker = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    bump->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bump->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (inet_pton(AF_INET, host, &bump->broker.sin_addr) != 1 ||
        bind(bump->listener, (struct sockaddr *)&here, sizeof(here)) < 0 ||
        listen(bump->listener, PAIRS_MAX) < 0 ||
        getsockname(bump->listener, (struct sockaddr *)&here, &size) < 0 ||
        pthread_create(&bump->thread, NULL, run, bump) != 0)
        abort();
    bump->port = ntohs(here.sin_port);
    return bump;
}

int bump_port(const struct bump *bump)
{
    return bump->port;
}

void bump_set(struct bump *bump, enum bump_mode mode)
{
    bump->mode = (int)mode;
    eventfd_write(bump->wake_fd, 1);
}

void bump_close(struct bump *bump)
{
    bump->is_ending = true;
    eventfd_write(bump->wake_fd, 1);
    pthread_join(bump->thread, NULL);
    close(bump->listener);
    close(bump->wake_fd);
    free(bump);
}
