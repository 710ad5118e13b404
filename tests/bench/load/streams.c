/* streams - thousands of connections that are idle, and thousands that wait for events
 *
 *     streams PORT IDLE KEY IDS_FILE SECONDS
 *
 * Opens IDLE connections that ask once and then keep silent, and a stream of the events of each
 * order in the file.  Prints {"open":N} when all of them were answered, then a line for each event:
 * which stream, the version, and when it came (µs since 1970), for SECONDS; then how many
 * connections are still open.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/memory.h"
#include "tests/bench/load/link.h"
#include "tests/bench/load/options.h"

enum { EVENTS_MAX = 512, OPENING_MAX = 200, DEADLINE_MS = 60000 };

struct crowd {
    struct load_options options; /* port, authorization, ids */
    int epoll, idle, count, begun, answered, closed;
    struct link *links;
    bool *is_answered;
};

static void open_some(struct crowd *crowd)
{
    while (crowd->begun < crowd->count && crowd->begun - crowd->answered < OPENING_MAX)
        link_open(&crowd->links[crowd->begun++], crowd->epoll, crowd->options.port);
}

static void ask(struct crowd *crowd, struct link *link, int index)
{
    bool is_idle = index < crowd->idle;
    const char *id = crowd->options.ids[is_idle ? 0 : index - crowd->idle];
    char request[512];
    int length = snprintf(request, sizeof(request),
                          "GET /v1/orders/%s%s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                          "Authorization: Bearer %s\r\n\r\n",
                          id, is_idle ? "" : "/events", crowd->options.authorization);

    link_want_input(link, crowd->epoll);
    if (!link_is_connected(link) || !link_write(link, request, (size_t)length)) {
        fprintf(stderr, "streams: connection %d was refused\n", index);
        exit(1);
    }
}

/* An event comes in one write, so its id is whole. */
static void note_events(int stream, const char *bytes)
{
    int64_t now_us = clock_wall_us();

    for (const char *at = bytes; (at = strstr(at, "id: ")) != NULL; at += 4)
        printf("{\"stream\":%d,\"version\":%d,\"at_us\":%lld}\n", stream,
               (int)strtol(at + 4, NULL, 10), (long long)now_us);
}

static void on_input(struct crowd *crowd, struct link *link, int index)
{
    ssize_t length = recv(link->fd, link->input, LINK_INPUT_BYTES - 1, 0);

    if (length <= 0) {
        link_shut(link);
        crowd->closed++;
        return;
    }
    link->input[length] = '\0';
    if (!crowd->is_answered[index] && strncmp(link->input, "HTTP/1.1 200", 12) != 0) {
        fprintf(stderr, "streams: connection %d: %.60s\n", index, link->input);
        exit(1);
    }
    crowd->answered += !crowd->is_answered[index];
    crowd->is_answered[index] = true;
    if (index >= crowd->idle)
        note_events(index - crowd->idle, link->input);
}

static void wait_once(struct crowd *crowd)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(crowd->epoll, events, EVENTS_MAX, 100);

    for (int i = 0; i < count; i++) {
        struct link *link = events[i].data.ptr;
        int index = (int)(link - crowd->links);

        if (events[i].events & EPOLLOUT)
            ask(crowd, link, index);
        else
            on_input(crowd, link, index);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct crowd crowd;
    uint64_t until_ms = clock_monotonic_ms() + DEADLINE_MS;

    if (argc != 6) {
        fprintf(stderr, "streams PORT IDLE KEY IDS_FILE SECONDS\n");
        return 2;
    }
    crowd.options.port = (int)strtol(argv[1], NULL, 10);
    crowd.idle = (int)strtol(argv[2], NULL, 10);
    crowd.options.authorization = argv[3];
    load_options_read_ids(&crowd.options, argv[4]);
    crowd.count = crowd.idle + crowd.options.id_count;
    crowd.links = xcalloc((size_t)crowd.count, sizeof(*crowd.links));
    crowd.is_answered = xcalloc((size_t)crowd.count, sizeof(*crowd.is_answered));
    crowd.epoll = epoll_create1(EPOLL_CLOEXEC);
    while (crowd.answered < crowd.count && clock_monotonic_ms() < until_ms) {
        open_some(&crowd);
        wait_once(&crowd);
    }
    printf("{\"open\":%d}\n", crowd.answered);
    until_ms = clock_monotonic_ms() + strtoull(argv[5], NULL, 10) * 1000;
    while (clock_monotonic_ms() < until_ms)
        wait_once(&crowd);
    printf("{\"still_open\":%d}\n", crowd.answered - crowd.closed);
    return 0;
}
