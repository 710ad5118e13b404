/* A worker's breaker against a real Postgres (DOCKET_TEST_PG, with Docket's schema): what happens
 * while a report is under way.  The loop stands still between a test's own steps, so that the order
 * is certain.  Run by test_breaker_report.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "queue/breaker.h"

#include <cmocka.h> /* last: its fail() would hide ours */

enum { TURN_MS = 5, LONGEST_MS = 10000, FAILURES = 1, FAILURES_OF_A_SHARE = 4, OF_A_RAMP = 2 };

static const struct outside outside = {.name = "stripe", .stage = STAGE_PAYMENT};
static uv_loop_t loop;
static uv_timer_t turn;
static PGconn *admin;
static struct pg_server server;
static struct breaker *breaker;
static int told;

static int64_t ask(const char *sql)
{
    PGresult *result = PQexec(admin, sql);
    int64_t value;

    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    assert_int_equal(PQntuples(result), 1);
    value = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return value;
}

static void on_told(void *owner)
{
    (void)owner;
    told++;
}

static void on_turn(uv_timer_t *timer)
{
    (void)timer;
}

/* Runs the loop until the books say so. */
static void wait_for(const char *sql, int64_t wanted)
{
    uint64_t until = clock_monotonic_ms() + LONGEST_MS;

    while (ask(sql) != wanted && clock_monotonic_ms() < until)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(ask(sql), wanted);
}

static void wait_until_told(void)
{
    uint64_t until = clock_monotonic_ms() + LONGEST_MS;

    while (told == 0 && clock_monotonic_ms() < until)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_not_equal(told, 0);
}

static void call(int64_t pass, enum breaker_evidence evidence)
{
    struct breaker_doubt doubt = {0};

    assert_true(breaker_begin_call(breaker, pass, &doubt));
    breaker_end_call(breaker, &doubt, evidence);
}

static void fail_calls(int64_t pass, int count)
{
    for (int i = 0; i < count; i++)
        call(pass, BREAKER_TIMEOUT);
}

/* As the relay would, and the next beat would tell. */
static struct breaker_view move_to(enum breaker_state state, bool is_opened_anew)
{
    struct breaker_view view = {.state = state};
    char sql[256];

    snprintf(sql, sizeof(sql),
             "UPDATE breaker SET state = %d, version = v.next, goods = 0, opened = CASE WHEN %s "
             "THEN v.next "
             "ELSE opened END FROM (SELECT nextval('breaker_version') AS next) AS v "
             "WHERE name = 'stripe' RETURNING version",
             (int)state, is_opened_anew ? "true" : "false");
    view.version = ask(sql);
    view.opened = ask("SELECT opened FROM breaker WHERE name = 'stripe'");
    return view;
}

static int set_up(void **state)
{
    struct breaker_options options = {
        .server = &server,
        .outside = &outside,
        .process = "a test",
        .policy = {.failures = FAILURES, .percent = 100, .window_ms = 60000},
        .on_told = on_told,
    };

    (void)state;
    server = (struct pg_server){.conninfo = getenv("DOCKET_TEST_PG")};
    admin = PQconnectdb(server.conninfo);
    assert_int_equal(PQstatus(admin), CONNECTION_OK);
    uv_loop_init(&loop);
    uv_timer_init(&loop, &turn);
    uv_timer_start(&turn, on_turn, TURN_MS, TURN_MS);
    PQclear(PQexec(admin, "DELETE FROM breaker WHERE NOT is_queue"));
    told = 0;
    breaker = breaker_create(&loop, &options);
    fail_calls(0, FAILURES_OF_A_SHARE);
    wait_for("SELECT count(*) FROM breaker WHERE name = 'stripe' AND state = 2", 1);
    wait_until_told();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    breaker_destroy(breaker);
    uv_close((uv_handle_t *)&turn, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    PQfinish(admin);
    return 0;
}

/* The relay has closed it, which this worker learns only when it has opened it once more by what it
 * knew: that opening is refused, and the next must not go with it. */
static void an_opening_while_another_is_told_is_told_too(void **state)
{
    struct breaker_view ramping = move_to(BREAKER_RAMPING, false), closed;

    (void)state;
    breaker_on_view(breaker, &ramping);
    closed = move_to(BREAKER_CLOSED, false);
    fail_calls(ramping.opened, OF_A_RAMP);
    breaker_on_view(breaker, &closed);
    fail_calls(0, FAILURES_OF_A_SHARE);
    wait_for("SELECT state FROM breaker WHERE name = 'stripe'", BREAKER_OPEN);
}

static void what_is_told_of_the_time_before_takes_nothing_from_what_is_counted_now(void **state)
{
    struct breaker_view ramping = move_to(BREAKER_RAMPING, false);

    (void)state;
    breaker_on_view(breaker, &ramping);
    call(ramping.opened, BREAKER_GOOD);
    ramping = move_to(BREAKER_RAMPING, true);
    breaker_on_view(breaker, &ramping);
    call(ramping.opened, BREAKER_GOOD);
    wait_for("SELECT goods FROM breaker WHERE name = 'stripe'", 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest cases[] = {
        CASE(an_opening_while_another_is_told_is_told_too),
        CASE(what_is_told_of_the_time_before_takes_nothing_from_what_is_counted_now),
    };

    return cmocka_run_group_tests(cases, NULL, NULL);
}
