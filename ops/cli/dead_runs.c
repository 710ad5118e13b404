/* docket dead replay, runs, pause, resume, cancel, pace: letting orders go on, one or many.  A run
 * is executed by the relay (queue/replay.h): the command may end at any moment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/act.h"
#include "ops/cli/dead.h"
#include "ops/cli/screen.h"

static void say_replayed(const struct call *call, const json_t *answer)
{
    (void)call;
    sayf("Order %s goes on with its %s (docket order show %s).\n", text_of(answer, "order"),
         text_of(answer, "stage"), text_of(answer, "order"));
}

static int replay_one(const struct call *call)
{
    char path[64];
    long long id;

    if (!call_id(call, 0, &id))
        return EXIT_USAGE;
    snprintf(path, sizeof(path), "/admin/dead/%lld/replay", id);
    return act_send(call, "POST", path, NULL, say_replayed);
}

/* "1,5,20" as a list; NULL: it is none. */
static json_t *ramp_of(const char *text)
{
    json_t *ramp = json_array();
    char *end;

    for (;; text = end + 1) {
        long long step = strtoll(text, &end, 10);

        if (end == text || step < 1 || (*end != '\0' && *end != ',')) {
            json_decref(ramp);
            return NULL;
        }
        json_array_append_new(ramp, json_integer(step));
        if (*end == '\0')
            return ramp;
    }
}

static void print_look(const json_t *rows)
{
    struct table *table = table_create();
    size_t index;
    const json_t *row;

    table_column(table, "letters", COLUMN_RIGHT);
    table_column(table, "money", COLUMN_RIGHT);
    json_array_foreach(rows, index, row)
    {
        table_cell(table, number_text(number_of(row, "count")));
        table_cell(table, money_text(number_of(row, "amount"), text_of(row, "currency")));
    }
    table_print(table);
}

static int preview(const struct call *call, const struct dead_words *words)
{
    json_t *rows = dead_count(words), *answer;

    if (rows == NULL)
        return EXIT_REFUSED;
    if (call_flag(call, "json")) {
        answer = json_pack("{s:b, s:O}", "dry_run", 1, "letters", rows);
        print_json(answer);
        json_decref(answer);
    } else if (json_array_size(rows) == 0) {
        sayf("No dead letter fits.\n");
    } else {
        print_look(rows);
        sayf(
            "\nNothing was done; with --yes they are replayed.  An order that was ended meanwhile, "
            "or is being replayed already, is skipped.\n");
    }
    json_decref(rows);
    return EXIT_SUCCESS;
}

static void say_made(const struct call *call, const json_t *answer)
{
    (void)call;
    sayf("Run %lld is made; docket dead runs %lld says how it goes.\n", number_of(answer, "id"),
         number_of(answer, "id"));
}

static int make_run(const struct call *call, const struct dead_words *words, json_t *ramp)
{
    json_t *wish =
        json_pack("{s:s, s:b, s:I, s:I}", "filter", words->filter.bytes, "all",
                  call_flag(call, "all"), "rate", (json_int_t)call_number(call, "rate", 100),
                  "stop_at", (json_int_t)call_number(call, "stop-at", 20));

    if (ramp)
        json_object_set(wish, "ramp", ramp);
    return act_send(call, "POST", "/admin/runs", wish, say_made);
}

static int replay_many(const struct call *call, const struct dead_words *words)
{
    const char *text = call_text(call, "ramp");
    json_t *ramp = text ? ramp_of(text) : NULL;
    int code;

    if (text && ramp == NULL)
        return call_misused(call, "%s is no ramp: steps like 1,5,20", text);
    if (words->is_empty && !call_flag(call, "all"))
        code = call_misused(call, "without a filter it is about every dead letter: say --all");
    else if (call_flag(call, "yes") && !call_flag(call, "dry-run"))
        code = make_run(call, words, ramp);
    else
        code = preview(call, words);
    json_decref(ramp);
    return code;
}

int dead_replay_run(const struct call *call)
{
    struct dead_words words;
    int code;

    if (!dead_words_read(call, &words))
        return EXIT_USAGE;
    if (words.is_letter && !call_flag(call, "dry-run"))
        code = replay_one(call);
    else
        code = replay_many(call, &words);
    dead_words_finish(&words);
    return code;
}

/* --- runs --------------------------------------------------------------------------------------
 */

static enum colour colour_of(const char *state)
{
    return strcmp(state, "stopped") == 0 ? RED : strcmp(state, "running") == 0 ? GREEN : PLAIN;
}

static void print_runs(const json_t *runs)
{
    struct table *table = table_create();
    size_t index;
    const json_t *run;

    table_column(table, "run", COLUMN_RIGHT);
    table_column(table, "state", COLUMN_LEFT);
    table_column(table, "members", COLUMN_RIGHT);
    table_column(table, "released", COLUMN_RIGHT);
    table_column(table, "succeeded", COLUMN_RIGHT);
    table_column(table, "failed", COLUMN_RIGHT);
    table_column(table, "skipped", COLUMN_RIGHT);
    table_column(table, "of", COLUMN_SHRINKS);
    json_array_foreach(runs, index, run)
    {
        table_cell(table, number_text(number_of(run, "id")));
        table_paint(table, colour_of(text_of(run, "state")), text_of(run, "state"));
        table_cell(table, number_text(number_of(run, "members")));
        table_cell(table, number_text(number_of(run, "released")));
        table_cell(table, number_text(number_of(run, "succeeded")));
        table_cell(table,
                   number_text(number_of(run, "failed_same") + number_of(run, "failed_new")));
        table_cell(table, number_text(number_of(run, "skipped")));
        table_cell(table, text_of(run, "filter"));
    }
    table_print(table);
}

static void print_counts(const char *label, json_t *counts)
{
    const char *what;
    json_t *count;

    json_object_foreach(counts, what, count)
        say_line(label, "%s %s", number_text(json_integer_value(count)), what);
}

static void print_run(const json_t *run)
{
    const char *state = text_of(run, "state");

    sayf("run %lld, ", number_of(run, "id"));
    say(colour_of(state), state);
    sayf("\n");
    say_line("of", "%s", *text_of(run, "filter") ? text_of(run, "filter") : "a list of ids");
    say_line("made", "%s by %s: %s", time_text(text_of(run, "made_at")), text_of(run, "actor"),
             text_of(run, "reason"));
    say_line("ended", "%s", *text_of(run, "ended_at") ? time_text(text_of(run, "ended_at")) : "no");
    say_line("members", "%s, %s released", number_text(number_of(run, "members")),
             number_text(number_of(run, "released")));
    say_line("succeeded", "%s", number_text(number_of(run, "succeeded")));
    say_line("failed again", "%s as before, %s in another way",
             number_text(number_of(run, "failed_same")), number_text(number_of(run, "failed_new")));
    print_counts("skipped", json_object_get(run, "skips"));
    if (*text_of(run, "note"))
        say_line("note", "%s", text_of(run, "note"));
    if (strcmp(state, "stopped") == 0)
        sayf("It stopped by itself: too many of a step failed again.  docket dead resume %lld "
             "begins its ramp anew, docket dead cancel %lld ends it.\n",
             number_of(run, "id"), number_of(run, "id"));
}

static int show_run(const struct call *call, const json_t *runs)
{
    size_t index;
    const json_t *run;
    long long id;

    if (!call_id(call, 0, &id))
        return EXIT_USAGE;
    json_array_foreach(runs, index, run)
    {
        if (number_of(run, "id") != id)
            continue;
        if (call_flag(call, "json"))
            print_json(run);
        else
            print_run(run);
        return EXIT_SUCCESS;
    }
    return refuse("docket dead runs lists them.", "run %lld is not among the newest 100", id);
}

static int runs_run(const struct call *call)
{
    json_t *answer = admin_call("GET", "/admin/runs", NULL);
    const json_t *runs = json_object_get(answer, "runs");
    int code = EXIT_SUCCESS;

    if (answer == NULL)
        return EXIT_REFUSED;
    if (call_operand(call, 0))
        code = show_run(call, runs);
    else if (call_flag(call, "json"))
        print_json(runs);
    else if (json_array_size(runs) == 0)
        sayf("There has been no run; docket dead replay FILTER makes one.\n");
    else
        print_runs(runs);
    json_decref(answer);
    return code;
}

static void say_acted(const struct call *call, const json_t *answer)
{
    (void)call;
    sayf("Done; docket dead runs %lld says how it stands.\n", number_of(answer, "id"));
}

static int act(const struct call *call, const char *what, json_t *wish)
{
    char path[64];
    long long id;

    if (!call_id(call, 0, &id)) {
        json_decref(wish);
        return EXIT_USAGE;
    }
    snprintf(path, sizeof(path), "/admin/runs/%lld/%s", id, what);
    return act_send(call, "POST", path, wish, say_acted);
}

static int pause_run(const struct call *call)
{
    return act(call, "pause", NULL);
}

static int resume_run(const struct call *call)
{
    return act(call, "resume", NULL);
}

static int cancel_run(const struct call *call)
{
    return act(call, "cancel", NULL);
}

static int pace_run(const struct call *call)
{
    return act(call, "rate",
               json_pack("{s:I}", "rate", (json_int_t)call_number(call, "rate", 100)));
}

static const struct option pace_options[] = {
    ACT_REASON,
    {"rate", "N", "At most so many a second; 0: no limit.", OPTION_NUMBER, true},
    {.name = NULL},
};

const struct command command_dead_runs = {
    .name = "runs",
    .summary = "List the newest 100 replay runs, or show one with what became of its members.",
    .operands = "[RUN]",
    .examples = "docket dead runs\ndocket dead runs 3",
    .run = runs_run,
};
const struct command command_dead_pause = {
    .name = "pause",
    .summary = "Let a replay run rest; what it has released goes on.",
    .operands = "RUN",
    .options = act_options,
    .examples = "docket dead pause 3 --reason \"the provider is slow\"",
    .run = pause_run,
};
const struct command command_dead_resume = {
    .name = "resume",
    .summary = "Let a replay run go on that was paused or stopped by itself.",
    .operands = "RUN",
    .options = act_options,
    .examples = "docket dead resume 3 --reason \"the provider is well\"",
    .run = resume_run,
};
const struct command command_dead_cancel = {
    .name = "cancel",
    .summary = "End a replay run; what it has not released stays dead.",
    .operands = "RUN",
    .options = act_options,
    .examples = "docket dead cancel 3 --reason \"another cause\"",
    .run = cancel_run,
};
const struct command command_dead_pace = {
    .name = "pace",
    .summary = "Change how many letters a second a replay run releases.",
    .operands = "RUN",
    .options = pace_options,
    .examples = "docket dead pace 3 --rate 5 --reason \"gently\"",
    .run = pace_run,
};
