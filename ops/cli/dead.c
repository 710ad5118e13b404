/* docket dead: what gave up, and letting it go on */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/command.h"
#include "ops/cli/screen.h"

static const char *money_of(const json_t *letter)
{
    return money_text(number_of(letter, "amount"), text_of(letter, "currency"));
}

static void print_letters(const json_t *letters)
{
    struct table *table = table_create();
    size_t index;
    const json_t *letter;

    table_column(table, "id", COLUMN_RIGHT);
    table_column(table, "order", COLUMN_LEFT);
    table_column(table, "stage", COLUMN_LEFT);
    table_column(table, "state", COLUMN_LEFT);
    table_column(table, "at risk", COLUMN_RIGHT);
    table_column(table, zone_text(), COLUMN_LEFT);
    table_column(table, "fault", COLUMN_SHRINKS);
    json_array_foreach(letters, index, letter)
    {
        table_cell(table, number_text(number_of(letter, "id")));
        table_cell(table, text_of(letter, "order"));
        table_cell(table, text_of(letter, "stage"));
        table_cell(table, text_of(letter, "state"));
        table_cell(table, money_of(letter));
        table_cell(table, time_short(text_of(letter, "created_at")));
        table_cell(table, text_of(letter, "fault_code"));
    }
    table_print(table);
}

static int list(const struct call *call)
{
    const char *state = call_text(call, "state");
    char path[128];
    json_t *answer;

    snprintf(path, sizeof(path), "/admin/dead?filter=state:%s&limit=500", state ? state : "open");
    if ((answer = admin_call("GET", path, NULL)) == NULL)
        return EXIT_REFUSED;
    if (call_flag(call, "json"))
        print_json(answer);
    else
        print_letters(json_object_get(answer, "dead_letters"));
    json_decref(answer);
    return EXIT_SUCCESS;
}

static void print_letter(const json_t *letter)
{
    sayf("dead letter %lld, %s\n", number_of(letter, "id"), text_of(letter, "state"));
    say_line("order", "%s (docket order show %s)", text_of(letter, "order"),
             text_of(letter, "order"));
    say_line("stage", "%s, after %lld attempts and %lld crashes", text_of(letter, "stage"),
             number_of(letter, "attempts"), number_of(letter, "crashes"));
    say_line("fault", "%s %s: %s", text_of(letter, "fault_kind"), text_of(letter, "fault_code"),
             text_of(letter, "fault_text"));
    say_line("at risk", "%s", money_of(letter));
    say_line("since", "%s", time_text(text_of(letter, "created_at")));
    say(DIM, "history  ");
    print_json(json_object_get(letter, "history"));
}

static int show(const struct call *call)
{
    char path[64];
    long long id;
    json_t *letter;

    if (!call_id(call, 0, &id))
        return EXIT_USAGE;
    snprintf(path, sizeof(path), "/admin/dead/%lld", id);
    if ((letter = admin_call("GET", path, NULL)) == NULL)
        return EXIT_REFUSED;
    if (call_flag(call, "json"))
        print_json(letter);
    else
        print_letter(letter);
    json_decref(letter);
    return EXIT_SUCCESS;
}

static int replay(const struct call *call)
{
    char path[64];
    long long id;
    json_t *wish, *answer;

    if (!call_id(call, 0, &id))
        return EXIT_USAGE;
    snprintf(path, sizeof(path), "/admin/dead/%lld/replay", id);
    wish = json_pack("{s:s}", "reason", call_text(call, "reason"));
    answer = admin_call("POST", path, wish);
    json_decref(wish);
    if (answer == NULL)
        return EXIT_REFUSED;
    if (call_flag(call, "json"))
        print_json(answer);
    else
        sayf("Order %s goes on with its %s (docket order show %s).\n", text_of(answer, "order"),
             text_of(answer, "stage"), text_of(answer, "order"));
    json_decref(answer);
    return EXIT_SUCCESS;
}

static const struct option list_options[] = {
    {"state", "open|replaying|resolved|discarded|all", "Only these (open).", OPTION_CHOICE, false},
    {.name = NULL},
};
static const struct command command_list = {
    .name = "list",
    .summary = "List dead letters, the newest first.",
    .options = list_options,
    .run = list,
};
static const struct command command_show = {
    .name = "show",
    .summary = "Show one dead letter with its history.",
    .operands = "ID",
    .run = show,
};
static const struct option replay_options[] = {
    {"reason", "TEXT", "Why; it is kept in the audit.", OPTION_TEXT, true},
    {.name = NULL},
};
static const struct command command_replay = {
    .name = "replay",
    .summary = "Let the order go on where it stopped; what is paid is not paid again.",
    .operands = "ID",
    .options = replay_options,
    .examples = "docket dead replay 7 --reason \"the carrier is back\"",
    .run = replay,
};
static const struct command *const commands[] = {&command_list, &command_show, &command_replay,
                                                 NULL};

const struct command command_dead = {
    .name = "dead",
    .summary = "List, show and replay dead letters: steps of orders that gave up.",
    .commands = commands,
};
