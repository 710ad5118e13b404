/* Statements on one month's own tables: prepared when first needed, given up where they may not be
 * used. The clock is the test's (the linker wraps it).  Run by test_group.py.
 */
#include "tests/flow/group_stage.h"

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
static int prepared;           /* as the session told */
static int64_t clock_ahead_us; /* of what the machine's says */

int64_t __real_clock_wall_us(void); /* NOLINT: the linker's name */
int64_t __wrap_clock_wall_us(void); /* NOLINT */

int64_t __wrap_clock_wall_us(void) /* NOLINT */
{
    return __real_clock_wall_us() + clock_ahead_us;
}

/* All of now. */
static void send_monthly_after(struct group_batch *batch, const struct pg_statement *first,
                               const struct pg_params *params)
{
    struct order_span span;

    order_id_first(&span.least, clock_wall_us() / 1000);
    span.greatest = span.least;
    group_send(batch, first, params);
    group_send_month(batch, &add_monthly, &span, params);
}

/* What is checked first fails where the greatest number is -1. */
static void send_monthly(struct group_batch *batch, const struct pg_params *params)
{
    send_monthly_after(batch, &check_things, params);
}

static void note_prepared(int nth, const PGresult *result)
{
    assert_in_range(nth, 0, 1);
    if (nth == 1 && PQntuples(result) > 0 && PQnfields(result) > 1)
        prepared = pg_i32(result, 0, 1);
}

static void begin(void)
{
    stage_send = send_monthly;
    stage_note = note_prepared;
    prepared = 0;
    clock_ahead_us = 0;
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

static void commit_another(int n)
{
    submit(n, 1, 0);
    UNTIL(told(GROUP_COMMITTED) == n + 1);
    assert_true(things[n].is_new);
}

static void the_table_of_the_month_is_prepared_once_and_used(void **state)
{
    char month[MONTH_SIZE];

    (void)state;
    begin();
    make_month(month);
    open_group();
    for (int n = 0; n < 5; n++)
        commit_another(n);
    assert_int_equal(stored_in(month), 5);
    assert_int_equal(count("SELECT count(*) FROM thing"), 0);
    assert_int_equal(prepared, 1);
    assert_int_equal(sends, 5);
}

static void what_was_not_prepared_since_the_batch_had_failed_is_prepared_by_the_next(void **state)
{
    char month[MONTH_SIZE];

    (void)state;
    begin();
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
    begin();
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

static void send_plain_and_monthly(struct group_batch *batch, const struct pg_params *params)
{
    send_monthly_after(batch, &add_things, params);
}

static void nothing_goes_behind_a_batch_that_prepares(void **state)
{
    char month[MONTH_SIZE];

    (void)state;
    begin();
    stage_send = send_plain_and_monthly;
    stage_work.is_followed = true;
    make_month(month);
    open_group();
    UNTIL(group_is_ready(group));
    run_sql(stranger, "BEGIN; LOCK TABLE thing");
    submit(0, -1, 0);
    UNTIL(sends == 1 && waiting_for_locks() > 0);
    submit(1, 1, 0);
    for (int n = 0; n < 3; n++)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_true(sends == 1 || may_be_stuck());
    run_sql(stranger, "ROLLBACK");
    UNTIL(told(GROUP_REFUSED) == 1 && told(GROUP_COMMITTED) == 1);
    assert_int_equal(things[0].settled, 1);
    assert_int_equal(things[0].ticket.outcome, GROUP_REFUSED);
    assert_int_equal(stored_in(month), 1);
}

static void a_new_link_prepares_anew(void **state)
{
    char month[MONTH_SIZE];

    (void)state;
    begin();
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
    begin();
    open_group();
    for (int n = 0; n < 6; n++) {
        make_month(month);
        commit_another(n);
        assert_int_equal(stored_in(month), 1);
        assert_in_range(prepared, 1, 2);              /* of six, on one of two links */
        clock_ahead_us += 30LL * 24 * 3600 * 1000000; /* not two months, whatever day it is */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_table_of_the_month_is_prepared_once_and_used),
        CASE(what_was_not_prepared_since_the_batch_had_failed_is_prepared_by_the_next),
        CASE(a_month_that_may_not_be_used_costs_nobody_anything),
        CASE(nothing_goes_behind_a_batch_that_prepares),
        CASE(a_new_link_prepares_anew),
        CASE(months_that_are_over_are_forgotten),
    };

    return RUN_CASES("group_month_test", tests);
}
