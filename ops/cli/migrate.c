/* docket migrate: the database's schema, one transaction a migration, safe to run twice at once
 *
 * A migration is never edited once it was applied somewhere (its checksum is compared).  Each says
 * in its first lines from which version on a program can work with it: `-- serves-from: N`.
 */
#include "ops/cli/migrate.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ops/cli/migrate.h"
#include "ops/cli/owner.h"
#include "ops/cli/screen.h"
#include "schema/migrations.h"

enum { APPLIED_MAX = 1000, CHECKSUM_SIZE = 2 * SHA256_DIGEST_LENGTH + 1 };

static const char mark_serves_from[] = "-- serves-from: ";
static const char mark_no_transaction[] = "-- no transaction";

/* The columns of migration_list.sql. */
enum { VERSION, NAME, SERVES_FROM, CHECKSUM, APPLIED_AT };

static int number_in(const struct migration_file *file)
{
    return (int)strtol(file->name, NULL, 10);
}

/* The first file makes the table of the others; it is run every time and has no row. */
static const struct migration_file *first_file(void)
{
    return &migration_files[1];
}

static int serves_from(const struct migration_file *file)
{
    const char *mark = strstr(file->sql, mark_serves_from);

    return mark ? (int)strtol(mark + strlen(mark_serves_from), NULL, 10) : number_in(file);
}

static void checksum_of(const struct migration_file *file, char checksum[CHECKSUM_SIZE])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)file->sql, strlen(file->sql), digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        sprintf(checksum + 2 * i, "%02x", digest[i]);
}

void migrate_add_known(struct pg_params *params)
{
    char checksum[CHECKSUM_SIZE];

    pg_array_begin(params, PG_INT4);
    for (const struct migration_file *file = first_file(); file->name; file++)
        pg_array_i32(params, number_in(file));
    pg_array_end(params);
    pg_array_begin(params, PG_TEXT);
    for (const struct migration_file *file = first_file(); file->name; file++)
        pg_array_text(params, file->name);
    pg_array_end(params);
    pg_array_begin(params, PG_TEXT);
    for (const struct migration_file *file = first_file(); file->name; file++) {
        checksum_of(file, checksum);
        pg_array_text(params, checksum);
    }
    pg_array_end(params);
}

static int newest(void)
{
    int number = 0;

    for (const struct migration_file *file = first_file(); file->name; file++)
        number = number_in(file);
    return number;
}

/* The row of a migration, or -1. */
static int row_of(const PGresult *applied, int number)
{
    for (int row = 0; row < PQntuples(applied); row++) {
        if (strtol(PQgetvalue(applied, row, VERSION), NULL, 10) == number)
            return row;
    }
    return -1;
}

/* Is what was applied what this binary knows, or at least something that serves it? */
static bool check_applied(const PGresult *applied)
{
    char checksum[CHECKSUM_SIZE];

    for (const struct migration_file *file = first_file(); file->name; file++) {
        int row = row_of(applied, number_in(file));

        checksum_of(file, checksum);
        if (row >= 0 && strcmp(PQgetvalue(applied, row, CHECKSUM), checksum) != 0) {
            fprintf(stderr,
                    "docket: migration %s was edited after it was applied: put its old text back "
                    "and write a new migration\n",
                    file->name);
            return false;
        }
    }
    for (int row = 0; row < PQntuples(applied); row++) {
        if (strtol(PQgetvalue(applied, row, SERVES_FROM), NULL, 10) > newest()) {
            fprintf(stderr,
                    "docket: the schema (migration %s) serves programs from %s on, and this one is "
                    "%d: use a newer docket\n",
                    PQgetvalue(applied, row, NAME), PQgetvalue(applied, row, SERVES_FROM),
                    newest());
            return false;
        }
    }
    return true;
}

static bool add_row(PGconn *conn, const struct migration_file *file)
{
    char version[12], serves[12], checksum[CHECKSUM_SIZE];
    const char *const values[] = {version, file->name, serves, checksum};
    PGresult *result;

    snprintf(version, sizeof(version), "%d", number_in(file));
    snprintf(serves, sizeof(serves), "%d", serves_from(file));
    checksum_of(file, checksum);
    result = owner_ask_with(conn, &sql_migration_add, 4, values);
    PQclear(result);
    return result != NULL;
}

/* All of it or nothing; the connection's end rolls back what was begun. */
static bool apply(PGconn *conn, const struct migration_file *file)
{
    bool is_one = strstr(file->sql, mark_no_transaction) == NULL;
    PGresult *end;
    bool is_committed;

    if (is_one && (!owner_run(conn, sql_migration_begin.sql, file->name) ||
                   !owner_run(conn, sql_migration_patience.sql, file->name)))
        return false;
    if (!owner_run(conn, file->sql, file->name) || !add_row(conn, file))
        return false;
    if (!is_one)
        return true;
    end = owner_ask(conn, &sql_migration_commit);
    is_committed = end && strcmp(PQcmdStatus(end), "COMMIT") == 0;
    PQclear(end);
    return is_committed;
}

static bool apply_missing(PGconn *conn, const PGresult *applied, json_t *names)
{

    for (const struct migration_file *file = first_file(); file->name; file++) {
        if (row_of(applied, number_in(file)) >= 0)
            continue;
        if (!apply(conn, file))
            return false;
        json_array_append_new(names, json_string(file->name));
    }
    return owner_run(conn, sql_migration_partitions.sql, "partitions");
}

static void say_applied(const json_t *names, bool as_json)
{
    size_t index;
    const json_t *name;

    if (as_json)
        print_json(names);
    else if (json_array_size(names) == 0)
        printf("The schema is up to date (%d).\n", newest());
    else
        json_array_foreach(names, index, name) printf("applied %s\n", json_string_value(name));
}

static bool migrate(PGconn *conn, bool as_json)
{
    PGresult *applied = NULL;
    json_t *names = json_array();
    bool is_done = owner_run(conn, sql_migration_lock.sql, "lock") &&
                   owner_run(conn, migration_files[0].sql, migration_files[0].name) &&
                   (applied = owner_ask(conn, &sql_migration_list)) != NULL &&
                   check_applied(applied) && apply_missing(conn, applied, names);

    if (is_done || json_array_size(names) > 0)
        say_applied(names, as_json);
    json_decref(names);
    PQclear(applied);
    return is_done;
}

static int up(const struct call *call)
{
    static struct settings settings; /* its texts live until the process ends */
    PGconn *conn = owner_connect(&settings);
    bool is_done;

    if (conn == NULL)
        return EXIT_REFUSED;
    is_done = migrate(conn, call_flag(call, "json"));
    PQfinish(conn);
    return is_done ? EXIT_SUCCESS : EXIT_REFUSED;
}

static json_t *describe(const PGresult *applied)
{
    json_t *list = json_array();

    for (const struct migration_file *file = first_file(); file->name; file++) {
        int row = applied ? row_of(applied, number_in(file)) : -1;

        json_array_append_new(list,
                              json_pack("{s:i, s:s, s:i, s:s*}", "version", number_in(file), "name",
                                        file->name, "serves_from", serves_from(file), "applied_at",
                                        row >= 0 ? PQgetvalue(applied, row, APPLIED_AT) : NULL));
    }
    return list;
}

static void print_status(const json_t *list)
{
    struct table *table = table_create();
    size_t index;
    const json_t *item;

    table_column(table, "migration", COLUMN_LEFT);
    table_column(table, "applied", COLUMN_LEFT);

    json_array_foreach(list, index, item)
    {
        table_cell(table, text_of(item, "name"));
        table_cell(table, *text_of(item, "applied_at") ? time_text(text_of(item, "applied_at"))
                                                       : "not applied: docket migrate up");
    }
    table_print(table);
}

static bool read_status(PGconn *conn, bool as_json)
{
    PGresult *exists = owner_ask(conn, &sql_migration_exists), *applied = NULL;
    bool is_there = exists && strcmp(PQgetvalue(exists, 0, 0), "t") == 0;
    bool is_read =
        exists && (!is_there || ((applied = owner_ask(conn, &sql_migration_list)) != NULL &&
                                 check_applied(applied)));
    json_t *list = describe(applied);

    if (is_read && as_json)
        print_json(list);
    else if (is_read)
        print_status(list);
    json_decref(list);
    PQclear(applied);
    PQclear(exists);
    return is_read;
}

static int status(const struct call *call)
{
    static struct settings settings; /* its texts live until the process ends */
    PGconn *conn = owner_connect(&settings);
    bool is_read;

    if (conn == NULL)
        return EXIT_REFUSED;
    is_read = read_status(conn, call_flag(call, "json"));
    PQfinish(conn);
    return is_read ? EXIT_SUCCESS : EXIT_REFUSED;
}

static const struct command command_up = {
    .name = "up",
    .summary = "Apply what the database lacks, and make partitions ahead.",
    .examples = "DOCKET_PG=\"host=127.0.0.1 dbname=docket user=docket_owner\" docket migrate up",
    .run = up,
};
static const struct command command_status = {
    .name = "status",
    .summary = "List the migrations, and which of them were applied when.",
    .run = status,
};
static const struct command *const commands[] = {&command_up, &command_status, &command_months,
                                                 &command_retire, NULL};

const struct command command_migrate = {
    .name = "migrate",
    .summary = "The database's schema: bring it up to date, and let old months go.",
    .about = "Goes straight to Postgres, with DOCKET_PG as the role that owns the schema. Safe to "
             "run at any time, also twice at once; programs that the new schema serves keep "
             "running.",
    .commands = commands,
};
