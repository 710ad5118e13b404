/* docket migrate months, docket migrate retire: which months of orders are there, and old ones go
 *
 *     settled? ─► audit ─► indexes of what is not settled, which are empty ─► its keys go ─► …
 *        │ no
 *        └─► said
 *     … ─► `orders` detached ─► still settled? ─► the rest detached ─► all dropped
 *                                  │ no
 *                                  └─► all put back, and said
 *
 * Nobody waits for it: DETACH … CONCURRENTLY, and no lock is waited for longer than 200 ms; what
 * somebody else holds is tried again, in this run or in the next.  Killed anywhere, the next run
 * reads from the catalogue how far it was.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/point.h"
#include "ops/cli/migrate.h"
#include "ops/cli/owner.h"
#include "ops/cli/screen.h"

enum { KEY_BLOCKS = 2000, AGAIN_MS = 500, PATIENCE_S = 60, REASON_SIZE = 128 };

/* The columns of month_list.sql, month_holds.sql, month_step.sql (month_index.sql has its first
 * three) and month_keys.sql. */
enum { MONTH, IS_GOING, BYTES, IS_DUE };
enum { WHAT, ORDERS, EXAMPLE };
enum { STEP, PLACE, STATEMENT, IS_ORDERS };
enum { KEYS, BLOCKS };

enum fate { GONE, HELD, LATER, BROKEN };

struct retirement {
    PGconn *conn;
    const char *month;
    char reason[REASON_SIZE];
    uint64_t until_ms; /* as long as locks are tried for */
    bool is_checked;   /* after nobody could reach its orders any more */
    int64_t keys;
    json_t *holds;
};

static bool is_yes(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

static int64_t number_in(const PGresult *result, int row, int column)
{
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

static PGresult *ask_of_month(PGconn *conn, const struct pg_statement *statement, const char *month)
{
    return owner_ask_with(conn, statement, 1, &month);
}

/* --- what holds a month ------------------------------------------------------------------------
 */

/* An empty list: nothing does.  NULL: it could not be asked. */
static json_t *read_holds(PGconn *conn, const char *month)
{
    PGresult *result = ask_of_month(conn, &sql_month_holds, month);
    json_t *list = result ? json_array() : NULL;

    for (int row = 0; result && row < PQntuples(result); row++)
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:s}", "what", PQgetvalue(result, row, WHAT),
                                        "orders", (json_int_t)number_in(result, row, ORDERS),
                                        "example", PQgetvalue(result, row, EXAMPLE)));
    PQclear(result);
    return list;
}

static void say_holds(const char *month, const json_t *holds)
{
    size_t index;
    const json_t *hold;

    sayf("%s stays: ", month);
    json_array_foreach(holds, index, hold)
        sayf("%s%lld with %s (%s)", index ? ", " : "", number_of(hold, "orders"),
             text_of(hold, "what"), text_of(hold, "example"));
    say(PLAIN, "\n");
}

/* --- a month goes ------------------------------------------------------------------------------
 */

static bool write_audit(struct retirement *month)
{
    const char *const values[] = {month->month, month->reason};
    PGresult *result;

    POINT("retire", "audit_before");
    result = owner_ask_with(month->conn, &sql_month_begin, 2, values);
    POINT("retire", "audit_after");
    PQclear(result);
    return result != NULL;
}

static bool forget_keys(struct retirement *month)
{
    int64_t blocks = 1;

    for (int64_t first = 0; first < blocks; first += KEY_BLOCKS) {
        char from[24], to[24];
        const char *const values[] = {month->month, from, to};
        PGresult *result;

        snprintf(from, sizeof(from), "%lld", (long long)first);
        snprintf(to, sizeof(to), "%lld", (long long)first + KEY_BLOCKS);
        result = owner_ask_with(month->conn, &sql_month_keys, 3, values);
        POINT("retire", "keys_after");
        if (result == NULL)
            return false;
        month->keys += number_in(result, 0, KEYS);
        blocks = number_in(result, 0, BLOCKS);
        PQclear(result);
        progress("blocks of keys", first < blocks ? first : blocks, blocks);
    }
    progress_end();
    return true;
}

/* Once nobody can reach its orders, nothing can become unsettled any more: what came in between
 * puts the month back. */
static enum fate check_again(struct retirement *month)
{
    PGresult *result;

    json_decref(month->holds);
    month->holds = read_holds(month->conn, month->month);
    if (month->holds == NULL)
        return BROKEN;
    month->is_checked = true;
    if (json_array_size(month->holds) == 0)
        return GONE;
    POINT("retire", "put_back_before");
    result = ask_of_month(month->conn, &sql_month_put_back, month->month);
    POINT("retire", "put_back_after");
    PQclear(result);
    return result ? HELD : BROKEN;
}

/* Somebody holds a lock: the next look is a little later. */
static bool may_wait(const struct retirement *month, const char *place)
{
    const struct timespec pause = {.tv_nsec = AGAIN_MS * 1000000L};

    progress(place, 0, 0);
    nanosleep(&pause, NULL);
    progress_end();
    return clock_monotonic_ms() < month->until_ms;
}

static enum fate take_step(struct retirement *month, const PGresult *step)
{
    PGresult *result;

    POINT("retire", "step_before");
    result = PQexec(month->conn, PQgetvalue(step, 0, STATEMENT));
    POINT("retire", "step_after");
    if (owner_was_locked_out(result)) {
        PQclear(result);
        return LATER;
    }
    result = owner_expect(month->conn, result, PQgetvalue(step, 0, PLACE));
    PQclear(result);
    return result ? GONE : BROKEN;
}

/* GONE: on to the next one. */
static enum fate go_on(struct retirement *month, const PGresult *step)
{
    bool is_past_orders =
        !is_yes(step, 0, IS_ORDERS) && strcmp(PQgetvalue(step, 0, STEP), "detach") == 0;
    enum fate fate = is_past_orders && !month->is_checked ? check_again(month) : GONE;

    if (fate == GONE)
        fate = take_step(month, step);
    if (fate == LATER && may_wait(month, PQgetvalue(step, 0, PLACE)))
        return GONE;
    return fate;
}

/* Steps until there is none left, or one that cannot be taken. */
static enum fate take_steps(struct retirement *month, const struct pg_statement *next,
                            enum fate (*take)(struct retirement *month, const PGresult *step))
{
    enum fate fate = GONE;
    bool is_over = false;

    while (fate == GONE && !is_over) {
        PGresult *step = ask_of_month(month->conn, next, month->month);

        if (step == NULL)
            return BROKEN;
        is_over = PQntuples(step) == 0;
        if (!is_over)
            fate = take(month, step);
        PQclear(step);
    }
    return fate;
}

static enum fate take_away(struct retirement *month)
{
    return take_steps(month, &sql_month_step, go_on);
}

/* False: it failed.  Where somebody has a lock there is no index: the look is slow, and as true. */
static bool make_look_quick(struct retirement *month)
{
    return take_steps(month, &sql_month_index, take_step) != BROKEN;
}

static enum fate retire_month(struct retirement *month, bool is_going)
{
    if (is_going)
        return take_away(month);
    month->holds = read_holds(month->conn, month->month);
    if (month->holds == NULL)
        return BROKEN;
    if (json_array_size(month->holds) > 0)
        return HELD;
    if (!write_audit(month) || !make_look_quick(month) || !forget_keys(month))
        return BROKEN;
    return take_away(month);
}

/* --- docket migrate retire ---------------------------------------------------------------------
 */

static const char *fate_name(enum fate fate)
{
    static const char *const names[] = {"gone", "held", "later", "broken"};

    return names[fate];
}

static void say_fate(const struct retirement *month, enum fate fate, int64_t bytes)
{
    switch (fate) {
    case GONE:
        sayf("%s is gone: %s bytes, %lld keys\n", month->month, number_text(bytes),
             (long long)month->keys);
        return;
    case HELD:
        say_holds(month->month, month->holds);
        return;
    case LATER:
        sayf("%s waits: somebody reads it; nothing waits for it, run this again later\n",
             month->month);
        return;
    case BROKEN: /* why is on stderr */
        return;
    }
}

static enum fate retire_row(PGconn *conn, const struct settings *settings, const struct call *call,
                            const PGresult *months, int row, json_t *said)
{
    struct retirement month = {
        .conn = conn,
        .month = PQgetvalue(months, row, MONTH),
        .until_ms = clock_monotonic_ms() + (uint64_t)call_span_s(call, "wait", PATIENCE_S) * 1000,
    };
    enum fate fate;

    snprintf(month.reason, sizeof(month.reason), "older than DOCKET_RETENTION_MONTHS=%lld",
             (long long)settings->retention_months);
    fate = retire_month(&month, is_yes(months, row, IS_GOING));
    json_array_append_new(said, json_pack("{s:s, s:s, s:I, s:I, s:O*}", "month", month.month,
                                          "fate", fate_name(fate), "keys", (json_int_t)month.keys,
                                          "bytes", (json_int_t)number_in(months, row, BYTES),
                                          "holds", month.holds));
    if (!call_flag(call, "json"))
        say_fate(&month, fate, number_in(months, row, BYTES));
    json_decref(month.holds);
    return fate;
}

/* One after the other; a month that is held keeps no other. */
static int retire_due(PGconn *conn, const struct settings *settings, const struct call *call,
                      const PGresult *months)
{
    json_t *said = json_array();
    int code = EXIT_SUCCESS;

    for (int row = 0; row < PQntuples(months); row++) {
        enum fate fate;

        if (!is_yes(months, row, IS_DUE))
            continue;
        fate = retire_row(conn, settings, call, months, row, said);
        if (fate == LATER || fate == BROKEN)
            code = EXIT_REFUSED;
        if (fate == BROKEN)
            break;
    }
    if (call_flag(call, "json"))
        print_json(said);
    else if (json_array_size(said) == 0 && settings->retention_months == 0)
        say(PLAIN, "DOCKET_RETENTION_MONTHS is 0: all months are kept.\n");
    else if (json_array_size(said) == 0)
        sayf("No month is older than the %lld that are kept.\n",
             (long long)settings->retention_months);
    json_decref(said);
    return code;
}

static PGresult *read_months(PGconn *conn, const struct settings *settings)
{
    char kept[24];
    const char *const values[] = {kept};

    snprintf(kept, sizeof(kept), "%lld", (long long)settings->retention_months);
    return owner_ask_with(conn, &sql_month_list, 1, values);
}

static bool take_turn(PGconn *conn)
{
    PGresult *result = owner_ask(conn, &sql_month_lock);
    bool is_ours = result && is_yes(result, 0, 0);

    if (result && !is_ours)
        refuse("Wait for it.", "another docket migrate retire is at work");
    PQclear(result);
    return is_ours && owner_run(conn, sql_month_patience.sql, "patience with locks");
}

static int retire(const struct call *call)
{
    static struct settings settings; /* its texts live until the process ends */
    PGconn *conn = owner_connect(&settings);
    PGresult *months = NULL;
    int code = EXIT_REFUSED;

    if (conn && take_turn(conn) && (months = read_months(conn, &settings)) != NULL)
        code = retire_due(conn, &settings, call, months);
    PQclear(months);
    PQfinish(conn);
    return code;
}

/* --- docket migrate months ---------------------------------------------------------------------
 */

static json_t *describe(PGconn *conn, const PGresult *months)
{
    json_t *list = json_array();

    for (int row = 0; row < PQntuples(months); row++) {
        const char *month = PQgetvalue(months, row, MONTH);
        bool is_going = is_yes(months, row, IS_GOING), is_due = is_yes(months, row, IS_DUE);
        json_t *holds = is_due && !is_going ? read_holds(conn, month) : NULL;
        const char *state = is_going                     ? "going"
                            : !is_due                    ? "kept"
                            : json_array_size(holds) > 0 ? "held"
                                                         : "due";

        json_array_append_new(
            list, json_pack("{s:s, s:s, s:I, s:o*}", "month", month, "state", state, "bytes",
                            (json_int_t)number_in(months, row, BYTES), "holds", holds));
    }
    return list;
}

static void print_months(const json_t *list)
{
    struct table *table = table_create();
    size_t index;
    const json_t *month;

    table_column(table, "month", COLUMN_LEFT);
    table_column(table, "bytes", COLUMN_RIGHT);
    table_column(table, "", COLUMN_LEFT);
    json_array_foreach(list, index, month)
    {
        table_cell(table, text_of(month, "month"));
        table_cell(table, number_text(number_of(month, "bytes")));
        table_cell(table, text_of(month, "state"));
    }
    table_print(table);
    json_array_foreach(list, index, month) if (strcmp(text_of(month, "state"), "held") == 0)
        say_holds(text_of(month, "month"), json_object_get(month, "holds"));
}

static int months(const struct call *call)
{
    static struct settings settings; /* its texts live until the process ends */
    PGconn *conn = owner_connect(&settings);
    PGresult *rows = conn ? read_months(conn, &settings) : NULL;
    json_t *list = rows ? describe(conn, rows) : NULL;

    if (list && call_flag(call, "json"))
        print_json(list);
    else if (list)
        print_months(list);
    json_decref(list);
    PQclear(rows);
    PQfinish(conn);
    return list ? EXIT_SUCCESS : EXIT_REFUSED;
}

const struct command command_months = {
    .name = "months",
    .summary = "List the months of orders that are there, and what holds an old one back.",
    .about = "kept: not older than DOCKET_RETENTION_MONTHS says. due: goes with the next docket "
             "migrate retire. held: would go, but for the orders that are named. going: a docket "
             "migrate retire has begun, and the next one goes on with it.",
    .run = months,
};

static const struct option retire_options[] = {
    {"wait", "SPAN", "How long a table that somebody reads is tried again (1m).", OPTION_SPAN,
     false},
    {.name = NULL}};
const struct command command_retire = {
    .name = "retire",
    .summary = "Take months away that are older than DOCKET_RETENTION_MONTHS.",
    .about = "A month goes as a whole, with the keys of its orders, and only when every order in "
             "it is final and settled. Orders go on meanwhile: no lock is waited for longer than "
             "200 ms. Safe to run at any time, from cron, and after it was killed.\n"
             "A key that is forgotten is new again: who repeats a request that is older than the "
             "months that are kept makes a second order.",
    .options = retire_options,
    .examples = "DOCKET_RETENTION_MONTHS=24 docket migrate retire",
    .run = retire,
};
