#include "ops/cli/owner.h"

#include <stdio.h>
#include <string.h>

static void drop_notice(void *data, const PGresult *result)
{
    (void)data;
    (void)result; /* "relation already exists, skipping" */
}

PGconn *owner_connect(struct settings *settings)
{
    PGconn *conn;

    if (!command_settings(settings, PROGRAM_MIGRATE))
        return NULL;
    conn = PQconnectdb(settings->pg);
    PQsetNoticeReceiver(conn, drop_notice, NULL);
    if (PQstatus(conn) == CONNECTION_OK)
        return conn;
    fprintf(stderr,
            "docket: %sDOCKET_PG must name the database and the role that owns the schema.\n",
            PQerrorMessage(conn));
    PQfinish(conn);
    return NULL;
}

bool owner_was_locked_out(const PGresult *result)
{
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return code && (strcmp(code, "55P03") == 0 || strcmp(code, "40P01") == 0);
}

PGresult *owner_expect(PGconn *conn, PGresult *result, const char *what)
{
    ExecStatusType status = PQresultStatus(result);

    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return result;
    fprintf(stderr, "docket: %s: %s", what, PQerrorMessage(conn));
    if (owner_was_locked_out(result))
        fprintf(stderr, "Something holds a lock; nothing was changed.  Run it again.\n");
    PQclear(result);
    return NULL;
}

PGresult *owner_ask(PGconn *conn, const struct pg_statement *statement)
{
    return owner_expect(conn, PQexec(conn, statement->sql), statement->name);
}

PGresult *owner_ask_with(PGconn *conn, const struct pg_statement *statement, int count,
                         const char *const *values)
{
    return owner_expect(conn,
                        PQexecParams(conn, statement->sql, count, NULL, values, NULL, NULL, 0),
                        statement->name);
}

bool owner_run(PGconn *conn, const char *sql, const char *what)
{
    PGresult *result = owner_expect(conn, PQexec(conn, sql), what);

    PQclear(result);
    return result != NULL;
}
