#include "base/amqp_link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/metrics.h"

enum {
    REST_MIN_MS = 100,
    REST_MAX_MS = 5000,
    TURN_MS = 1000,
    GIVE_UP_MS = 2500, /* past the grace: goodbye takes a second, and login cannot be told */
};

static struct metric links =
    METRIC(METRIC_GAUGE, "docket_broker_links", "Connections to the broker that should be there.");
static struct metric links_up =
    METRIC(METRIC_GAUGE, "docket_broker_links_up", "Connections to the broker that are there.");
static struct metric links_lost = METRIC(METRIC_COUNTER, "docket_broker_links_lost_total",
                                         "Connections to the broker that were there and ended.");

static void *run(void *argument);
static bool attend(struct amqp_link *link, struct fault *fault);
static bool serve(struct amqp_link *link, struct fault *fault);
static void on_async(uv_async_t *async);
static void on_deadline(uv_timer_t *timer);

void amqp_register_metrics(void)
{
    metric_register(&links);
    metric_register(&links_up);
    metric_register(&links_lost);
}

/* --- events: from any thread to the owner's loop ---------------------------------------------- */

struct amqp_event *amqp_event_new(enum amqp_event_kind kind)
{
    struct amqp_event *event = xcalloc(1, sizeof(*event));

    event->kind = kind;
    return event;
}

static void free_event(struct amqp_event *event)
{
    free(event->settled);
    if (event->delivery != NULL)
        free((void *)(uintptr_t)event->delivery->body);
    free(event->delivery);
    free(event);
}

void amqp_link_post(struct amqp_link *link, struct amqp_event *event)
{
    pthread_mutex_lock(&link->mutex);
    TAILQ_INSERT_TAIL(&link->events, event, entry);
    /* Under the mutex: after CLOSED was taken from the list nobody may touch the handle. */
    uv_async_send(&link->async);
    pthread_mutex_unlock(&link->mutex);
}

static void add_settled(struct amqp_event *event, const struct amqp_settled *settled, size_t count)
{
    if (event->settled_count + count > event->settled_room) {
        event->settled_room = (event->settled_count + count) * 2;
        event->settled = xrealloc(event->settled, event->settled_room * sizeof(event->settled[0]));
    }
    memcpy(event->settled + event->settled_count, settled, count * sizeof(*settled));
    event->settled_count += count;
}

void amqp_link_post_settled(struct amqp_link *link, const struct amqp_settled *settled,
                            size_t count)
{
    struct amqp_event *last;

    if (count == 0)
        return;
    pthread_mutex_lock(&link->mutex);
    last = TAILQ_LAST(&link->events, amqp_event_list);
    if (last == NULL || last->kind != AMQP_EVENT_SETTLED) {
        last = amqp_event_new(AMQP_EVENT_SETTLED);
        TAILQ_INSERT_TAIL(&link->events, last, entry);
    }
    add_settled(last, settled, count);
    uv_async_send(&link->async);
    pthread_mutex_unlock(&link->mutex);
}

void amqp_link_wake(struct amqp_link *link)
{
    const uint64_t one = 1;

    while (write(link->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

/* --- the thread ------------------------------------------------------------------------------- */

static void hold_fd(struct amqp_link *link, int fd)
{
    pthread_mutex_lock(&link->mutex);
    link->fd = fd;
    pthread_mutex_unlock(&link->mutex);
}

static void post_ready(struct amqp_link *link)
{
    struct amqp_event *event = amqp_event_new(AMQP_EVENT_READY);

    event->epoch = link->epoch;
    amqp_link_post(link, event);
}

/* A link that was ready is always told lost; a try in vain only if it fails in a new way. */
static void post_lost(struct amqp_link *link, const struct fault *fault)
{
    struct amqp_event *event;

    if (!link->is_ready && strcmp(fault->text, link->told) == 0)
        return;
    snprintf(link->told, sizeof(link->told), "%s", fault->text);
    event = amqp_event_new(AMQP_EVENT_LOST);
    event->fault = *fault;
    amqp_link_post(link, event);
}

/* Exponential, the upper half at random, so that a fleet does not come back as one. */
static uint64_t pause_ms(unsigned tries)
{
    uint64_t most = tries < 6 ? (uint64_t)REST_MIN_MS << tries : REST_MAX_MS, random;

    if (most > REST_MAX_MS)
        most = REST_MAX_MS;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        random = clock_monotonic_ns();
    return most / 2 + random % (most / 2 + 1);
}

static void rest(struct amqp_link *link)
{
    uint64_t until = clock_monotonic_ms() + pause_ms(link->tries++), now, wakes;
    struct pollfd fd = {link->wake_fd, POLLIN, 0};

    while (!atomic_load(&link->is_closing) && (now = clock_monotonic_ms()) < until) {
        if (poll(&fd, 1, (int)(until - now)) > 0 && read(fd.fd, &wakes, sizeof(wakes)) < 0)
            return;
    }
}

static void *run(void *argument)
{
    struct amqp_link *link = argument;

    while (!atomic_load(&link->is_closing)) {
        struct fault fault = {0};
        bool is_over = attend(link, &fault);

        metric_add(&links_up, -link->is_ready);
        metric_add(&links_lost, link->is_ready && !is_over);
        link->role->lose(link);
        if (is_over)
            break;
        post_lost(link, &fault);
        link->is_ready = false;
        rest(link);
    }
    amqp_link_post(link, amqp_event_new(AMQP_EVENT_CLOSED));
    return NULL;
}

static bool enter(struct amqp_link *link, int fd, struct fault *fault)
{
    if (!amqp_wire_open(&link->wire, fd, &link->address, fault) ||
        !amqp_topology_assert(&link->wire, link->topology, link->address.vhost, fault) ||
        !link->role->enter(link, fault))
        return false;
    link->epoch++;
    link->is_ready = true;
    metric_add(&links_up, 1);
    link->tries = 0;
    link->told[0] = '\0';
    post_ready(link);
    return true;
}

/* One connection from dialling to its end.  True: it ended because the owner closed the link. */
static bool attend(struct amqp_link *link, struct fault *fault)
{
    bool is_over;
    int fd;

    if (link->uri_fault.kind != FAULT_NONE) {
        *fault = link->uri_fault;
        return false;
    }
    if (!amqp_dial(&link->address, &link->wire, &fd, fault))
        return false;
    hold_fd(link, fd);
    is_over = enter(link, fd, fault) && serve(link, fault);
    hold_fd(link, -1);
    amqp_wire_finish(&link->wire);
    close(fd);
    return is_over;
}

static bool is_served(struct amqp_link *link)
{
    return atomic_load(&link->is_closing) &&
           (link->role->is_done(link) ||
            clock_monotonic_ms() >= atomic_load(&link->close_until_ms));
}

static uint64_t turn_ms(const struct amqp_link *link)
{
    uint64_t now = clock_monotonic_ms(), rest = TURN_MS;

    if (link->work_at_ms != 0)
        rest = link->work_at_ms > now ? link->work_at_ms - now : 0;
    if (atomic_load(&link->is_closing)) {
        uint64_t until = atomic_load(&link->close_until_ms);

        if (until < now + rest)
            rest = until > now ? until - now : 0;
    }
    return rest < TURN_MS ? rest : TURN_MS;
}

static bool serve(struct amqp_link *link, struct fault *fault)
{
    link->work_at_ms = 0;
    while (link->role->work(link, fault)) {
        if (is_served(link)) {
            amqp_wire_goodbye(&link->wire);
            return true;
        }
        if (!amqp_wire_turn(&link->wire, turn_ms(link), fault))
            return false;
    }
    return false;
}

static void on_incoming(void *owner, const struct amqp_incoming *incoming)
{
    struct amqp_link *link = owner;

    link->role->on_incoming(link, incoming);
}

static void on_blocked(void *owner, const char *reason)
{
    struct amqp_link *link = owner;
    struct amqp_event *event;

    if (!link->is_ready)
        return;
    if (reason == NULL) {
        post_ready(link);
        return;
    }
    event = amqp_event_new(AMQP_EVENT_BLOCKED);
    snprintf(event->text, sizeof(event->text), "%s", reason);
    amqp_link_post(link, event);
}

/* --- the owner's loop ------------------------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct amqp_link *link = handle->data;

    if (--link->handles > 0)
        return;
    close(link->wake_fd);
    pthread_mutex_destroy(&link->mutex);
    free(link->uri);
    link->role->release(link);
}

static void on_thread_ended(struct amqp_link *link)
{
    pthread_join(link->thread, NULL);
    metric_add(&links, -1);
    uv_close((uv_handle_t *)&link->async, on_handle_closed);
    uv_close((uv_handle_t *)&link->deadline, on_handle_closed);
}

static void note_told(struct amqp_link *link, const struct amqp_event *event)
{
    pthread_mutex_lock(&link->mutex);
    if (event->kind == AMQP_EVENT_READY)
        link->told_epoch = event->epoch;
    if (event->kind == AMQP_EVENT_LOST || event->kind == AMQP_EVENT_CLOSED)
        link->told_epoch = 0;
    pthread_mutex_unlock(&link->mutex);
}

/* uv_async coalesces: one call may stand for many events. */
static void on_async(uv_async_t *async)
{
    struct amqp_link *link = async->data;
    struct amqp_event_list events = TAILQ_HEAD_INITIALIZER(events);
    struct amqp_event *event;
    bool is_ended = false;

    pthread_mutex_lock(&link->mutex);
    TAILQ_CONCAT(&events, &link->events, entry);
    pthread_mutex_unlock(&link->mutex);
    while ((event = TAILQ_FIRST(&events)) != NULL) {
        TAILQ_REMOVE(&events, event, entry);
        is_ended = event->kind == AMQP_EVENT_CLOSED;
        note_told(link, event);
        link->role->tell(link, event);
        free_event(event);
    }
    if (is_ended)
        on_thread_ended(link);
}

static void start_thread(struct amqp_link *link)
{
    sigset_t all, before;

    sigfillset(&all); /* signals are the loop's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&link->thread, NULL, run, link) != 0)
        abort();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_setname_np(link->thread, link->role->name);
}

void amqp_link_start(struct amqp_link *link, const struct amqp_role *role, uv_loop_t *loop,
                     const char *uri, const struct amqp_topology *topology)
{
    static const struct amqp_wire_events wire_events = {on_incoming, on_blocked};

    link->role = role;
    link->topology = topology;
    link->loop = loop;
    link->fd = -1;
    link->uri = xstrdup(uri);
    amqp_address_parse(&link->address, link->uri, &link->uri_fault);
    link->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (link->wake_fd < 0)
        abort();
    link->wire = (struct amqp_wire){.events = &wire_events,
                                    .owner = link,
                                    .wake_fd = link->wake_fd,
                                    .is_given_up = &link->is_given_up,
                                    .fd = -1};
    TAILQ_INIT(&link->events);
    pthread_mutex_init(&link->mutex, NULL);
    uv_async_init(loop, &link->async, on_async);
    uv_timer_init(loop, &link->deadline);
    link->async.data = link->deadline.data = link;
    link->handles = 2;
    metric_add(&links, 1);
    start_thread(link);
}

/* Whatever the thread waits for, it ends: polls see the shutdown, calls the flag. */
static void on_deadline(uv_timer_t *timer)
{
    struct amqp_link *link = timer->data;

    atomic_store(&link->is_given_up, true);
    pthread_mutex_lock(&link->mutex);
    if (link->fd >= 0)
        shutdown(link->fd, SHUT_RDWR);
    pthread_mutex_unlock(&link->mutex);
    amqp_link_wake(link);
}

/* A link of which the owner knows no good carries nothing: there is nothing to wait for. */
void amqp_link_close(struct amqp_link *link, uint64_t grace_ms)
{
    if (link->is_closing_told)
        return;
    link->is_closing_told = true;
    atomic_store(&link->close_until_ms, clock_monotonic_ms() + grace_ms);
    atomic_store(&link->is_closing, true);
    if (link->told_epoch == 0) {
        on_deadline(&link->deadline);
        return;
    }
    uv_update_time(link->loop);
    uv_timer_start(&link->deadline, on_deadline, grace_ms + GIVE_UP_MS, 0);
    amqp_link_wake(link);
}
