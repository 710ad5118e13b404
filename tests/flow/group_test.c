/* Group commit against a real Postgres (DOCKET_TEST_PG): whom a fault blames, what a deadline
 * knows, what a lost link and a stranger's lock do.  Run by test_group.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "queue/group.h"

#include <cmocka.h> /* last: its fail() would hide ours */

enum { THINGS_MAX = 64, TURN_MS = 5, LONGEST_MS = 15000, KEY_SIZE = 16 };

/* What a ticket stores: a key, once; a number, which must not be negative. */
struct thing {
    struct group_ticket ticket;
    char key[KEY_SIZE];
    int32_t number;
    bool is_new; /* as the statement says */
    int settled, released;
};

static const struct pg_statement add_things = {
    "add_things", "INSERT INTO thing (key, number) "
                  "SELECT key, number FROM unnest($1::text[], $2::int4[]) AS t (key, number) "
                  "ON CONFLICT (key) DO NOTHING RETURNING key"};
/* The same on the table of one month, of which the session also tells how many such it has
 * prepared. */
static const struct month_statement add_monthly = {
    {"add_things", "INSERT INTO thing (key, number) "
                   "SELECT key, number FROM unnest($1::text[], $2::int4[]) AS t (key, number) "
                   "ON CONFLICT (key) DO NOTHING RETURNING key"},
    "INSERT INTO thing\001 (key, number) "
    "SELECT key, number FROM unnest($1::text[], $2::int4[]) AS t (key, number) ON CONFLICT (key) "
    "DO NOTHING "
    "RETURNING key, (SELECT count(*)::int4 FROM pg_prepared_statements WHERE name ~ '_[0-9]{2}$')"};
static const struct pg_statement check_things = {
    "check_things",
    "SELECT key FROM (SELECT 1 / (max(number) + 1) FROM unnest($2::int4[]) AS t (number)) AS x, "
    "unnest($1::text[]) AS key WHERE false"};
static const struct pg_statement *const statements[] = {&add_things, &check_things, NULL};

static uv_loop_t loop;
static uv_timer_t turn;
static struct group *group;
static PGconn *admin, *stranger;
static struct thing things[THINGS_MAX];
static int sends; /* batches that were sent */
static bool is_monthly;
static int prepared;           /* as the session told */
static int64_t clock_ahead_us; /* of what the machine's says */

int64_t __real_clock_wall_us(void); /* NOLINT: the linker's name */
int64_t __wrap_clock_wall_us(void); /* NOLINT */

int64_t __wrap_clock_wall_us(void) /* NOLINT */
{
    return __real_clock_wall_us() + clock_ahead_us;
}

static struct thing *thing_of(struct group_ticket *ticket)
{
    return container_of(ticket, struct thing, ticket);
}

/* All of now; what is checked first fails where the greatest number is -1. */
static void send_monthly(struct group_batch *batch, const struct pg_params *params)
{
    struct order_span span;

    order_id_first(&span.least, clock_wall_us() / 1000);
    span.greatest = span.least;
    group_send(batch, &check_things, params);
    group_send_month(batch, &add_monthly, &span, params);
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
    if (is_monthly)
        send_monthly(batch, &params);
    else
        group_send(batch, &add_things, &params);
    pg_params_finish(&params);
    return true;
}

static void note_new(struct group_batch *batch, int nth, const PGresult *result)
{
    struct group_ticket *ticket;

    assert_in_range(nth, 0, is_monthly ? 1 : 0);
    if (is_monthly && nth == 1 && PQntuples(result) > 0 && PQnfields(result) > 1)
        prepared = pg_i32(result, 0, 1);
    TAILQ_FOREACH (ticket, &batch->tickets, next)
        for (int row = 0; row < PQntuples(result); row++)
            thing_of(ticket)->is_new |= strcmp(pg_text(result, row, 0), thing_of(ticket)->key) == 0;
}

static bool is_answer(const char *sqlstate, const char *constraint)
{
    return strcmp(sqlstate, "23514") == 0 && strcmp(constraint, "thing_number") == 0;
}

static const struct group_work work = {
    .name = "thing",
    .statements = statements,
    .tickets_max = THINGS_MAX,
    .waiting_max = THINGS_MAX,
    .send = send_things,
    .on_rows = note_new,
    .is_answer = is_answer,
};

static void on_settled(struct group_ticket *ticket)
{
    thing_of(ticket)->settled++;
}

static void on_released(struct group_ticket *ticket)
{
    assert_int_equal(thing_of(ticket)->settled, 1); /* first the fate, then the memory */
    thing_of(ticket)->released++;
}

/* --- the stage ---------------------------------------------------------------------------------
 */

static void run_sql(PGconn *link, const char *sql)
{
    PGresult *result = PQexec(link, sql);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(link));
    PQclear(result);
}

static int count(const char *sql)
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

/* Turns the loop until it is so; fails at the deadline. */
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        uint64_t until_ms = clock_monotonic_ms() + LONGEST_MS;                                     \
                                                                                                   \
        while (!(condition)) {                                                                     \
            uv_run(&loop, UV_RUN_ONCE);                                                            \
            if (clock_monotonic_ms() > until_ms)                                                   \
                fail_msg("still not: %s", #condition);                                             \
        }                                                                                          \
    } while (0)

static int told(enum group_outcome outcome)
{
    int found = 0;

    for (int n = 0; n < THINGS_MAX; n++)
        found += things[n].settled && things[n].ticket.outcome == outcome;
    return found;
}

static void open_group_at(const char *conninfo)
{
    static struct pg_server server;

    server = (struct pg_server){.conninfo = conninfo};
    group = group_create(&loop, &work, &(struct group_options){.server = &server, .links = 2});
}

static void open_group(void)
{
    open_group_at(getenv("DOCKET_TEST_PG"));
}

static void submit(int n, int32_t number, uint64_t within_ms)
{
    struct thing *thing = &things[n];

    *thing = (struct thing){.number = number};
    snprintf(thing->key, sizeof(thing->key), "key-%03d", n);
    thing->ticket.on_settled = on_settled;
    thing->ticket.on_released = on_released;
    thing->ticket.deadline_ms = within_ms ? clock_monotonic_ms() + within_ms : 0;
    assert_true(group_submit(group, &thing->ticket));
    assert_int_equal(thing->settled, 0); /* never from inside */
}

/* A transaction of somebody else that is about to store the same key. */
static void hold_key(int n)
{
    char sql[80];

    snprintf(sql, sizeof(sql), "INSERT INTO thing VALUES ('key-%03d', 0)", n);
    run_sql(stranger, "BEGIN");
    run_sql(stranger, sql);
}

static int waiting_for_locks(void)
{
    return count("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                 "AND query LIKE '%INTO thing%' AND datname = current_database()");
}

static int set_up(void **state)
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
    sends = prepared = 0;
    is_monthly = false;
    clock_ahead_us = 0;
    uv_loop_init(&loop);
    uv_timer_init(&loop, &turn);
    uv_timer_start(&turn, on_turn, TURN_MS, TURN_MS);
    return 0;
}

static void set_standbys(const char *names)
{
    char sql[80];

    snprintf(sql, sizeof(sql), "ALTER SYSTEM SET synchronous_standby_names = '%s'", names);
    run_sql(admin, sql);
    run_sql(admin, "SELECT pg_reload_conf()");
}

static int tear_down(void **state)
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

/* --- the promises ------------------------------------------------------------------------------
 */

static void what_arrives_together_is_one_batch(void **state)
{
    (void)state;
    open_group();
    for (int n = 0; n < 50; n++)
        submit(n, n, 0);
    UNTIL(told(GROUP_COMMITTED) == 50);
    assert_int_equal(sends, 1);
    assert_int_equal(count("SELECT count(*) FROM thing"), 50);
    assert_true(group_is_idle(group));
    for (int n = 0; n < 50; n++)
        assert_true(things[n].is_new && things[n].released == 1 && things[n].settled == 1);
}

static void a_culprit_is_refused_alone_and_the_rest_is_committed(void **state)
{
    (void)state;
    open_group();
    for (int n = 0; n < 50; n++)
        submit(n, n == 31 || n == 7 ? -1 : 1, 0);
    UNTIL(told(GROUP_COMMITTED) == 48 && told(GROUP_REFUSED) == 2);
    assert_int_equal(count("SELECT count(*) FROM thing"), 48);
    assert_int_equal(things[31].ticket.fault.kind, FAULT_REFUSED);
    assert_string_equal(things[31].ticket.sqlstate, "23514");
    assert_string_equal(things[31].ticket.constraint, "thing_number");
    assert_in_range(sends, 8, 24);
}

static void a_fault_that_is_no_answer_is_our_bug(void **state)
{
    (void)state;
    run_sql(admin, "ALTER TABLE thing ADD CONSTRAINT other CHECK (number < 100)");
    open_group();
    submit(0, 100, 0);
    submit(1, 1, 0);
    UNTIL(told(GROUP_COMMITTED) == 1 && told(GROUP_REFUSED) == 1);
    assert_int_equal(things[0].ticket.fault.kind, FAULT_BROKEN);
    assert_string_equal(things[0].ticket.constraint, "other");
}

static void a_lock_that_somebody_holds_blames_nobody(void **state)
{
    (void)state;
    open_group();
    hold_key(3);
    run_sql(admin, "ALTER ROLE CURRENT_USER SET lock_timeout = '100ms'");
    for (int n = 0; n < 8; n++)
        submit(n, 1, 0);
    UNTIL(told(GROUP_COMMITTED) == 7); /* all but the one whose key is held */
    assert_int_equal(told(GROUP_REFUSED), 0);
    run_sql(stranger, "ROLLBACK");
    UNTIL(told(GROUP_COMMITTED) == 8);
    run_sql(admin, "ALTER ROLE CURRENT_USER RESET lock_timeout");
}

static void a_lock_that_is_held_for_ever_is_said_and_is_nobody_s_fault(void **state)
{
    (void)state;
    run_sql(admin, "ALTER ROLE CURRENT_USER SET lock_timeout = '50ms'");
    open_group();
    hold_key(0);
    submit(0, 1, 0);
    UNTIL(told(GROUP_REFUSED) == 1);
    assert_int_equal(things[0].ticket.fault.kind, FAULT_TRANSIENT);
    assert_string_equal(things[0].ticket.sqlstate, "55P03");
    assert_int_equal(sends, GROUP_LOCK_SETBACKS_MAX);
    run_sql(admin, "ALTER ROLE CURRENT_USER RESET lock_timeout");
}

static void a_batch_whose_link_is_lost_is_sent_again(void **state)
{
    (void)state;
    open_group();
    hold_key(5);
    for (int n = 0; n < 8; n++)
        submit(n, 1, 0);
    UNTIL(waiting_for_locks() == 1);
    run_sql(admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                   "WHERE wait_event_type = 'Lock' AND datname = current_database()");
    UNTIL(sends == 2);
    run_sql(stranger, "ROLLBACK");
    UNTIL(told(GROUP_COMMITTED) == 8);
    assert_int_equal(count("SELECT count(*) FROM thing"), 8);
}

static void a_ticket_that_was_never_sent_is_unsent_at_its_deadline(void **state)
{
    (void)state;
    open_group_at("host=127.0.0.1 port=1 dbname=nothing");
    submit(0, 1, 200);
    submit(1, 1, 0);
    UNTIL(told(GROUP_UNSENT) == 1);
    assert_int_equal(things[0].released, 1);
    assert_int_equal(things[1].settled, 0); /* without a deadline it waits */
    assert_int_equal(group_waiting(group), 1);
}

static void a_ticket_that_is_in_flight_is_unknown_at_its_deadline_and_kept_till_the_end(
    void **state)
{
    (void)state;
    open_group();
    UNTIL(group_is_ready(group));
    hold_key(0);
    submit(0, 1, 300);
    UNTIL(told(GROUP_UNKNOWN) == 1);
    assert_int_equal(things[0].released, 0); /* the batch is still out */
    run_sql(stranger, "ROLLBACK");
    UNTIL(things[0].released == 1);
    assert_int_equal(things[0].settled, 1);
    assert_int_equal(things[0].ticket.outcome, GROUP_UNKNOWN);
    assert_int_equal(count("SELECT count(*) FROM thing"), 1); /* it became so after all */
}

static void what_was_told_unknown_is_not_sent_again(void **state)
{
    (void)state;
    open_group();
    UNTIL(group_is_ready(group));
    hold_key(0);
    submit(0, 1, 200);
    submit(1, 1, 0);
    UNTIL(told(GROUP_UNKNOWN) == 1);
    run_sql(admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                   "WHERE wait_event_type = 'Lock' AND datname = current_database()");
    UNTIL(told(GROUP_COMMITTED) == 1);
    run_sql(stranger, "ROLLBACK");
    UNTIL(things[0].released == 1);
    assert_int_equal(count("SELECT count(*) FROM thing"), 1);
    assert_int_equal(count("SELECT count(*) FROM thing WHERE key = 'key-000'"), 0);
}

static int waiting_for_standby(void)
{
    return count("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' "
                 "AND datname = current_database()");
}

static void ask_stranger(void)
{
    PGresult *result;

    while ((result = PQgetResult(stranger)) != NULL)
        PQclear(result);
    assert_true(PQsendQuery(stranger, "SELECT pg_logical_emit_message(true, 'probe', '')"));
}

static bool does_stranger_wait(void)
{
    assert_true(PQconsumeInput(stranger));
    if (!PQisBusy(stranger))
        ask_stranger();
    return waiting_for_standby() == 1;
}

/* The reload reaches the process that makes commits wait a moment later: a stranger tries it. */
static void make_commits_wait(void)
{
    PGresult *result;

    set_standbys("nobody");
    ask_stranger();
    UNTIL(does_stranger_wait());
    run_sql(admin, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                   "WHERE wait_event = 'SyncRep' AND datname = current_database()");
    while ((result = PQgetResult(stranger)) != NULL)
        PQclear(result);
}

static void a_cancelled_wait_for_the_standby_is_no_commit(void **state)
{
    (void)state;
    open_group();
    UNTIL(group_is_ready(group));
    make_commits_wait();
    submit(0, 1, 0);
    UNTIL(waiting_for_standby() == 1);
    run_sql(admin, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                   "WHERE wait_event = 'SyncRep' AND datname = current_database()");
    UNTIL(sends == 2); /* locally it is committed; nobody is told, and it is asked again */
    assert_int_equal(count("SELECT count(*) FROM thing"), 1);
    assert_int_equal(things[0].settled, 0);
    set_standbys("");
    UNTIL(told(GROUP_COMMITTED) == 1);
}

static void a_batch_that_is_stuck_does_not_hold_the_line(void **state)
{
    (void)state;
    open_group();
    hold_key(0);
    submit(0, 1, 0);
    UNTIL(waiting_for_locks() == 1);
    submit(1, 1, 0);
    UNTIL(told(GROUP_COMMITTED) == 1);
    assert_int_equal(things[0].settled, 0);
    assert_int_equal(waiting_for_locks(), 1); /* the first is still stuck */
    run_sql(stranger, "ROLLBACK");
    UNTIL(told(GROUP_COMMITTED) == 2);
}

static void what_is_too_much_is_not_taken(void **state)
{
    struct thing one_more = {.ticket.on_settled = on_settled};

    (void)state;
    open_group_at("host=127.0.0.1 port=1 dbname=nothing");
    for (int n = 0; n < THINGS_MAX; n++)
        submit(n, 1, 0);
    assert_false(group_submit(group, &one_more.ticket));
    assert_int_equal(group_waiting(group), THINGS_MAX);
}

/* The table of the month that the clock is in, as a program would see it. */
static void make_month(char month[MONTH_SIZE])
{
    struct order_span span;
    char sql[160];

    order_id_first(&span.least, clock_wall_us() / 1000);
    span.greatest = span.least;
    assert_true(month_of_span(&span, clock_wall_us() / 1000, month));
    snprintf(sql, sizeof(sql),
             "DROP TABLE IF EXISTS thing%s; CREATE TABLE thing%s (LIKE thing INCLUDING ALL)", month,
             month);
    run_sql(admin, sql);
}

static int stored_in(const char *month)
{
    char sql[80];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM thing%s", month);
    return count(sql);
}

static void the_table_of_the_month_is_prepared_once_and_used(void **state)
{
    char month[MONTH_SIZE];

    (void)state;
    is_monthly = true;
    make_month(month);
    open_group();
    for (int n = 0; n < 5; n++) {
        submit(n, 1, 0);
        UNTIL(told(GROUP_COMMITTED) == n + 1);
        assert_true(things[n].is_new);
    }
    assert_int_equal(stored_in(month), 5);
    assert_int_equal(count("SELECT count(*) FROM thing"), 0);
    assert_int_equal(prepared, 1);
    assert_int_equal(sends, 5);
}

static void what_was_not_prepared_since_the_batch_had_failed_is_prepared_by_the_next(void **state)
{
    char month[MONTH_SIZE];

    (void)state;
    is_monthly = true;
    make_month(month);
    open_group();
    submit(0, -1, 0); /* fails before anything is prepared */
    UNTIL(told(GROUP_REFUSED) == 1);
    submit(1, -2, 0); /* fails when it was prepared */
    UNTIL(told(GROUP_REFUSED) == 2);
    submit(2, 1, 0);
    UNTIL(told(GROUP_COMMITTED) == 1);
    assert_int_equal(stored_in(month), 1);
    assert_int_equal(prepared, 1);
}

static void a_month_that_may_not_be_used_costs_nobody_anything(void **state)
{
    char month[MONTH_SIZE], sql[80];

    (void)state;
    is_monthly = true;
    make_month(month);
    snprintf(sql, sizeof(sql), "DROP TABLE thing%s", month);
    run_sql(admin, sql);
    open_group();
    for (int n = 0; n < 5; n++)
        submit(n, 1, 0);
    UNTIL(told(GROUP_COMMITTED) == 5);
    assert_int_equal(sends, 2);
    assert_int_equal(count("SELECT count(*) FROM thing"), 5);
    submit(5, 1, 0);
    UNTIL(told(GROUP_COMMITTED) == 6);
    assert_int_equal(sends, 3); /* not tried again at once */
}

static void a_new_link_prepares_anew(void **state)
{
    char month[MONTH_SIZE];

    (void)state;
    is_monthly = true;
    make_month(month);
    open_group();
    submit(0, 1, 0);
    UNTIL(told(GROUP_COMMITTED) == 1);
    run_sql(
        admin,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND query LIKE '%thing%' AND pid NOT IN (pg_backend_pid())");
    submit(1, 1, 0);
    UNTIL(told(GROUP_COMMITTED) == 2);
    assert_int_equal(stored_in(month), 2);
    assert_int_equal(prepared, 1);
}

static void months_that_are_over_are_forgotten(void **state)
{
    char month[MONTH_SIZE];

    (void)state;
    is_monthly = true;
    open_group();
    for (int n = 0; n < 6; n++) {
        make_month(month);
        submit(n, 1, 0);
        UNTIL(told(GROUP_COMMITTED) == n + 1);
        assert_int_equal(stored_in(month), 1);
        assert_in_range(prepared, 1, 2);              /* of six, on one of two links */
        clock_ahead_us += 30LL * 24 * 3600 * 1000000; /* not two months, whatever day it is */
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_arrives_together_is_one_batch),
        CASE(a_culprit_is_refused_alone_and_the_rest_is_committed),
        CASE(a_fault_that_is_no_answer_is_our_bug),
        CASE(a_lock_that_somebody_holds_blames_nobody),
        CASE(a_lock_that_is_held_for_ever_is_said_and_is_nobody_s_fault),
        CASE(a_batch_whose_link_is_lost_is_sent_again),
        CASE(a_ticket_that_was_never_sent_is_unsent_at_its_deadline),
        CASE(a_ticket_that_is_in_flight_is_unknown_at_its_deadline_and_kept_till_the_end),
        CASE(what_was_told_unknown_is_not_sent_again),
        CASE(a_cancelled_wait_for_the_standby_is_no_commit),
        CASE(a_batch_that_is_stuck_does_not_hold_the_line),
        CASE(what_is_too_much_is_not_taken),
        CASE(the_table_of_the_month_is_prepared_once_and_used),
        CASE(what_was_not_prepared_since_the_batch_had_failed_is_prepared_by_the_next),
        CASE(a_month_that_may_not_be_used_costs_nobody_anything),
        CASE(a_new_link_prepares_anew),
        CASE(months_that_are_over_are_forgotten),
    };

    log_open("group_test", LOG_ERROR);
    if (getenv("DOCKET_TEST_PG") == NULL) {
        fprintf(stderr, "DOCKET_TEST_PG is not set: these cases need a Postgres\n");
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
