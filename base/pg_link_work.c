#include <assert.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/pg_blame.h"
#include "base/pg_link_inside.h"

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

void pg_link_work_register_metrics(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        metric_register(&faults[i]);
}

void pg_link_enter_ready(struct pg_link *link)
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
void pg_link_step_ready(struct pg_link *link)
{
    int flushed;
    bool is_alive = PQconsumeInput(link->conn);

    /* What the server said last (why it closes the connection) is read even when it is gone. */
    while (!PQisBusy(link->conn)) {
        CLEANUP(pg_link_clear_result) PGresult *result = PQgetResult(link->conn);

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
        pg_link_lose(link);
        return;
    }
    link->wants = flushed == 0 ? UV_READABLE : UV_READABLE | UV_WRITABLE;
}

bool pg_link_is_ready(const struct pg_link *link)
{
    return link->state == LINK_READY && !link->is_abandoned;
}

/* A failed send is not reported here: the socket is watched for writing, so pg_link_step_ready()
 * meets the same failure on the next turn of the loop. */
void pg_link_send(struct pg_link *link, const struct pg_statement *statement,
                  const struct pg_params *params)
{
    const char *values[PG_PARAMS_MAX];
    int formats[PG_PARAMS_MAX], count = params ? params->count : 0;

    assert(link->state == LINK_READY);
    for (int i = 0; i < count; i++) {
        values[i] = params->offsets[i] < 0 ? NULL : params->bytes.bytes + params->offsets[i];
        formats[i] = 1;
    }
    link->results_owed++;
    (void)PQsendQueryPrepared(link->conn, statement->name, count, values,
                              params ? params->lengths : NULL, formats, 1);
    if (PQsocket(link->conn) < 0)
        pg_link_end_watch(link);
}

void pg_link_prepare(struct pg_link *link, const char *name, const char *sql)
{
    assert(link->state == LINK_READY);
    link->results_owed++;
    (void)PQsendPrepare(link->conn, name, sql, 0, NULL);
    if (PQsocket(link->conn) < 0)
        pg_link_end_watch(link);
}

void pg_link_forget(struct pg_link *link, const char *name)
{
    char sql[128];

    assert(link->state == LINK_READY);
    snprintf(sql, sizeof(sql), "DEALLOCATE %s", name);
    link->results_owed++;
    (void)PQsendQueryParams(link->conn, sql, 0, NULL, NULL, NULL, NULL, 1);
    if (PQsocket(link->conn) < 0)
        pg_link_end_watch(link);
}

/* What does not fit into the socket, or fails, is for pg_link_step_ready() once that can be written
 * to. */
static void send_out(struct pg_link *link)
{
    link->wants = PQflush(link->conn) == 0 ? UV_READABLE : UV_READABLE | UV_WRITABLE;
    pg_link_watch(link);
}

void pg_link_flush_request(struct pg_link *link)
{
    assert(link->state == LINK_READY);
    (void)PQsendFlushRequest(link->conn);
    send_out(link);
}

void pg_link_sync(struct pg_link *link)
{
    assert(link->state == LINK_READY);
    (void)PQpipelineSync(link->conn);
    link->syncs_owed++;
    send_out(link);
}
