#include "tests/flow/group_stage.h"

const struct pg_statement add_things = {
    "add_things", "INSERT INTO thing (key, number) "
                  "SELECT key, number FROM unnest($1::text[], $2::int4[]) AS t (key, number) "
                  "ON CONFLICT (key) DO NOTHING RETURNING key"};
const struct pg_statement check_things = {
    "check_things",
    "SELECT key FROM (SELECT 1 / (max(number) + 1) FROM unnest($2::int4[]) AS t (number)) AS x, "
    "unnest($1::text[]) AS key WHERE false"};
static const struct pg_statement *const statements[] = {&add_things, &check_things, NULL};

uv_loop_t loop;
static uv_timer_t turn;
static uint64_t began_ms; /* when the first was submitted */
struct group *group;
PGconn *admin, *stranger;
struct thing things[THINGS_MAX];
int sends;
void (*stage_send)(struct group_batch *batch, const struct pg_params *params);
void (*stage_note)(int nth, const PGresult *result);

static struct thing *thing_of(struct group_ticket *ticket)
{
    return container_of(ticket, struct thing, ticket);
}

static bool send_things(struct group_batch *batch)
{
    struct group_ticket *ticket;
    struct pg_params params;

    sends++;
    pg_params_init(&params);
    pg_array_begin(&params, PG_TEXT);
    TAILQ_FOREACH (ticket, &batch->tickets, next)
        pg_array_text(&params, thing_of(ticket)->key);
    pg_array_end(&params);
    pg_array_begin(&params, PG_INT4);
    TAILQ_FOREACH (ticket, &batch->tickets, next)
        pg_array_i32(&params, thing_of(ticket)->number);
    pg_array_end(&params);
    if (stage_send)
        stage_send(batch, &params);
    else
        group_send(batch, &add_things, &params);
    pg_params_finish(&params);
    return true;
}

static void note_new(struct group_batch *batch, int nth, const PGresult *result)
{
    struct group_ticket *ticket;

    if (stage_note)
        stage_note(nth, result);
    else
        assert_int_equal(nth, 0);
    TAILQ_FOREACH (ticket, &batch->tickets, next)
        for (int row = 0; row < PQntuples(result); row++)
            thing_of(ticket)->is_new |= strcmp(pg_text(result, row, 0), thing_of(ticket)->key) == 0;
}

static bool is_answer(const char *sqlstate, const char *constraint)
{
    return strcmp(sqlstate, "23514") == 0 && strcmp(constraint, "thing_number") == 0;
}

struct group_work stage_work = {
    .name = "thing",
    .statements = statements,
    .waiting_max = THINGS_MAX,
    .send = send_things,
    .on_rows = note_new,
    .is_answer = is_answer,
};

void on_settled(struct group_ticket *ticket)
{
    thing_of(ticket)->settled++;
}

static void on_released(struct group_ticket *ticket)
{
    assert_int_equal(thing_of(ticket)->settled, 1); /* first the fate, then the memory */
    thing_of(ticket)->released++;
}

void run_sql(PGconn *link, const char *sql)
{
    PGresult *result = PQexec(link, sql);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(link));
    PQclear(result);
}

int count(const char *sql)
{
    PGresult *result = PQexec(admin, sql);
    int value;

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(admin));
    value = PQntuples(result) ? (int)strtol(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    PQclear(result);
    return value;
}

static void on_turn(uv_timer_t *timer)
{
    (void)timer;
}

int told(enum group_outcome outcome)
{
    int found = 0;

    for (int n = 0; n < THINGS_MAX; n++)
        found += things[n].settled && things[n].ticket.outcome == outcome;
    return found;
}

void open_group_at(const char *conninfo)
{
    static struct pg_server server;

    server = (struct pg_server){.conninfo = conninfo};
    group =
        group_create(&loop, &stage_work, &(struct group_options){.server = &server, .links = 2});
}

void open_group(void)
{
    open_group_at(getenv("DOCKET_TEST_PG"));
}

void submit(int n, int32_t number, uint64_t within_ms)
{
    struct thing *thing = &things[n];

    if (n == 0)
        began_ms = clock_monotonic_ms();
    *thing = (struct thing){.number = number};
    snprintf(thing->key, sizeof(thing->key), "key-%03d", n);
    thing->ticket.on_settled = on_settled;
    thing->ticket.on_released = on_released;
    thing->ticket.deadline_ms = within_ms ? clock_monotonic_ms() + within_ms : 0;
    assert_true(group_submit(group, &thing->ticket));
    assert_int_equal(thing->settled, 0); /* never from inside */
}

bool may_be_stuck(void)
{
    return clock_monotonic_ms() - began_ms >= GROUP_STUCK_MS;
}

void hold_key(int n)
{
    char sql[80];

    snprintf(sql, sizeof(sql), "INSERT INTO thing VALUES ('key-%03d', 0)", n);
    run_sql(stranger, "BEGIN");
    run_sql(stranger, sql);
}

int waiting_for_locks(void)
{
    return count("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                 "AND query LIKE '%INTO thing%' AND datname = current_database()");
}

int set_up(void **state)
{
    (void)state;
    admin = PQconnectdb(getenv("DOCKET_TEST_PG"));
    stranger = PQconnectdb(getenv("DOCKET_TEST_PG"));
    run_sql(admin, "SET client_min_messages = warning");
    run_sql(admin, "SET synchronous_commit = local");
    run_sql(admin, "DROP TABLE IF EXISTS thing");
    run_sql(admin, "CREATE TABLE thing (key text PRIMARY KEY, "
                   "number int4 CONSTRAINT thing_number CHECK (number >= 0))");
    memset(things, 0, sizeof(things));
    stage_work.tickets_max = THINGS_MAX;
    stage_work.pace_ns = 0;
    stage_work.is_followed = false;
    sends = 0;
    uv_loop_init(&loop);
    uv_timer_init(&loop, &turn);
    uv_timer_start(&turn, on_turn, TURN_MS, TURN_MS);
    return 0;
}

void set_standbys(const char *names)
{
    char sql[80];

    snprintf(sql, sizeof(sql), "ALTER SYSTEM SET synchronous_standby_names = '%s'", names);
    run_sql(admin, sql);
    run_sql(admin, "SELECT pg_reload_conf()");
}

int tear_down(void **state)
{
    (void)state;
    set_standbys(""); /* also where a case failed half-way: everybody would wait for ever */
    PQfinish(stranger);
    group_destroy(group);
    group = NULL;
    run_sql(admin, "DROP TABLE thing");
    PQfinish(admin);
    uv_close((uv_handle_t *)&turn, NULL);
    for (int n = 0; n < 10; n++)
        uv_run(&loop, UV_RUN_NOWAIT);
    return 0;
}
