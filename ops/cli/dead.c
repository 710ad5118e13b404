/* docket dead: what gave up, by incident; and what to do about it */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/dead.h"
#include "ops/cli/screen.h"
#include "schema/value_text.h"

static void print_more(const json_t *answer)
{
    if (*text_of(answer, "next"))
        sayf("\nLooked at %s letters; there may be more: --cursor %s\n",
             number_text(number_of(answer, "searched")), text_of(answer, "next"));
}

static json_t *ask_incidents(const struct call *call, const struct dead_words *words)
{
    const char *sort = call_text(call, "sort");
    struct text path;
    json_t *answer;

    text_init(&path, 200);
    text_add(&path, "/admin/incidents");
    admin_query(&path, "sort", sort && strcmp(sort, "last") == 0 ? "last" : "at_risk");
    answer = dead_page(path.bytes, words, NULL, call_number(call, "limit", 50));
    text_finish(&path);
    return answer;
}

static int list(const struct call *call)
{
    bool wants_rows = call_flag(call, "rows") || call_text(call, "cursor");
    struct dead_words words;
    json_t *answer;

    if (call_number(call, "limit", 50) == 0)
        return call_misused(call, "--limit 0 lists nothing");
    if (!dead_words_read(call, &words))
        return EXIT_USAGE;
    answer = wants_rows ? dead_page("/admin/dead", &words, call_text(call, "cursor"),
                                    call_number(call, "limit", 50))
                        : ask_incidents(call, &words);
    dead_words_finish(&words);
    if (answer == NULL)
        return EXIT_REFUSED;
    if (call_flag(call, "json")) {
        print_json(answer);
    } else if (wants_rows) {
        dead_print_letters(json_object_get(answer, "dead_letters"));
        print_more(answer);
    } else {
        dead_print_incidents(answer);
    }
    json_decref(answer);
    return EXIT_SUCCESS;
}

static bool is_shown(const char *word)
{
    int64_t id;

    return strncmp(word, "inc_", 4) == 0
               ? strlen(word) == 16 && strspn(word + 4, "0123456789abcdef") == 12
               : value_number(word, INT64_MAX, &id) && id > 0;
}

static int show(const struct call *call)
{
    struct dead_words words;
    char path[128];
    json_t *answer;

    if (!is_shown(call_operand(call, 0)))
        return call_misused(call, "%s is no id of a dead letter and no incident",
                            call_operand(call, 0));
    if (!dead_words_read(call, &words))
        return EXIT_USAGE;
    snprintf(path, sizeof(path), "/admin/%s/%.40s", words.is_letter ? "dead" : "incidents",
             call_operand(call, 0));
    answer = admin_call("GET", path, NULL);
    if (answer && call_flag(call, "json"))
        print_json(answer);
    else if (answer && words.is_letter)
        dead_print_letter(answer);
    else if (answer)
        dead_print_incident(answer);
    dead_words_finish(&words);
    json_decref(answer);
    return answer ? EXIT_SUCCESS : EXIT_REFUSED;
}

#define FILTER_HELP                                                                                 \
    "A FILTER is terms that must all hold; a list means any of them. age>2h age<1d12h (since it "   \
    "first gave up: s, m, h, d, w), since:2026-11-24 until:2026-11-24T10:30:00Z, "                  \
    "stage:payment,fulfilment,none, fault:broken (refused, transient, unknown), code:gone,other "   \
    "(the fault's or the provider's), text~\"timed out\", sku:MUG-1, order:ord_…, id:7,8, "       \
    "incident:inc_…, amount>=50.00EUR, attempts>=3 (both also < <= > :), state:open (replaying, " \
    "resolved, discarded, all; without it: open). An id or an incident alone will do."

static const struct option list_options[] = {
    {"rows", NULL, "Letters instead of incidents.", OPTION_FLAG, false},
    {"sort", "money|last", "Incidents: the most money at risk first (money), or the newest.",
     OPTION_CHOICE, false},
    {"limit", "N", "At most so many (50).", OPTION_NUMBER, false},
    {"cursor", "CURSOR", "Go on with the letters where the last list ended.", OPTION_TEXT, false},
    {.name = NULL},
};
static const struct command command_list = {
    .name = "list",
    .summary = "List incidents (dead letters of one cause) with the money at risk, or letters.",
    .about = "Incidents are found by stage, fault, code, incident and state; letters (--rows) by "
             "everything.\n" FILTER_HELP,
    .operands = "[FILTER…]",
    .options = list_options,
    .examples = "docket dead list\n"
                "docket dead list stage:payment --sort last\n"
                "docket dead list --rows 'code:gone age>2h amount>=50.00EUR text~\"timed out\"'",
    .run = list,
};
static const struct command command_show = {
    .name = "show",
    .summary = "Show an incident with samples, or one letter with the history of its order.",
    .about = "Says what the fault means, what to check, whether a replay helps, and what a discard "
             "would do.",
    .operands = "INCIDENT-OR-ID",
    .examples = "docket dead show inc_5f1c0b2e9a77\ndocket dead show 7",
    .run = show,
};
static const struct option discard_options[] = {
    {"reason", "TEXT", "Why; it is kept in the audit.", OPTION_TEXT, .is_required = true},
    {"yes", NULL, "Do it; without it, a filter only says what would be done.", OPTION_FLAG, false},
    {"all", NULL, "Every open dead letter is meant: the filter is empty.", OPTION_FLAG, false},
    {.name = NULL},
};
static const struct command command_discard = {
    .name = "discard",
    .summary = "Give dead letters up, and end the orders that nobody was asked for money for.",
    .about =
        "An order that is paid, or whose money may have moved, is never ended by this: its "
        "letter stays open, and the answer says why. One id is discarded at once.\n" FILTER_HELP,
    .operands = "[FILTER…]",
    .options = discard_options,
    .examples = "docket dead discard code:gone --reason \"test orders\"\n"
                "docket dead discard code:gone --reason \"test orders\" --yes\n"
                "docket dead discard 7 --reason \"a stranger's message\"",
    .run = dead_discard_run,
};
static const struct option export_options[] = {
    {"format", "json|jsonl|csv",
     "A JSON array (json), a letter a line (jsonl), or RFC 4180 with a head.", OPTION_CHOICE,
     false},
    {"cursor", "CURSOR", "Go on where an export was stopped: without the head of csv.", OPTION_TEXT,
     false},
    {.name = NULL},
};
static const struct command command_export = {
    .name = "export",
    .summary = "Write dead letters to stdout, however many; nothing of the persons who ordered.",
    .about = "Ctrl-C, or an API that is away, stops it between two pages, and it says with which "
             "--cursor the rest follows.\n" FILTER_HELP,
    .operands = "[FILTER…]",
    .options = export_options,
    .examples = "docket dead export state:all --format csv > letters.csv\n"
                "docket dead export state:all --format jsonl --cursor 17… >> letters.jsonl",
    .run = dead_export_run,
};
static const struct option replay_options[] = {
    {"reason", "TEXT", "Why; it is kept in the audit.", OPTION_TEXT, true},
    {"yes", NULL, "Do it; without it, a filter only says what it is about.", OPTION_FLAG, false},
    {"dry-run", NULL, "Only say what it is about, whatever else is given.", OPTION_FLAG, false},
    {"rows", NULL, "Say of each letter what will happen.", OPTION_FLAG, false},
    {"all", NULL, "Every open dead letter is meant: the filter is empty.", OPTION_FLAG, false},
    {"rate", "N", "At most so many a second (100; 0: no limit).", OPTION_NUMBER, false},
    {"ramp", "N,N,…",
     "The steps: each waits for what became of the one before "
     "(1,5,20,100,500,2000; the last is repeated).",
     OPTION_TEXT, false},
    {"stop-at", "PERCENT", "Stop when more of a step than this fail again (20; 100: never).",
     OPTION_NUMBER, false},
    {.name = NULL},
};
static const struct command command_replay = {
    .name = "replay",
    .summary = "Let orders go on where they stopped; what is paid is not paid again.",
    .about =
        "One id goes on at once. A filter makes a run: its letters are those that fit now, the "
        "relay lets them out step by step, waits while what they need is held back, and stops by "
        "itself when too many fail again (docket dead runs). Without --yes it only says what will "
        "happen, from the books, and how long it takes.\n" FILTER_HELP,
    .operands = "[FILTER…]",
    .options = replay_options,
    .examples = "docket dead replay 7 --reason \"the carrier is back\"\n"
                "docket dead replay code:gone --reason \"the carrier is back\"\n"
                "docket dead replay code:gone --reason \"the carrier is back\" --rate 20 --yes",
    .run = dead_replay_run,
};
static const struct command *const commands[] = {&command_list,
                                                 &command_show,
                                                 &command_replay,
                                                 &command_discard,
                                                 &command_export,
                                                 &command_dead_runs,
                                                 &command_dead_pause,
                                                 &command_dead_resume,
                                                 &command_dead_cancel,
                                                 &command_dead_pace,
                                                 NULL};

const struct command command_dead = {
    .name = "dead",
    .summary = "Find, show, replay, discard and export dead letters: steps that gave up.",
    .commands = commands,
};
