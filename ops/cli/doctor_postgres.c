/* docket doctor: Postgres, by statements that say themselves what is wrong and how to mend it
 * (schema/statements/doctor_*.sql: what was looked at, how it is, what was found, the cure) */
#include <openssl/sha.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/pg_params.h"
#include "ops/cli/audit_chain.h"
#include "ops/cli/doctor.h"
#include "ops/cli/doctor_grants.h"
#include "ops/cli/migrate.h"
#include "schema/stages.h"
#include "schema/statements.h"

enum { ASK_MS = 3000, COUNT_MAX = 10000, ACTS_MAX = 1000 };
enum { CHECK, STATE, SAYS, MEND };      /* of every statement of a look */
enum { PLACE, IS_HERE, SIZE, MAY_ASK }; /* of doctor_place.sql */

static const char mend_role[] =
    "run it with DOCKET_PG as a superuser, or as a member of pg_monitor, to see it";

struct patient {
    struct doctor *doctor;
    PGconn *conn;     /* NULL: it did not answer, and nothing more is asked */
    bool is_migrated; /* the schema is the one that we know */
};

/* --- asking, never for longer than ASK_MS -------------------------------------------------------
 */

static bool wait_until(const PGconn *conn, short events, uint64_t until)
{
    struct pollfd fd = {PQsocket(conn), events, 0};
    uint64_t now = clock_monotonic_ms();

    return now < until && poll(&fd, 1, (int)(until - now)) > 0;
}

static PGconn *connect_in_time(const char *conninfo)
{
    uint64_t until = clock_monotonic_ms() + ASK_MS;
    PGconn *conn = PQconnectStart(conninfo);
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;

    while (PQstatus(conn) != CONNECTION_BAD && step != PGRES_POLLING_OK &&
           step != PGRES_POLLING_FAILED) {
        if (!wait_until(conn, step == PGRES_POLLING_READING ? POLLIN : POLLOUT, until))
            break;
        step = PQconnectPoll(conn);
    }
    return conn;
}

static void give_up(struct patient *patient, const char *check)
{
    doctor_tell(patient->doctor, check, FINDING_FAIL,
                "see whether the server is frozen, its disk hangs, or a lock is held",
                "Postgres did not answer within %d s; the rest was not looked at", ASK_MS / 1000);
    PQfinish(patient->conn);
    patient->conn = NULL;
}

static bool send_statement(PGconn *conn, const char *sql, const struct pg_params *params)
{
    const char *values[PG_PARAMS_MAX];
    int formats[PG_PARAMS_MAX], count = params ? params->count : 0;

    for (int i = 0; i < count; i++) {
        values[i] = params->offsets[i] < 0 ? NULL : params->bytes.bytes + params->offsets[i];
        formats[i] = 1;
    }
    return PQsendQueryParams(conn, sql, count, NULL, values, params ? params->lengths : NULL,
                             formats, 0);
}

/* The last result, NULL: none came in time, and the connection was given up. */
static PGresult *ask(struct patient *patient, const struct pg_statement *statement,
                     const struct pg_params *params)
{
    uint64_t until = clock_monotonic_ms() + ASK_MS;
    PGresult *last = NULL, *next;

    if (patient->conn == NULL || !send_statement(patient->conn, statement->sql, params))
        return NULL;
    for (;;) {
        while (PQisBusy(patient->conn)) {
            if (!wait_until(patient->conn, POLLIN, until) || !PQconsumeInput(patient->conn)) {
                PQclear(last);
                give_up(patient, statement->name);
                return NULL;
            }
        }
        if ((next = PQgetResult(patient->conn)) == NULL)
            return last;
        PQclear(last);
        last = next;
    }
}

static bool is_code(const PGresult *result, const char *code)
{
    const char *given = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return given && strcmp(given, code) == 0;
}

/* A look that Postgres refused. */
static void tell_refused(struct patient *patient, const char *check, const PGresult *result)
{
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (is_code(result, "42501"))
        doctor_tell(patient->doctor, check, FINDING_SKIP, mend_role, "this role may not see it: %s",
                    words);
    else if (is_code(result, "42P01") || is_code(result, "42703") || is_code(result, "42883"))
        doctor_tell(patient->doctor, check,
                    strcmp(check, "schema.migrations") == 0 ? FINDING_FAIL : FINDING_SKIP,
                    "docket migrate up", "the schema lacks it: %s", words);
    else
        doctor_tell(patient->doctor, check, FINDING_WARN, "see the server's log",
                    "it could not be looked at: %s", words ? words : "no answer");
}

static enum finding finding_of(const char *state)
{
    return strcmp(state, "ok") == 0     ? FINDING_OK
           : strcmp(state, "warn") == 0 ? FINDING_WARN
           : strcmp(state, "fail") == 0 ? FINDING_FAIL
                                        : FINDING_SKIP;
}

/* Asks, and tells each row.  False: one of them fails, or there was no answer. */
static bool look(struct patient *patient, const char *check, const struct pg_statement *statement,
                 struct pg_params *params)
{
    PGresult *result = ask(patient, statement, params);
    bool is_well = PQresultStatus(result) == PGRES_TUPLES_OK;

    if (result && !is_well)
        tell_refused(patient, check, result);
    for (int row = 0; is_well && row < PQntuples(result); row++)
        doctor_tell(patient->doctor, PQgetvalue(result, row, CHECK),
                    finding_of(PQgetvalue(result, row, STATE)), PQgetvalue(result, row, MEND), "%s",
                    PQgetvalue(result, row, SAYS));
    for (int row = 0; is_well && row < PQntuples(result); row++)
        is_well = strcmp(PQgetvalue(result, row, STATE), "fail") != 0;
    PQclear(result);
    if (params)
        pg_params_finish(params);
    return is_well;
}

/* --- the looks that need more than a statement --------------------------------------------------
 */

static void look_at_settings(struct patient *patient)
{
    struct pg_params params;

    pg_params_init(&params);
    pg_add_bool(&params, patient->doctor->settings.single_node);
    (void)look(patient, "postgres.durable", &sql_doctor_settings, &params);
}

static void look_at_clock(struct patient *patient)
{
    struct pg_params params;

    pg_params_init(&params);
    pg_add_i64(&params, clock_wall_us());
    (void)look(patient, "clock.database", &sql_doctor_clock, &params);
}

static void look_at_migrations(struct patient *patient)
{
    struct pg_params params;

    pg_params_init(&params);
    migrate_add_known(&params);
    patient->is_migrated = look(patient, "schema.migrations", &sql_doctor_migrations, &params);
}

static void look_at_grants(struct patient *patient)
{
    struct pg_params params;

    (void)look(patient, "roles", &sql_doctor_roles, NULL);
    if (!patient->is_migrated)
        return; /* what is to be granted comes with the migrations */
    pg_params_init(&params);
    doctor_grants_add(&params);
    (void)look(patient, "roles.grants", &sql_doctor_grants, &params);
}

static void look_at_transactions(struct patient *patient)
{
    struct pg_params params;

    pg_params_init(&params);
    pg_add_i64(&params, patient->doctor->held_s);
    (void)look(patient, "postgres.transactions", &sql_doctor_transactions, &params);
}

static void look_at_months(struct patient *patient)
{
    struct pg_params params;

    pg_params_init(&params);
    pg_add_i64(&params, patient->doctor->settings.retention_months);
    (void)look(patient, "schema.months", &sql_doctor_months, &params);
}

static void tell_free(struct patient *patient, const char *path)
{
    struct statvfs disk;
    double share;

    if (statvfs(path, &disk) != 0) {
        doctor_tell(patient->doctor, "postgres.disk", FINDING_SKIP, mend_role,
                    "this user may not look at %s", path);
        return;
    }
    share = disk.f_blocks ? (double)disk.f_bavail / (double)disk.f_blocks : 1;
    doctor_tell(patient->doctor, "postgres.disk",
                share < 0.05  ? FINDING_FAIL
                : share < 0.1 ? FINDING_WARN
                              : FINDING_OK,
                "make room: old logs, WAL that a slot keeps (postgres.slots), or a larger disk",
                "%.0f %% (%.1f GB) are free at %s", share * 100,
                (double)disk.f_bavail * (double)disk.f_frsize / 1e9, path);
}

/* By df on the server, where the role may start it; by ourselves, where the server is here. */
static void look_at_disk(struct patient *patient)
{
    PGresult *result = ask(patient, &sql_doctor_place, NULL), *asked = NULL;
    bool is_known = PQresultStatus(result) == PGRES_TUPLES_OK;

    if (is_known && strcmp(PQgetvalue(result, 0, MAY_ASK), "t") == 0) {
        PQclear(ask(patient, &sql_doctor_disk_begin, NULL));
        asked = ask(patient, &sql_doctor_disk_ask, NULL);
    }
    if (PQresultStatus(asked) == PGRES_COMMAND_OK)
        (void)look(patient, "postgres.disk", &sql_doctor_disk, NULL);
    else if (is_known && !PQgetisnull(result, 0, PLACE) &&
             strcmp(PQgetvalue(result, 0, IS_HERE), "t") == 0)
        tell_free(patient, PQgetvalue(result, 0, PLACE));
    else if (patient->conn)
        doctor_tell(patient->doctor, "postgres.disk", FINDING_SKIP, mend_role,
                    "this role may not see the server's disk");
    PQclear(asked);
    PQclear(result);
}

static json_t *json_of(struct patient *patient, const char *check,
                       const struct pg_statement *statement, struct pg_params *params)
{
    PGresult *result = ask(patient, statement, params);
    bool is_there = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
    json_t *value = is_there ? json_loads(PQgetvalue(result, 0, 0), 0, NULL) : NULL;

    if (result && !is_there)
        tell_refused(patient, check, result);
    PQclear(result);
    pg_params_finish(params);
    return value;
}

static json_t *acts_after(struct patient *patient, int64_t id, int limit)
{
    struct pg_params params;

    pg_params_init(&params);
    pg_add_i64(&params, id);
    pg_add_i32(&params, limit);
    return json_of(patient, "audit.chain", &sql_audit_chain, &params);
}

/* How many rows are wrong; the first is where it begins. */
static int check_chain(const json_t *rows)
{
    struct audit_chain chain = {.last_id = 0};
    size_t index;
    const json_t *json;
    int wrong = 0;

    json_array_foreach(rows, index, json)
    {
        struct audit_row row;
        bool is_read = audit_row_read(json, &row);

        if (is_read && index == 0 && row.id > 1) {
            chain.last_id = row.id;
            memcpy(chain.hash, row.hash, sizeof(chain.hash));
        } else {
            wrong += !is_read || audit_chain_add(&chain, &row) != AUDIT_RIGHT;
        }
    }
    return wrong;
}

static void look_at_audit(struct patient *patient)
{
    json_t *head = acts_after(patient, 0, 1), *page = NULL;
    long long last = number_of(head, "last"), after = last > ACTS_MAX ? last - ACTS_MAX : 0;
    size_t acts;
    int wrong;

    if (head && (page = acts_after(patient, after, ACTS_MAX)) != NULL) {
        wrong = check_chain(json_object_get(page, "rows"));
        acts = json_array_size(json_object_get(page, "rows"));
        if (wrong > 0)
            doctor_tell(
                patient->doctor, "audit.chain", FINDING_FAIL,
                "docket audit verify names the rows; keep the database, compare it with a backup",
                "%d of the last %zu acts are not as they were written", wrong, acts);
        else
            doctor_tell(patient->doctor, "audit.chain", FINDING_OK, "",
                        "the last %zu acts are as they were written", acts);
    }
    json_decref(head);
    json_decref(page);
}

static void name_stages(json_t *rows)
{
    size_t index;
    json_t *row;

    json_array_foreach(rows, index, row) json_object_set_new(
        row, "stage", json_string(stage_name((enum stage)number_of(row, "stage"))));
}

static void look_at_work(struct patient *patient)
{
    struct pg_params params;
    json_t *status;

    pg_params_init(&params);
    pg_add_i64(&params, COUNT_MAX);
    status = json_of(patient, "work", &sql_status, &params);
    if (status == NULL)
        return;
    name_stages(json_object_get(status, "workers"));
    name_stages(json_object_get(status, "parked"));
    doctor_work(patient->doctor, status);
    json_decref(status);
}

static void look_at_all(struct patient *patient)
{
    look_at_clock(patient);
    look_at_settings(patient);
    look_at_migrations(patient);
    look_at_grants(patient);
    (void)look(patient, "schema.partitions", &sql_doctor_partitions, NULL);
    look_at_months(patient);
    look_at_transactions(patient);
    (void)look(patient, "postgres.slots", &sql_doctor_slots, NULL);
    (void)look(patient, "postgres.xid_age", &sql_doctor_xid, NULL);
    (void)look(patient, "postgres.connections", &sql_doctor_connections, NULL);
    look_at_disk(patient);
    look_at_audit(patient);
    look_at_work(patient);
}

void doctor_postgres(struct doctor *doctor)
{
    struct patient patient = {.doctor = doctor};

    if (doctor->settings.pg == NULL) {
        doctor_tell(doctor, "postgres", FINDING_SKIP,
                    "set DOCKET_PG to a role that may see it, best a superuser",
                    "DOCKET_PG is not set");
        return;
    }
    patient.conn = connect_in_time(doctor->settings.pg);
    if (PQstatus(patient.conn) == CONNECTION_OK) {
        doctor_tell(doctor, "postgres", FINDING_OK, "", "%s at %s:%s answers as %s",
                    PQdb(patient.conn), PQhost(patient.conn), PQport(patient.conn),
                    PQuser(patient.conn));
        look_at_all(&patient);
    } else {
        doctor_tell(doctor, "postgres", FINDING_FAIL,
                    "start it, or correct DOCKET_PG; without it no order can be accepted", "%s",
                    *PQerrorMessage(patient.conn) ? PQerrorMessage(patient.conn)
                                                  : "it did not answer within 3 s");
    }
    PQfinish(patient.conn);
}
