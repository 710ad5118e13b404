/* tests/bench/load/link.h - a kept-alive connection, one request at a time
 *
 *     CONNECTING ─► IDLE ⇄ BUSY        lost or given up on: CONNECTING again
 *
 * One request always fits into the socket's buffer, so a write is whole or the connection is lost.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>

#include "tests/bench/load/answer.h"
#include "tests/bench/load/op.h"

enum link_state { LINK_CONNECTING, LINK_IDLE, LINK_BUSY };
enum { LINK_INPUT_BYTES = 8192 };

struct link {
    int fd;
    enum link_state state;
    struct op *op; /* BUSY */
    uint64_t sent_ns;
    int32_t floor, known; /* polls: what the answer must not be older than; what was said to be
                           * known */
    size_t input_length;
    char input[LINK_INPUT_BYTES];
    TAILQ_ENTRY(link) next; /* of the list of its state */
};
TAILQ_HEAD(link_list, link);

/* Begins to connect, on the epoll; the end is told by EPOLLOUT. */
void link_open(struct link *link, int epoll, int port);
void link_shut(struct link *link);
bool link_is_connected(const struct link *link); /* asked at EPOLLOUT */
void link_want_input(struct link *link, int epoll);
bool link_write(struct link *link, const char *bytes, size_t length);
/* 1: an answer is whole; 0: not yet; -1: the connection has ended. */
int link_read(struct link *link, struct answer *answer);
