#include "base/pg_link.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/pg_address.h"
#include "base/pg_blame.h"

enum { REST_MS_FIRST = 50, REST_MS_MAX = 2000, CONNECT_MS = 5000, STEADY_MS = 10000 };

enum link_state { RESTING, RESOLVING, CONNECTING, PREPARING, READY };

struct pg_link {
    enum link_state state;
    PGconn *conn;     /* NULL while resting and resolving */
    uv_poll_t *watch; /* on the socket of conn */
    int watched;      /* the events it is watched for */
    int wants;        /* the events libpq waits for: UV_READABLE | UV_WRITABLE */
    int syncs_owed;   /* sent and not yet answered */
    int results_owed; /* statements whose result has not come */
    bool is_doubtful; /* a wait for the standby was cancelled in the batch that is being answered */
    bool is_greeted;
    bool is_refused;   /* the batch that is being answered */
    bool has_served;   /* a whole batch, since it was ready */
    uint64_t ready_ms; /* since when it is */
    bool is_abandoned;
    struct fault fault; /* why it will be lost, when we know better than libpq */
    char last_fault[sizeof(((struct fault *)0)->text)]; /* that was logged */
    uv_timer_t *timer; /* rest, or the deadline of connecting; abandoned links end by it, too */
    uint64_t rest_ms;
    struct pg_address *address; /* being resolved */

    uv_loop_t *loop;
    struct pg_link_options options;
    const struct pg_link_events *events;
    void *owner;
};

static struct metric links =
    METRIC(METRIC_GAUGE, "docket_postgres_links", "Connections to Postgres that should be there.");
static struct metric links_up =
    METRIC(METRIC_GAUGE, "docket_postgres_links_up", "Connections to Postgres that are there.");
static struct metric links_lost = METRIC(METRIC_COUNTER, "docket_postgres_links_lost_total",
                                         "Connections to Postgres that were there and ended.");
#define FAULTS(label)                                                                              \
    {                                                                                              \
        .type = METRIC_COUNTER, .name = "docket_postgres_faults_total",                            \
        .help = "Statements that Postgres refused, by who is to blame (base/pg_blame.h).",         \
        .labels = "blames=\"" label "\""                                                           \
    }
static struct metric faults[] = {
    [PG_BLAMES_SERVER] = FAULTS("server"),
    [PG_BLAMES_LOCK] = FAULTS("lock"),
    [PG_BLAMES_CONTENT] = FAULTS("content"),
};

void pg_link_register_metrics(void)
{
    metric_register(&links);
    metric_register(&links_up);
    metric_register(&links_lost);
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        metric_register(&faults[i]);
}

/* A state is two functions: enter_x() starts its work, step_x() goes on with it at each event. */
static void enter_resting(struct pg_link *link);
static void enter_resolving(struct pg_link *link);
static void enter_connecting(struct pg_link *link);
static void step_connecting(struct pg_link *link);
static void enter_preparing(struct pg_link *link);
static void step_preparing(struct pg_link *link);
static void enter_ready(struct pg_link *link);
static void step_ready(struct pg_link *link);
static void step_nothing(struct pg_link *link);

static const struct {
    const char *name;
    void (*enter)(struct pg_link *link);
    void (*step)(struct pg_link *link);
} states[] = {
    [RESTING] = {"resting", enter_resting, step_nothing},
    [RESOLVING] = {"resolving", enter_resolving, step_nothing},
    [CONNECTING] = {"connecting", enter_connecting, step_connecting},
    [PREPARING] = {"preparing", enter_preparing, step_preparing},
    [READY] = {"ready", enter_ready, step_ready},
};

static void lose(struct pg_link *link);
static void watch_socket(struct pg_link *link);
static void unwatch_socket(struct pg_link *link);

/* The only place where a link changes state. */
static void enter(struct pg_link *link, enum link_state next)
{
    log_debug("pg_link_state", "%s -> %s", states[link->state].name, states[next].name);
    metric_add(&links_up, (next == READY) - (link->state == READY));
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
        watch_socket(link);
}

static void step_nothing(struct pg_link *link)
{
    (void)link;
}

static void on_rested(uv_timer_t *timer)
{
    enter(timer->data, RESOLVING);
}

static void on_connect_deadline(uv_timer_t *timer)
{
    struct pg_link *link = timer->data;

    fail_as(&link->fault, FAULT_TRANSIENT, "postgres_slow",
            "Postgres did not answer within %d ms; check that it runs and takes connections",
            CONNECT_MS);
    lose(link);
}

static void enter_resting(struct pg_link *link)
{
    uv_timer_start(link->timer, on_rested, link->rest_ms, 0);
    link->rest_ms = link->rest_ms * 2 < REST_MS_MAX ? link->rest_ms * 2 : REST_MS_MAX;
}

static void on_resolved(void *owner, const char *conninfo, const struct fault *fault)
{
    struct pg_link *link = owner;

    if (conninfo == NULL) {
        link->fault = *fault;
        lose(link);
        return;
    }
    link->conn = PQconnectStart(conninfo);
    enter(link, CONNECTING);
}

static void enter_resolving(struct pg_link *link)
{
    uv_timer_start(link->timer, on_connect_deadline, CONNECT_MS, 0);
    pg_address_resolve(link->address, on_resolved, link);
}

/* Notices of class 01 during a commit are the only sign of a cancelled wait for the standby. */
static void on_notice(void *data, const PGresult *result)
{
    struct pg_link *link = data;
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (sqlstate && (strcmp(sqlstate, "01000") == 0 || strncmp(sqlstate, "57P", 3) == 0))
        link->is_doubtful = true;
}

static void enter_connecting(struct pg_link *link)
{
    if (link->conn == NULL || PQstatus(link->conn) == CONNECTION_BAD) {
        lose(link);
        return;
    }
    PQsetNoticeReceiver(link->conn, on_notice, link);
    link->wants = UV_WRITABLE; /* what libpq asks for before its first poll */
    watch_socket(link);
}

static void step_connecting(struct pg_link *link)
{
    switch (PQconnectPoll(link->conn)) {
    case PGRES_POLLING_READING:
        link->wants = UV_READABLE;
        break;
    case PGRES_POLLING_WRITING:
        link->wants = UV_WRITABLE;
        break;
    case PGRES_POLLING_OK:
        enter(link, PREPARING);
        break;
    default:
        lose(link);
        break;
    }
}

/* The greeting is asked for first: who is refused need not prepare anything. */
static void enter_preparing(struct pg_link *link)
{
    PQsetnonblocking(link->conn, 1);
    PQenterPipelineMode(link->conn);
    link->is_greeted = link->options.server->greeting == NULL;
    if (!link->is_greeted) {
        PQsendQueryParams(link->conn, link->options.server->greeting->sql, 0, NULL, NULL, NULL,
                          NULL, 1);
        PQpipelineSync(link->conn);
        link->syncs_owed++;
    }
    for (const struct pg_statement *const *s = link->options.statements; s && *s; s++)
        PQsendPrepare(link->conn, (*s)->name, (*s)->sql, 0, NULL);
    if (link->options.listen)
        PQsendQueryParams(link->conn, link->options.listen, 0, NULL, NULL, NULL, NULL, 1);
    PQpipelineSync(link->conn);
    link->syncs_owed++;
    link->wants = UV_READABLE | UV_WRITABLE;
}

static void note_fault(struct pg_link *link, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    fail_as(&link->fault, FAULT_BROKEN, "postgres_refused", "Postgres refuses us: %s (%s)",
            message ? message : "no reason given", sqlstate ? sqlstate : "no code");
}

/* False: the link was lost. */
static bool note_preparation(struct pg_link *link, const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    if (status == PGRES_PIPELINE_SYNC) {
        link->syncs_owed--;
        link->is_greeted = true;
        return true;
    }
    if (status == PGRES_TUPLES_OK && !link->is_greeted) {
        if (link->options.server->accept(link->options.server->owner, result, &link->fault))
            return true;
    } else if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        return true;
    } else {
        note_fault(link, result);
    }
    lose(link);
    return false;
}

static void clear_result(PGresult **result)
{
    PQclear(*result);
}

static void step_preparing(struct pg_link *link)
{
    if (!PQconsumeInput(link->conn) || PQflush(link->conn) < 0) {
        lose(link);
        return;
    }
    while (link->syncs_owed > 0 && !PQisBusy(link->conn)) {
        CLEANUP(clear_result) PGresult *result = PQgetResult(link->conn);

        if (result == NULL && PQstatus(link->conn) == CONNECTION_BAD) {
            lose(link);
            return;
        }
        if (result != NULL && !note_preparation(link, result))
            return;
    }
    link->wants = UV_READABLE;
    if (link->syncs_owed == 0)
        enter(link, READY);
}

static void enter_ready(struct pg_link *link)
{
    uv_timer_stop(link->timer);
    link->ready_ms = clock_monotonic_ms();
    link->last_fault[0] = '\0';
    link->is_doubtful = link->is_refused = link->has_served = false;
    link->events->on_ready(link->owner);
}

static void tell_notifications(struct pg_link *link)
{
    PGnotify *notify;

    while ((notify = PQnotifies(link->conn)) != NULL) {
        if (link->events->on_notify)
            link->events->on_notify(link->owner, notify->relname, notify->extra);
        PQfreemem(notify);
    }
}

/* Each result is told once the link's own books are right, since the owner may send or abandon. */
static void tell_result(struct pg_link *link, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool doubtful;

    if (sqlstate)
        metric_add(&faults[pg_blame_of(sqlstate)], 1);
    link->is_refused |= sqlstate != NULL;
    if (PQresultStatus(result) != PGRES_PIPELINE_SYNC) {
        if (link->results_owed > 0) /* a fault of the commit itself answers no statement */
            link->results_owed--;
        link->events->on_result(link->owner, result);
        return;
    }
    link->syncs_owed--;
    doubtful = link->is_doubtful;
    link->has_served |= !link->is_refused;
    link->is_doubtful = link->is_refused = false;
    link->events->on_synced(link->owner, doubtful);
}

/* Read before writing: results that are handled here may send more, which the flush then takes
 * along. */
static void step_ready(struct pg_link *link)
{
    int flushed;
    bool is_alive = PQconsumeInput(link->conn);

    /* What the server said last (why it closes the connection) is read even when it is gone. */
    while (!PQisBusy(link->conn)) {
        CLEANUP(clear_result) PGresult *result = PQgetResult(link->conn);

        if (result != NULL) {
            tell_result(link, result);
            if (link->conn == NULL)
                return; /* who was told has destroyed it */
        } else if (link->syncs_owed + link->results_owed == 0 ||
                   PQstatus(link->conn) == CONNECTION_BAD || link->is_abandoned) {
            break; /* otherwise it only marks the end of one statement's results */
        }
    }
    if (!link->is_abandoned)
        tell_notifications(link);
    if (link->conn == NULL)
        return;
    flushed = PQflush(link->conn);
    if (!is_alive || flushed < 0 || PQstatus(link->conn) == CONNECTION_BAD) {
        lose(link);
        return;
    }
    link->wants = flushed == 0 ? UV_READABLE : UV_READABLE | UV_WRITABLE;
}

/* Once for each reason: a server that stays away is not news. */
static void log_lost(struct pg_link *link, const struct fault *fault)
{
    bool is_news = link->state == READY || strcmp(link->last_fault, fault->text) != 0;

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
static void lose(struct pg_link *link)
{
    bool was_ready = link->state == READY;
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
    enter(link, RESTING);
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
    lose(timer->data);
}

/* No socket will tell of this any more. */
static void on_closed(uv_timer_t *timer)
{
    struct pg_link *link = timer->data;

    states[link->state].step(link);
    if (link->conn)
        watch_socket(link);
}

/* libpq may have closed its descriptor in any call, a send too (it reads when it cannot write): the
 * next socket of this process may already have its number. */
static void end_watch(struct pg_link *link)
{
    unwatch_socket(link);
    if (!link->is_abandoned)
        uv_timer_start(link->timer, on_closed, 0, 0);
}

/* libpq may move to another descriptor while it connects, so ask for it every time. */
static void watch_socket(struct pg_link *link)
{
    int fd = PQsocket(link->conn);
    uv_os_fd_t watched;

    if (fd < 0) {
        end_watch(link);
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

bool pg_link_is_ready(const struct pg_link *link)
{
    return link->state == READY && !link->is_abandoned;
}

/* A failed send is not reported here: the socket is watched for writing, so step_ready() meets the
 * same failure on the next turn of the loop. */
void pg_link_send(struct pg_link *link, const struct pg_statement *statement,
                  const struct pg_params *params)
{
    const char *values[PG_PARAMS_MAX];
    int formats[PG_PARAMS_MAX], count = params ? params->count : 0;

    assert(link->state == READY);
    for (int i = 0; i < count; i++) {
        values[i] = params->offsets[i] < 0 ? NULL : params->bytes.bytes + params->offsets[i];
        formats[i] = 1;
    }
    link->results_owed++;
    (void)PQsendQueryPrepared(link->conn, statement->name, count, values,
                              params ? params->lengths : NULL, formats, 1);
    if (PQsocket(link->conn) < 0)
        end_watch(link);
}

void pg_link_prepare(struct pg_link *link, const char *name, const char *sql)
{
    assert(link->state == READY);
    link->results_owed++;
    (void)PQsendPrepare(link->conn, name, sql, 0, NULL);
    if (PQsocket(link->conn) < 0)
        end_watch(link);
}

void pg_link_forget(struct pg_link *link, const char *name)
{
    char sql[128];

    assert(link->state == READY);
    snprintf(sql, sizeof(sql), "DEALLOCATE %s", name);
    link->results_owed++;
    (void)PQsendQueryParams(link->conn, sql, 0, NULL, NULL, NULL, NULL, 1);
    if (PQsocket(link->conn) < 0)
        end_watch(link);
}

/* What does not fit into the socket, or fails, is for step_ready() once that can be written to. */
static void send_out(struct pg_link *link)
{
    link->wants = PQflush(link->conn) == 0 ? UV_READABLE : UV_READABLE | UV_WRITABLE;
    watch_socket(link);
}

void pg_link_flush_request(struct pg_link *link)
{
    assert(link->state == READY);
    (void)PQsendFlushRequest(link->conn);
    send_out(link);
}

void pg_link_sync(struct pg_link *link)
{
    assert(link->state == READY);
    (void)PQpipelineSync(link->conn);
    link->syncs_owed++;
    send_out(link);
}

void pg_link_abandon(struct pg_link *link, const char *reason)
{
    if (link->state != READY || link->is_abandoned)
        return;
    link->is_abandoned = true;
    fail_as(&link->fault, FAULT_UNKNOWN, "postgres_abandoned", "%s", reason);
    uv_timer_start(link->timer, on_abandoned, 0, 0);
}

struct pg_link *pg_link_create(uv_loop_t *loop, const struct pg_link_options *options,
                               const struct pg_link_events *events, void *owner)
{
    struct pg_link *link = xcalloc(1, sizeof(*link));

    link->state = RESTING;
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
    metric_add(&links_up, -(link->state == READY));
    unwatch_socket(link);
    PQfinish(link->conn);
    link->conn = NULL;
    pg_address_destroy(link->address);
    uv_close((uv_handle_t *)link->timer, free_link);
}
