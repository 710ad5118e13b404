/* generator - an open-loop load of orders or polls, in one loop
 *
 *     generator kind=orders port=8080 connections=64 phases=500:2,500:10 body=order.json …
 *
 * Arrivals come at random (Poisson) at the rate that is asked for, whatever the server does, and
 * latencies count from when the request was *meant* to be sent: a server that stands still for a
 * second makes all requests of that second late, not just the one that it held.  Rate 0 is a closed
 * loop.  A request that was refused for now, or not answered, comes again with its key.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "tests/bench/load/link.h"
#include "tests/bench/load/request.h"
#include "tests/bench/load/tally.h"

enum { EVENTS_MAX = 256, MS_NS = 1000000, SECOND_NS = 1000000000, PAUSE_MS_MAX = 8000 };

struct load {
    struct load_options options;
    struct request_text text;
    struct tally tally;
    int epoll, phase;
    uint64_t begun_ns, phase_ends_ns, arrival_ns, now_ns, number, random;
    bool is_over; /* nothing new begins */
    uint64_t over_ns;
    struct op_list ready, spare;
    struct op_heap later;
    struct link *links;
    struct link_list by_state[3];
    int busy;
    const volatile int32_t *floors; /* what others have committed, or NULL */
    int32_t *seen;                  /* polls: the newest version that was answered */
};

static void begin_phase(struct load *load);
static void release_due(struct load *load);
static void assign(struct load *load);
static void wait_for_events(struct load *load);
static void give_up_late(struct load *load);
static void on_answer(struct load *load, struct link *link, const struct answer *answer);
static void end_attempt(struct load *load, struct op *op, enum load_fate fate, int retry_after_s);

/* Random numbers (xorshift64*): the same load again for the same seed. */
static double random_share(struct load *load)
{
    load->random ^= load->random >> 12;
    load->random ^= load->random << 25;
    load->random ^= load->random >> 27;
    return ((double)(load->random * UINT64_C(0x2545f4914f6cdd1d) >> 11) + 1) / 9007199254740993.0;
}

static void move(struct load *load, struct link *link, enum link_state state)
{
    TAILQ_REMOVE(&load->by_state[link->state], link, next);
    load->busy += (state == LINK_BUSY) - (link->state == LINK_BUSY);
    link->state = state;
    if (state == LINK_IDLE) /* the one that was used last: as few are busy as are needed */
        TAILQ_INSERT_HEAD(&load->by_state[state], link, next);
    else
        TAILQ_INSERT_TAIL(&load->by_state[state], link, next);
}

static bool is_closed_loop(const struct load *load)
{
    return load->options.phases[load->phase].rate == 0;
}

static void draw_arrival(struct load *load)
{
    double rate = load->options.phases[load->phase].rate;

    load->arrival_ns += (uint64_t)(-log(random_share(load)) * SECOND_NS / rate);
}

static void begin_phase(struct load *load)
{
    const struct load_phase *phase = &load->options.phases[load->phase];
    uint64_t begins_ns = load->phase ? load->phase_ends_ns : load->begun_ns;

    printf("{\"began\":%d}\n", load->phase);
    fflush(stdout);
    load->phase_ends_ns = begins_ns + (uint64_t)(phase->seconds * SECOND_NS);
    load->arrival_ns = begins_ns;
    if (!is_closed_loop(load))
        draw_arrival(load);
}

static void end_phase(struct load *load)
{
    if (load->phase + 1 < load->options.phase_count) {
        load->phase++;
        begin_phase(load);
    } else {
        load->is_over = true;
        load->over_ns = load->now_ns;
        printf("{\"began\":%d}\n", load->phase + 1);
        fflush(stdout);
    }
}

static struct op *begin_op(struct load *load, uint64_t due_ns)
{
    struct op *op = STAILQ_FIRST(&load->spare);

    if (op)
        STAILQ_REMOVE_HEAD(&load->spare, next);
    else
        op = xcalloc(1, sizeof(*op));
    *op = (struct op){.first_ns = due_ns, .due_ns = due_ns, .phase = load->phase};
    op->number = load->options.kind == LOAD_POLLS
                     ? (uint64_t)(random_share(load) * (load->options.id_count - 1))
                     : load->number++;
    load->tally.phases[load->phase].offered++;
    tally_second(&load->tally, due_ns - load->begun_ns)->offered++;
    return op;
}

static void release_due(struct load *load)
{
    struct op *op;

    while (!load->is_over && load->now_ns >= load->phase_ends_ns)
        end_phase(load);
    while (!load->is_over && !is_closed_loop(load) && load->arrival_ns <= load->now_ns &&
           load->arrival_ns < load->phase_ends_ns) {
        op = begin_op(load, load->arrival_ns);
        STAILQ_INSERT_TAIL(&load->ready, op, next);
        draw_arrival(load);
    }
    while ((op = op_heap_pop_due(&load->later, load->now_ns)) != NULL) {
        op->phase = load->phase;
        STAILQ_INSERT_TAIL(&load->ready, op, next);
    }
}

static struct op *take_op(struct load *load)
{
    struct op *op = STAILQ_FIRST(&load->ready);

    if (op) {
        STAILQ_REMOVE_HEAD(&load->ready, next);
        return op;
    }
    return !load->is_over && is_closed_loop(load) ? begin_op(load, load->now_ns) : NULL;
}

static void reconnect(struct load *load, struct link *link)
{
    link_shut(link);
    move(load, link, LINK_CONNECTING);
    link_open(link, load->epoll, load->options.port);
    load->tally.connects++;
}

static void lose(struct load *load, struct link *link, enum load_fate fate)
{
    struct op *op = link->op;

    link->op = NULL;
    reconnect(load, link);
    if (op)
        end_attempt(load, op, fate, -1);
}

static void send_op(struct load *load, struct link *link, struct op *op)
{
    size_t length;

    link->op = op;
    link->sent_ns = clock_monotonic_ns();
    link->floor = link->known = 0;
    if (load->seen) {
        link->floor = load->seen[op->number];
        if (load->floors && load->floors[op->number] > link->floor)
            link->floor = load->floors[op->number];
        link->known = load->options.is_conditional ? load->seen[op->number] : 0;
    }
    load->tally.phases[op->phase].sent++;
    histogram_add(&load->tally.phases[op->phase].sent_after, (link->sent_ns - op->due_ns) / 1000);
    move(load, link, LINK_BUSY);
    length = request_write(&load->text, op->number, link->known);
    if (!link_write(link, load->text.bytes, length))
        lose(load, link, FATE_LOST);
}

static void assign(struct load *load)
{
    struct link *link;
    struct op *op;

    while ((link = TAILQ_FIRST(&load->by_state[LINK_IDLE])) != NULL && (op = take_op(load)) != NULL)
        send_op(load, link, op);
}

static void on_event(struct load *load, struct link *link, uint32_t events)
{
    struct answer answer;
    int read;

    if (link->state == LINK_CONNECTING) {
        if ((events & EPOLLERR) || !link_is_connected(link)) {
            reconnect(load, link);
            return;
        }
        link_want_input(link, load->epoll);
        move(load, link, LINK_IDLE);
        return;
    }
    read = link_read(link, &answer);
    if (read < 0 || (read > 0 && link->op == NULL))
        lose(load, link, FATE_LOST);
    else if (read > 0)
        on_answer(load, link, &answer);
}

/* Until the next arrival, the next attempt, or the next end of somebody's patience. */
static struct timespec rest(const struct load *load)
{
    uint64_t until_ns = load->now_ns + (uint64_t)20 * MS_NS;

    if (!load->is_over && !is_closed_loop(load) && load->arrival_ns < until_ns)
        until_ns = load->arrival_ns;
    if (load->later.count > 0 && load->later.ops[0]->due_ns < until_ns)
        until_ns = load->later.ops[0]->due_ns;
    if (until_ns < load->now_ns)
        until_ns = load->now_ns;
    return (struct timespec){.tv_nsec = (long)(until_ns - load->now_ns)};
}

static void wait_for_events(struct load *load)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec timeout = rest(load);
    int count = epoll_pwait2(load->epoll, events, EVENTS_MAX, &timeout, NULL);

    load->now_ns = clock_monotonic_ns();
    for (int i = 0; i < count; i++)
        on_event(load, events[i].data.ptr, events[i].events);
}

static bool is_past(const struct load *load, uint64_t since_ns)
{
    return load->options.timeout_ms > 0 &&
           load->now_ns - since_ns > load->options.timeout_ms * MS_NS;
}

static void give_up_late(struct load *load)
{
    struct link *link;
    struct op *op;

    while ((link = TAILQ_FIRST(&load->by_state[LINK_BUSY])) != NULL && is_past(load, link->sent_ns))
        lose(load, link, FATE_LATE);
    while ((op = STAILQ_FIRST(&load->ready)) != NULL && is_past(load, op->due_ns)) {
        STAILQ_REMOVE_HEAD(&load->ready, next);
        end_attempt(load, op, FATE_UNSENT, -1);
    }
}

static enum load_fate fate_of(int status)
{
    if (status == 202 || status == 200 || status == 304)
        return FATE_GOOD;
    return status == 409 || status == 429 || status == 503 ? FATE_REFUSED : FATE_FAILED;
}

static void note_version(struct load *load, const struct link *link, const struct answer *answer)
{
    int32_t version = answer->status == 304 ? link->known : answer->version;

    if (version < link->floor)
        load->tally.phases[link->op->phase].stale++;
    if (version > load->seen[link->op->number])
        load->seen[link->op->number] = version;
}

static void on_answer(struct load *load, struct link *link, const struct answer *answer)
{
    struct op *op = link->op;
    enum load_fate fate = fate_of(answer->status);
    struct tally_phase *phase = &load->tally.phases[op->phase];
    uint64_t took_us = (clock_monotonic_ns() - op->due_ns) / 1000;

    if (answer->status > 0 && answer->status < 600)
        load->tally.statuses[answer->status]++;
    if (fate == FATE_GOOD) {
        histogram_add(&phase->good, took_us);
        histogram_add(&phase->whole, took_us + (op->due_ns - op->first_ns) / 1000);
        if (load->seen)
            note_version(load, link, answer);
    } else if (fate == FATE_REFUSED) {
        histogram_add(&phase->refused, took_us);
    }
    link->op = NULL;
    if (answer->closes)
        reconnect(load, link);
    else
        move(load, link, LINK_IDLE);
    end_attempt(load, op, fate, answer->retry_after_s);
}

/* As told, and up to a second more, so that those who were told the same do not come together;
 * full jitter where nothing was said. */
static uint64_t pause_ns(struct load *load, const struct op *op, int retry_after_s)
{
    double most_ms = 1000 * pow(2, op->attempts - 1);

    if (retry_after_s >= 0)
        return (uint64_t)((retry_after_s + random_share(load)) * SECOND_NS);
    return (uint64_t)((most_ms < PAUSE_MS_MAX ? most_ms : PAUSE_MS_MAX) * random_share(load) *
                      MS_NS);
}

static void end_attempt(struct load *load, struct op *op, enum load_fate fate, int retry_after_s)
{
    struct tally_second *second = tally_second(&load->tally, load->now_ns - load->begun_ns);

    load->tally.phases[op->phase].fates[fate]++;
    op->attempts++;
    if (fate == FATE_GOOD)
        second->good++;
    else if (fate == FATE_REFUSED)
        second->refused++;
    else
        second->failed++;
    if (fate != FATE_GOOD && fate != FATE_FAILED && !load->is_over &&
        op->attempts < load->options.attempts_max) {
        op->due_ns = load->now_ns + pause_ns(load, op, retry_after_s);
        op_heap_push(&load->later, op);
        return;
    }
    load->tally.left += fate != FATE_GOOD;
    STAILQ_INSERT_HEAD(&load->spare, op, next);
}

static bool is_done(const struct load *load)
{
    if (!load->is_over)
        return false;
    return (load->busy == 0 && STAILQ_EMPTY(&load->ready)) ||
           load->now_ns - load->over_ns > load->options.drain_ms * MS_NS;
}

static void map_floors(struct load *load)
{
    size_t size = (size_t)load->options.id_count * sizeof(int32_t);
    int fd;

    load->seen = xcalloc((size_t)load->options.id_count, sizeof(*load->seen));
    if (load->options.floors == NULL)
        return;
    fd = open(load->options.floors, O_RDONLY | O_CLOEXEC);
    load->floors = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (fd < 0 || load->floors == MAP_FAILED) {
        perror("generator: floors");
        exit(1);
    }
    close(fd);
}

static void connect_all(struct load *load)
{
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->links = xcalloc((size_t)load->options.connections, sizeof(*load->links));
    for (int i = 0; i < load->options.connections; i++) {
        TAILQ_INSERT_TAIL(&load->by_state[LINK_CONNECTING], &load->links[i], next);
        link_open(&load->links[i], load->epoll, load->options.port);
    }
}

static void report(struct load *load)
{
    load->tally.left += (uint64_t)(load->busy + load->later.count);
    tally_print(&load->tally, &load->options, stdout);
    if (load->options.series) {
        tally_print_series(&load->tally, load->options.series);
        fclose(load->options.series);
    }
}

int main(int argc, char **argv)
{
    static struct load load;

    load_options_read(&load.options, argc, argv);
    request_init(&load.text, &load.options);
    STAILQ_INIT(&load.ready);
    STAILQ_INIT(&load.spare);
    for (size_t i = 0; i < ARRAY_SIZE(load.by_state); i++)
        TAILQ_INIT(&load.by_state[i]);
    load.random = load.options.seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    if (load.options.kind == LOAD_POLLS)
        map_floors(&load);
    connect_all(&load);
    load.begun_ns = load.now_ns = clock_monotonic_ns();
    begin_phase(&load);
    while (!is_done(&load)) {
        release_due(&load);
        assign(&load);
        wait_for_events(&load);
        give_up_late(&load);
    }
    report(&load);
    return 0;
}
