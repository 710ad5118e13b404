#include "base/pg_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/pg_link_inside.h"

enum { REST_MS_FIRST = 50, REST_MS_MAX = 2000, STEADY_MS = 10000 };

static struct metric links =
    METRIC(METRIC_GAUGE, "docket_postgres_links", "Connections to Postgres that should be there.");
static struct metric links_up =
    METRIC(METRIC_GAUGE, "docket_postgres_links_up", "Connections to Postgres that are there.");
static struct metric links_lost = METRIC(METRIC_COUNTER, "docket_postgres_links_lost_total",
                                         "Connections to Postgres that were there and ended.");

void pg_link_register_metrics(void)
{
    metric_register(&links);
    metric_register(&links_up);
    metric_register(&links_lost);
    pg_link_work_register_metrics();
}

static void enter_resting(struct pg_link *link);
static void step_nothing(struct pg_link *link);

static const struct {
    const char *name;
    void (*enter)(struct pg_link *link);
    void (*step)(struct pg_link *link);
} states[] = {
    [LINK_RESTING] = {"resting", enter_resting, step_nothing},
    [LINK_RESOLVING] = {"resolving", pg_link_enter_resolving, step_nothing},
    [LINK_CONNECTING] = {"connecting", pg_link_enter_connecting, pg_link_step_connecting},
    [LINK_PREPARING] = {"preparing", pg_link_enter_preparing, pg_link_step_preparing},
    [LINK_READY] = {"ready", pg_link_enter_ready, pg_link_step_ready},
};

static void unwatch_socket(struct pg_link *link);

/* The only place where a link changes state. */
void pg_link_enter(struct pg_link *link, enum link_state next)
{
    log_debug("pg_link_state", "%s -> %s", states[link->state].name, states[next].name);
    metric_add(&links_up, (next == LINK_READY) - (link->state == LINK_READY));
    link->state = next;
    states[next].enter(link);
}

static void on_socket(uv_poll_t *watch, int status, int events)
{
    struct pg_link *link = watch->data;

    (void)events;
    if (status < 0) /* libpq finds out for itself, and words it better */
        link->watched = 0;
    states[link->state].step(link);
    if (link->conn)
        pg_link_watch(link);
}

static void step_nothing(struct pg_link *link)
{
    (void)link;
}

static void on_rested(uv_timer_t *timer)
{
    pg_link_enter(timer->data, LINK_RESOLVING);
}

static void enter_resting(struct pg_link *link)
{
    uv_timer_start(link->timer, on_rested, link->rest_ms, 0);
    link->rest_ms = link->rest_ms * 2 < REST_MS_MAX ? link->rest_ms * 2 : REST_MS_MAX;
}

/* Once for each reason: a server that stays away is not news. */
static void log_lost(struct pg_link *link, const struct fault *fault)
{
    bool is_news = link->state == LINK_READY || strcmp(link->last_fault, fault->text) != 0;

    log_write(is_news ? LOG_WARN : LOG_DEBUG, "postgres_lost", NULL, "while %s: %s",
              states[link->state].name, fault->text);
    snprintf(link->last_fault, sizeof(link->last_fault), "%s", fault->text);
}

/* A server that takes connections and refuses what is asked (a standby, a disk that is full) is
 * left in peace like one that takes none; one that has worked is tried again soon. */
static bool was_good(const struct pg_link *link)
{
    return link->has_served || clock_monotonic_ms() - link->ready_ms >= STEADY_MS;
}

/* Ends the connection from any state.  on_lost is told only if on_ready had been. */
void pg_link_lose(struct pg_link *link)
{
    bool was_ready = link->state == LINK_READY;
    struct fault fault = link->fault;

    if (fault.kind == FAULT_NONE)
        fail_as(&fault, was_ready ? FAULT_UNKNOWN : FAULT_TRANSIENT, "postgres_away", "%s",
                link->conn ? PQerrorMessage(link->conn) : "out of memory");
    log_lost(link, &fault);
    metric_add(&links_lost, was_ready);
    link->fault.kind = FAULT_NONE;

    uv_timer_stop(link->timer);
    pg_address_cancel(link->address);
    unwatch_socket(link); /* before PQfinish() closes the descriptor it watches */
    PQfinish(link->conn);
    link->conn = NULL;
    link->syncs_owed = link->results_owed = 0;
    link->is_abandoned = false;
    if (was_ready && was_good(link))
        link->rest_ms = REST_MS_FIRST;
    pg_link_enter(link, LINK_RESTING);
    if (was_ready)
        link->events->on_lost(link->owner, &fault);
    else if (link->events->on_failed)
        link->events->on_failed(link->owner, &fault);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void on_abandoned(uv_timer_t *timer)
{
    pg_link_lose(timer->data);
}

/* No socket will tell of this any more. */
static void on_closed(uv_timer_t *timer)
{
    struct pg_link *link = timer->data;

    states[link->state].step(link);
    if (link->conn)
        pg_link_watch(link);
}

/* libpq may have closed its descriptor in any call, a send too (it reads when it cannot write): the
 * next socket of this process may already have its number. */
void pg_link_end_watch(struct pg_link *link)
{
    unwatch_socket(link);
    if (!link->is_abandoned)
        uv_timer_start(link->timer, on_closed, 0, 0);
}

/* libpq may move to another descriptor while it connects, so ask for it every time. */
void pg_link_watch(struct pg_link *link)
{
    int fd = PQsocket(link->conn);
    uv_os_fd_t watched;

    if (fd < 0) {
        pg_link_end_watch(link);
        return;
    }
    if (link->watch && (uv_fileno((uv_handle_t *)link->watch, &watched) != 0 || watched != fd))
        unwatch_socket(link);
    if (link->watch == NULL) {
        link->watch = xcalloc(1, sizeof(*link->watch));
        link->watch->data = link;
        if (uv_poll_init(link->loop, link->watch, fd) != 0)
            abort(); /* somebody else watches this descriptor: all events would be his */
    }
    if (link->watched == link->wants)
        return; /* to start it again costs two calls of the kernel */
    link->watched = link->wants;
    uv_poll_start(link->watch, link->wants, on_socket);
}

static void unwatch_socket(struct pg_link *link)
{
    if (link->watch == NULL)
        return;
    uv_poll_stop(link->watch);
    uv_close((uv_handle_t *)link->watch, free_handle);
    link->watch = NULL;
    link->watched = 0;
}

void pg_link_abandon(struct pg_link *link, const char *reason)
{
    if (link->state != LINK_READY || link->is_abandoned)
        return;
    link->is_abandoned = true;
    fail_as(&link->fault, FAULT_UNKNOWN, "postgres_abandoned", "%s", reason);
    uv_timer_start(link->timer, on_abandoned, 0, 0);
}

struct pg_link *pg_link_create(uv_loop_t *loop, const struct pg_link_options *options,
                               const struct pg_link_events *events, void *owner)
{
    struct pg_link *link = xcalloc(1, sizeof(*link));

    link->state = LINK_RESTING;
    link->loop = loop;
    link->options = *options;
    link->events = events;
    link->owner = owner;
    link->rest_ms = REST_MS_FIRST;
    link->address = pg_address_create(loop, options->server->conninfo);
    link->timer = xcalloc(1, sizeof(*link->timer));
    link->timer->data = link;
    uv_timer_init(loop, link->timer);
    uv_timer_start(link->timer, on_rested, 0, 0);
    metric_add(&links, 1);
    return link;
}

static void free_link(uv_handle_t *handle)
{
    free(handle->data);
    free(handle);
}

/* The memory lives until the loop's turn ends: the link may be in the middle of telling somebody.
 */
void pg_link_destroy(struct pg_link *link)
{
    if (link == NULL)
        return;
    metric_add(&links, -1);
    metric_add(&links_up, -(link->state == LINK_READY));
    unwatch_socket(link);
    PQfinish(link->conn);
    link->conn = NULL;
    pg_address_destroy(link->address);
    uv_close((uv_handle_t *)link->timer, free_link);
}
