/* docket dead runs, pause, resume, cancel, pace.  A run is executed by the relay (queue/replay.h):
 * the command may end at any moment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/act.h"
#include "ops/cli/dead.h"
#include "ops/cli/screen.h"

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

/* Dead letters again: with the fault that they had, or with another. */
static void say_failed(long long same, long long other)
{
    if (same + other == 0)
        say_line("failed", "none");
    else if (other == 0)
        say_line("failed", "%s, all with the same fault again", number_text(same));
    else if (same == 0)
        say_line("failed", "%s, all with another fault than before", number_text(other));
    else
        say_line("failed", "%s: %s with the same fault again, %s with another",
                 number_text(same + other), number_text(same), number_text(other));
}

static void say_progress(const json_t *run)
{
    const char *state = text_of(run, "state");

    if (*text_of(run, "waits_for"))
        sayf("It waits: %s is held back (docket status).\n", text_of(run, "waits_for"));
    if (strcmp(state, "running") == 0)
        sayf("It ends in %s at the earliest.\n",
             span_text((double)number_of(run, "ends_in_ms") / 1000));
    if (strcmp(state, "stopped") == 0)
        sayf("It stopped by itself: too many of a step failed again.  docket dead resume %lld "
             "begins its ramp anew, docket dead cancel %lld ends it.\n",
             number_of(run, "id"), number_of(run, "id"));
}

static const char *took_text(const json_t *run)
{
    double begun, ended;

    return time_parse_stamp(text_of(run, "made_at"), &begun) &&
                   time_parse_stamp(text_of(run, "ended_at"), &ended)
               ? span_text(ended - begun)
               : "";
}

static void print_run(const json_t *run)
{
    const char *state = text_of(run, "state"), *ended = text_of(run, "ended_at");

    sayf("run %lld, ", number_of(run, "id"));
    say(colour_of(state), state);
    sayf("\n");
    say_line("of", "%s", *text_of(run, "filter") ? text_of(run, "filter") : "a list of ids");
    say_line("made", "%s by %s: %s", time_text(text_of(run, "made_at")), text_of(run, "actor"),
             text_of(run, "reason"));
    if (*ended)
        say_line("ended", "%s, after %s", time_text(ended), took_text(run));
    say_line("members", "%s, %s released", number_text(number_of(run, "members")),
             number_text(number_of(run, "released")));
    say_line("succeeded", "%s", number_text(number_of(run, "succeeded")));
    say_failed(number_of(run, "failed_same"), number_of(run, "failed_new"));
    print_counts("failed as", json_object_get(run, "fails"));
    print_counts("skipped", json_object_get(run, "skips"));
    if (number_of(run, "withdrawn") > 0)
        say_line("withdrawn", "%s were discarded meanwhile",
                 number_text(number_of(run, "withdrawn")));
    if (*text_of(run, "note"))
        say_line("note", "%s", text_of(run, "note"));
    say_progress(run);
}

static int show_run(const struct call *call)
{
    char path[64];
    long long id;
    json_t *run;

    if (!call_id(call, 0, &id))
        return EXIT_USAGE;
    snprintf(path, sizeof(path), "/admin/runs/%lld", id);
    if ((run = admin_call("GET", path, NULL)) == NULL)
        return EXIT_REFUSED;
    if (call_flag(call, "json"))
        print_json(run);
    else
        print_run(run);
    json_decref(run);
    return EXIT_SUCCESS;
}

static int runs_run(const struct call *call)
{
    json_t *answer;
    const json_t *runs;

    if (call_operand(call, 0))
        return show_run(call);
    if ((answer = admin_call("GET", "/admin/runs", NULL)) == NULL)
        return EXIT_REFUSED;
    runs = json_object_get(answer, "runs");
    if (call_flag(call, "json"))
        print_json(runs);
    else if (json_array_size(runs) == 0)
        sayf("There has been no run; docket dead replay FILTER makes one.\n");
    else
        print_runs(runs);
    json_decref(answer);
    return EXIT_SUCCESS;
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
