/* docket dead replay: one letter at once, or a run of many; what will happen is said first */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ops/cli/act.h"
#include "ops/cli/dead.h"
#include "ops/cli/screen.h"
#include "queue/replay_rule.h"

enum { RATE_DEFAULT = 100, RATE_MAX = 100000, STOP_DEFAULT = 20, OUTCOME_MS = 1000 };

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

/* What each plan of GET /admin/dead/plan means. */
static const struct {
    const char *plan, *means;
    bool goes_on;
} plans[] = {
    {"pays", "the payment is asked for: nobody was asked for money yet", true},
    {"looks_up", "the provider is looked up first; nothing is charged twice", true},
    {"went_paid", "it is paid already and goes on from there", true},
    {"ships", "it is paid; the carrier is asked, under the reference that it may know", true},
    {"shipped", "it is shipped already; nothing is sent", true},
    {"goes_on", "its step goes on where it stopped", true},
    {"order_canceled", "skipped: the order was canceled meanwhile", false},
    {"order_final", "skipped: the order has ended", false},
    {"went_on", "skipped: its step went on meanwhile", false},
    {"replaying", "skipped: a replay of it is open already", false},
    {"no_order", "skipped: it names no order", false},
    {"resolved", "skipped: it is resolved", false},
    {"discarded", "skipped: it was discarded", false},
};

static size_t plan_of(const json_t *row)
{
    size_t at = 0;

    while (at + 1 < ARRAY_SIZE(plans) && strcmp(plans[at].plan, text_of(row, "plan")) != 0)
        at++;
    return at;
}

static void print_plans(const json_t *rows)
{
    struct table *table = table_create();
    size_t index;
    const json_t *row;

    table_column(table, "letters", COLUMN_RIGHT);
    table_column(table, "money", COLUMN_RIGHT);
    table_column(table, "what will happen", COLUMN_SHRINKS);
    json_array_foreach(rows, index, row)
    {
        size_t plan = plan_of(row);

        table_cell(table, number_text(number_of(row, "count")));
        table_cell(table, money_text(number_of(row, "amount"), text_of(row, "currency")));
        table_paint(table, plans[plan].goes_on ? PLAIN : DIM, plans[plan].means);
    }
    table_print(table);
}

static void print_letters(const json_t *letters)
{
    struct table *table = table_create();
    size_t index;
    const json_t *row;

    table_column(table, "id", COLUMN_RIGHT);
    table_column(table, "order", COLUMN_LEFT);
    table_column(table, "stage", COLUMN_LEFT);
    table_column(table, "what will happen", COLUMN_SHRINKS);
    json_array_foreach(letters, index, row)
    {
        table_cell(table, number_text(number_of(row, "id")));
        table_cell(table, text_of(row, "order"));
        table_cell(table, text_of(row, "stage"));
        table_cell(table, plans[plan_of(row)].means);
    }
    table_print(table);
    sayf("\n");
}

/* What the pages add up to; letter by letter is told page by page, however many they are. */
struct look {
    json_t *plans, *held_back;
    int64_t outcome_ms, told;
    bool has_begun; /* the JSON */
};

static void tell_letters(const struct call *call, const json_t *letters, struct look *look)
{
    size_t index;
    const json_t *letter;

    if (!call_flag(call, "json")) {
        if (json_array_size(letters) > 0)
            print_letters(letters);
        screen_forget();
        return;
    }
    if (!look->has_begun)
        printf("{\n  \"dry_run\": true,\n  \"letters\": [");
    look->has_begun = true;
    json_array_foreach(letters, index, letter)
    {
        printf(look->told++ > 0 ? ",\n    " : "\n    ");
        json_dumpf(letter, stdout, JSON_COMPACT);
    }
}

static bool look_at_all(const struct call *call, const struct dead_words *words, struct look *look)
{
    const char *path = call_flag(call, "rows") ? "/admin/dead/plan?letters=1" : "/admin/dead/plan";
    char cursor[100] = "";
    int64_t seen = 0;
    size_t index;
    const json_t *row;

    do {
        json_t *page = dead_page(path, words, *cursor ? cursor : NULL, 0);

        if (page == NULL)
            return false;
        json_array_foreach(json_object_get(page, "plans"), index, row)
            dead_add_row(look->plans, row, "plan");
        tell_letters(call, json_object_get(page, "letters"), look);
        if (json_array_size(json_object_get(page, "held_back")) > 0) {
            json_decref(look->held_back);
            look->held_back = json_incref(json_object_get(page, "held_back"));
        }
        look->outcome_ms = number_of(page, "outcome_ms");
        seen += number_of(page, "searched");
        snprintf(cursor, sizeof(cursor), "%s", text_of(page, "next"));
        json_decref(page);
        progress("looked at", seen, 0);
    } while (*cursor && !ferror(stdout));
    progress_end();
    return true;
}

/* How long the run takes at least: none fails, and outcomes come as they did in the last run. */
static int64_t least_ms(const struct call *call, const json_t *ramp, const struct look *look)
{
    static const int32_t usual[] = {1, 5, 20, 100, 500, 2000};
    struct replay_sight sight = {.rate = (int32_t)call_number(call, "rate", RATE_DEFAULT),
                                 .stop_share = (int32_t)call_number(call, "stop-at", STOP_DEFAULT)};
    size_t index;
    const json_t *row;

    json_array_foreach(look->plans, index, row) if (plans[plan_of(row)].goes_on) sight.members +=
        number_of(row, "count");
    if (ramp == NULL) {
        memcpy(sight.ramp, usual, sizeof(usual));
        sight.ramp_count = ARRAY_SIZE(usual);
    }
    for (size_t i = 0; i < json_array_size(ramp) && i < REPLAY_RAMP_MAX; i++)
        sight.ramp[sight.ramp_count++] = (int32_t)json_integer_value(json_array_get(ramp, i));
    return replay_rule_least_ms(&sight, look->outcome_ms ? look->outcome_ms : OUTCOME_MS);
}

static void print_look(const struct look *look, int64_t ends_in_ms)
{
    size_t index;
    const json_t *row;

    print_plans(look->plans);
    sayf("\n");
    json_array_foreach(look->held_back, index, row)
        sayf("%s is held back since %s (%s): the run would wait until it is let go.\n",
             text_of(row, "name"), time_text(text_of(row, "since")), text_of(row, "why"));
    sayf("It takes %s at least, if none fails again.\nNothing was done; with --yes it is.\n",
         span_text((double)ends_in_ms / 1000));
}

/* The end of what began with "letters". */
static void print_json_look(const struct look *look, int64_t ends_in_ms)
{
    printf("%s],\n  \"plans\": ", look->told > 0 ? "\n  " : "");
    json_dumpf(look->plans, stdout, JSON_COMPACT);
    printf(",\n  \"held_back\": ");
    json_dumpf(look->held_back, stdout, JSON_COMPACT);
    printf(",\n  \"ends_in_ms\": %lld\n}\n", (long long)ends_in_ms);
}

static int preview(const struct call *call, const struct dead_words *words, const json_t *ramp)
{
    struct look look = {json_array(), json_array(), 0, 0, false};
    bool is_whole = look_at_all(call, words, &look);

    if (is_whole && call_flag(call, "json"))
        print_json_look(&look, least_ms(call, ramp, &look));
    else if (is_whole && json_array_size(look.plans) == 0)
        sayf("No dead letter fits.\n");
    else if (is_whole)
        print_look(&look, least_ms(call, ramp, &look));
    json_decref(look.plans);
    json_decref(look.held_back);
    return is_whole ? EXIT_SUCCESS : EXIT_REFUSED;
}

static void say_made(const struct call *call, const json_t *answer)
{
    (void)call;
    sayf("Run %lld is made; docket dead runs %lld says how it goes.\n", number_of(answer, "id"),
         number_of(answer, "id"));
}

enum finding { FOUND, NOTHING, NOT_ANSWERED };

/* Page by page, up to the first that has one. */
static enum finding find_any(const struct dead_words *words)
{
    enum finding found = NOTHING;
    char cursor[100] = "";

    do {
        json_t *page = dead_page("/admin/dead/plan", words, *cursor ? cursor : NULL, 0);

        if (page == NULL)
            return NOT_ANSWERED;
        if (json_array_size(json_object_get(page, "plans")) > 0)
            found = FOUND;
        snprintf(cursor, sizeof(cursor), "%s", text_of(page, "next"));
        json_decref(page);
    } while (*cursor && found == NOTHING);
    return found;
}

static int say_nothing_fits(const struct call *call)
{
    if (call_flag(call, "json"))
        printf("{\n  \"id\": null\n}\n");
    else
        sayf("No dead letter fits; no run was made.\n");
    return EXIT_SUCCESS;
}

static int make_run(const struct call *call, const struct dead_words *words, json_t *ramp)
{
    enum finding found = find_any(words);

    if (found != FOUND)
        return found == NOTHING ? say_nothing_fits(call) : EXIT_REFUSED;
    json_t *wish = json_pack("{s:s, s:b, s:I, s:I}", "filter", words->filter.bytes, "all",
                             call_flag(call, "all"), "rate",
                             (json_int_t)call_number(call, "rate", RATE_DEFAULT), "stop_at",
                             (json_int_t)call_number(call, "stop-at", STOP_DEFAULT));

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
    if (call_number(call, "rate", RATE_DEFAULT) > RATE_MAX ||
        call_number(call, "stop-at", STOP_DEFAULT) > 100) {
        json_decref(ramp);
        return call_misused(call, "--rate is at most %d a second, --stop-at at most 100 percent",
                            RATE_MAX);
    }
    if (words->is_empty && !call_flag(call, "all"))
        code = call_misused(call, "without a filter it is about every dead letter: say --all");
    else if (call_flag(call, "yes") && !call_flag(call, "dry-run"))
        code = make_run(call, words, ramp);
    else
        code = preview(call, words, ramp);
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
