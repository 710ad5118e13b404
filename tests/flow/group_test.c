/* Group commit against a real Postgres: whom a fault blames, what a deadline knows, what a lost
 * link and a stranger's lock do.  Run by test_group.py.
 */
#include "tests/flow/group_stage.h"

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

static void cancel_waits(void)
{
    run_sql(admin, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                   "WHERE wait_event = 'SyncRep' AND datname = current_database()");
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
    cancel_waits();
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
    cancel_waits();
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

static void store_alone(int n)
{
    submit(n, n, 0);
    UNTIL(told(GROUP_COMMITTED) == n + 1);
}

static void spend_the_burst(void)
{
    for (int n = 0; n < PACE_BURST; n++)
        store_alone(n);
    assert_int_equal(sends, PACE_BURST);
}

static void what_nobody_waits_for_is_put_off_until_a_batch_is_full(void **state)
{
    enum { FULL = 4, TURNS = 20 };

    (void)state;
    stage_work.pace_ns = UINT64_C(60000000000);
    stage_work.tickets_max = FULL;
    open_group();
    spend_the_burst();
    submit(PACE_BURST, 1, 0);
    for (int n = 0; n < TURNS; n++) /* some of them with a tick */
        uv_run(&loop, UV_RUN_ONCE);
    for (int n = 1; n < FULL; n++)
        submit(PACE_BURST + n, 1, 0);
    UNTIL(told(GROUP_COMMITTED) == PACE_BURST + FULL);
    assert_int_equal(sends, PACE_BURST + 1);
}

static void what_is_put_off_goes_by_itself_when_its_time_has_come(void **state)
{
    uint64_t began_ns = clock_monotonic_ns();

    (void)state;
    stage_work.pace_ns = UINT64_C(300000000);
    open_group();
    spend_the_burst();
    store_alone(PACE_BURST);
    assert_true(clock_monotonic_ns() - began_ns >= stage_work.pace_ns);
}

/* A batch of these many waits for a lock, and the next is as many as are told. */
static void send_behind(int first_count, int next_count)
{
    stage_work.is_followed = true;
    open_group();
    hold_key(0);
    for (int n = 0; n < first_count; n++)
        submit(n, 1, 0);
    UNTIL(waiting_for_locks() == 1);
    for (int n = 0; n < next_count; n++)
        submit(first_count + n, 1, 0);
    for (int n = 0; n < 3; n++)
        uv_run(&loop, UV_RUN_NOWAIT);
}

static void the_next_goes_out_behind_the_one_in_flight_and_no_third(void **state)
{
    (void)state;
    send_behind(1, 2);
    assert_int_equal(sends, 2);
    submit(3, 1, 0);
    for (int n = 0; n < 3; n++)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_true(group_waiting(group) == 1 || may_be_stuck());
    run_sql(stranger, "ROLLBACK");
    UNTIL(told(GROUP_COMMITTED) == 4);
    assert_int_equal(sends, 3);
    assert_int_equal(count("SELECT count(*) FROM thing"), 4);
    assert_true(group_is_idle(group));
}

static void a_smaller_one_waits(void **state)
{
    (void)state;
    send_behind(2, 1);
    assert_true(sends == 1 || may_be_stuck());
    run_sql(stranger, "ROLLBACK");
    UNTIL(told(GROUP_COMMITTED) == 3);
}

static void a_batch_that_fails_takes_none_behind_it_along(void **state)
{
    (void)state;
    stage_work.is_followed = true;
    open_group();
    hold_key(0);
    submit(0, 1, 0);
    submit(1, -1, 0);
    UNTIL(waiting_for_locks() == 1);
    submit(2, 2, 0);
    submit(3, 3, 0);
    UNTIL(sends == 2);
    run_sql(stranger, "ROLLBACK");
    UNTIL(told(GROUP_COMMITTED) == 3 && told(GROUP_REFUSED) == 1);
    assert_int_equal(things[1].ticket.outcome, GROUP_REFUSED);
    assert_int_equal(count("SELECT sum(number)::int4 FROM thing"), 1 + 2 + 3);
}

static void both_are_sent_again_when_their_link_is_lost(void **state)
{
    (void)state;
    send_behind(1, 1);
    assert_int_equal(sends, 2);
    run_sql(admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                   "WHERE wait_event_type = 'Lock' AND datname = current_database()");
    run_sql(stranger, "ROLLBACK");
    UNTIL(told(GROUP_COMMITTED) == 2);
    assert_int_equal(count("SELECT count(*) FROM thing"), 2);
    assert_true(sends >= 4);
}

/* Each was committed locally, and is asked again; or both were at once, on a slow machine. */
static void a_cancelled_wait_behind_another_is_no_commit_either(void **state)
{
    (void)state;
    stage_work.is_followed = true;
    open_group();
    UNTIL(group_is_ready(group));
    make_commits_wait();
    submit(0, 1, 0);
    UNTIL(waiting_for_standby() == 1);
    submit(1, 1, 0);
    UNTIL(sends == 2);
    cancel_waits();
    UNTIL(sends == 4 || (sends == 3 && waiting_for_standby() == 1));
    cancel_waits();
    UNTIL(told(GROUP_COMMITTED) == 2);
    assert_int_equal(sends, 4);
}

static void a_deadline_passes_behind_another_too(void **state)
{
    (void)state;
    send_behind(1, 0);
    submit(1, 1, 200);
    UNTIL(told(GROUP_UNKNOWN) == 1);
    assert_int_equal(sends, 2);
    assert_int_equal(things[1].released, 0);
    run_sql(stranger, "ROLLBACK");
    UNTIL(told(GROUP_COMMITTED) == 1 && things[1].released == 1);
    assert_int_equal(count("SELECT count(*) FROM thing"), 2); /* it became so after all */
}

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
        CASE(what_nobody_waits_for_is_put_off_until_a_batch_is_full),
        CASE(what_is_put_off_goes_by_itself_when_its_time_has_come),
        CASE(the_next_goes_out_behind_the_one_in_flight_and_no_third),
        CASE(a_smaller_one_waits),
        CASE(a_batch_that_fails_takes_none_behind_it_along),
        CASE(both_are_sent_again_when_their_link_is_lost),
        CASE(a_cancelled_wait_behind_another_is_no_commit_either),
        CASE(a_deadline_passes_behind_another_too),
    };

    return RUN_CASES("group_test", tests);
}
