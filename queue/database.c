#include "queue/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "schema/migrations.h"
#include "schema/statements.h"

/* The columns of settings_check.sql. */
enum { FSYNC, FULL_PAGES, COMMIT, STANDBYS, IS_STANDBY, SCHEMA, UNIX_US };

int32_t database_schema_version(void)
{
    long last = 0;

    for (const struct migration_file *file = migration_files; file->name; file++)
        last = strtol(file->name, NULL, 10);
    return (int32_t)last;
}

static bool is(const PGresult *result, int column, const char *value)
{
    return strcmp(pg_text(result, 0, column), value) == 0;
}

static bool check_durability(const struct database *database, const PGresult *result,
                             struct fault *fault)
{
    if (!is(result, FSYNC, "on") || !is(result, FULL_PAGES, "on"))
        return fail_as(
            fault, FAULT_BROKEN, "postgres_not_durable",
            "Postgres runs with fsync or full_page_writes off and would lose orders in a "
            "crash: set both to on");
    if (is(result, COMMIT, "off"))
        return fail_as(
            fault, FAULT_BROKEN, "postgres_not_durable",
            "Postgres runs with synchronous_commit off and would lose orders in a crash: "
            "set it to on (check the role's and the database's settings, too)");
    if (database->is_single_node_allowed)
        return true;
    if (is(result, STANDBYS, "") || is(result, COMMIT, "local"))
        return fail_as(
            fault, FAULT_BROKEN, "postgres_single_node",
            "Postgres waits for no synchronous standby: set synchronous_standby_names and "
            "synchronous_commit=on, or DOCKET_SINGLE_NODE=1 if its disk may be the only "
            "copy");
    return true;
}

/* The comment of the table `migration` (ops/cli/migrate.c): "<version> <serves from>". */
static bool check_schema(const PGresult *result, struct fault *fault)
{
    int version = 0, serves_from = 0, ours = database_schema_version();

    /* NOLINTNEXTLINE(cert-err34-c): what is no number leaves both at 0, which is refused */
    if (sscanf(pg_text(result, 0, SCHEMA), "%d %d", &version, &serves_from) != 2)
        return fail_as(fault, FAULT_BROKEN, "postgres_no_schema",
                       "the database has no schema of Docket: run `docket migrate up`");
    if (version < ours)
        return fail_as(
            fault, FAULT_BROKEN, "postgres_old_schema",
            "the database's schema is %d, this program needs %d: run `docket migrate up`", version,
            ours);
    if (serves_from > ours)
        return fail_as(fault, FAULT_BROKEN, "postgres_new_schema",
                       "the database's schema %d serves programs from %d on, and this one is %d: "
                       "install a newer Docket",
                       version, serves_from, ours);
    return true;
}

static bool check(const struct database *database, const PGresult *result, struct fault *fault)
{
    if (pg_bool(result, 0, IS_STANDBY))
        return fail_as(fault, FAULT_TRANSIENT, "postgres_standby",
                       "this Postgres is a standby and takes no writes: connect to the primary");
    return check_durability(database, result, fault) && check_schema(result, fault);
}

/* When the machine began, by its own clock: moves when somebody sets the clock. */
static int64_t began_us(void)
{
    return clock_wall_us() - (int64_t)(clock_monotonic_ns() / 1000);
}

static bool accept_server(void *owner, const PGresult *result, struct fault *fault)
{
    struct database *database = owner;

    if (!check(database, result, fault)) {
        database->fault = *fault;
        return false;
    }
    database->fault.kind = FAULT_NONE;
    database->is_single_node = is(result, STANDBYS, "");
    database->ahead_us = pg_i64(result, 0, UNIX_US) - clock_wall_us();
    database->began_us = began_us();
    return true;
}

void database_init(struct database *database, const char *conninfo, bool is_single_node_allowed)
{
    *database = (struct database){
        .server = {conninfo, &sql_settings_check, accept_server, database},
        .is_single_node_allowed = is_single_node_allowed,
    };
}

int64_t database_ahead_us(const struct database *database)
{
    return database->began_us ? database->ahead_us + database->began_us - began_us() : 0;
}

int64_t database_now_us(const struct database *database)
{
    return clock_wall_us() + database->ahead_us;
}
