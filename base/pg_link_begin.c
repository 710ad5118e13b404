#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/pg_link_inside.h"

enum { CONNECT_MS = 5000 };

static void on_connect_deadline(uv_timer_t *timer)
{
    struct pg_link *link = timer->data;

    fail_as(&link->fault, FAULT_TRANSIENT, "postgres_slow",
            "Postgres did not answer within %d ms; check that it runs and takes connections",
            CONNECT_MS);
    pg_link_lose(link);
}

static void on_resolved(void *owner, const char *conninfo, const struct fault *fault)
{
    struct pg_link *link = owner;

    if (conninfo == NULL) {
        link->fault = *fault;
        pg_link_lose(link);
        return;
    }
    link->conn = PQconnectStart(conninfo);
    pg_link_enter(link, LINK_CONNECTING);
}

void pg_link_enter_resolving(struct pg_link *link)
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

void pg_link_enter_connecting(struct pg_link *link)
{
    if (link->conn == NULL || PQstatus(link->conn) == CONNECTION_BAD) {
        pg_link_lose(link);
        return;
    }
    PQsetNoticeReceiver(link->conn, on_notice, link);
    link->wants = UV_WRITABLE; /* what libpq asks for before its first poll */
    pg_link_watch(link);
}

void pg_link_step_connecting(struct pg_link *link)
{
    switch (PQconnectPoll(link->conn)) {
    case PGRES_POLLING_READING:
        link->wants = UV_READABLE;
        break;
    case PGRES_POLLING_WRITING:
        link->wants = UV_WRITABLE;
        break;
    case PGRES_POLLING_OK:
        pg_link_enter(link, LINK_PREPARING);
        break;
    default:
        pg_link_lose(link);
        break;
    }
}

/* The greeting is asked for first: who is refused need not prepare anything. */
void pg_link_enter_preparing(struct pg_link *link)
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
    pg_link_lose(link);
    return false;
}

void pg_link_step_preparing(struct pg_link *link)
{
    if (!PQconsumeInput(link->conn) || PQflush(link->conn) < 0) {
        pg_link_lose(link);
        return;
    }
    while (link->syncs_owed > 0 && !PQisBusy(link->conn)) {
        CLEANUP(pg_link_clear_result) PGresult *result = PQgetResult(link->conn);

        if (result == NULL && PQstatus(link->conn) == CONNECTION_BAD) {
            pg_link_lose(link);
            return;
        }
        if (result != NULL && !note_preparation(link, result))
            return;
    }
    link->wants = UV_READABLE;
    if (link->syncs_owed == 0)
        pg_link_enter(link, LINK_READY);
}
