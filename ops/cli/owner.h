/* ops/cli/owner.h - straight to Postgres as the role that owns the schema, one statement at a time
 *
 * For `docket migrate`.  Blocking: the command does nothing else meanwhile.
 */
#pragma once

#include <libpq-fe.h>

#include "ops/cli/command.h"
#include "schema/statements.h"

/* By DOCKET_PG; settings are filled too.  NULL: why was said.  PQfinish it. */
PGconn *owner_connect(struct settings *settings) __attribute__((warn_unused_result));

/* NULL: why was said, with `what`, and the result was cleared. */
PGresult *owner_expect(PGconn *conn, PGresult *result, const char *what)
    __attribute__((warn_unused_result));
PGresult *owner_ask(PGconn *conn, const struct pg_statement *statement)
    __attribute__((warn_unused_result));
PGresult *owner_ask_with(PGconn *conn, const struct pg_statement *statement, int count,
                         const char *const *values) __attribute__((warn_unused_result));
bool owner_run(PGconn *conn, const char *sql, const char *what) __attribute__((warn_unused_result));

/* The statement waited too long for a lock, or was chosen to end a deadlock; nothing was changed.
 */
bool owner_was_locked_out(const PGresult *result);
