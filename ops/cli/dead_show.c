/* What people see of incidents and dead letters. */
#include <stdio.h>
#include <string.h>

#include "ops/cli/dead.h"
#include "ops/cli/screen.h"

const char *dead_money_text(const json_t *sums)
{
    static struct text money;
    size_t index;
    const json_t *sum;

    text_finish(&money);
    text_init(&money, 1000);
    text_add(&money, "");
    json_array_foreach(sums, index, sum)
        text_print(&money, "%s%s", index ? ", " : "",
                   money_text(number_of(sum, "amount"), text_of(sum, "currency")));
    return json_array_size(sums) ? money.bytes : "none";
}

const char *dead_fate_text(const char *fate)
{
    static const char *const texts[][2] = {
        {"cancels", "nobody was asked for money: the order ends as canceled, its stock goes back"},
        {"closes", "the order has ended, or there is none: only the letter is closed"},
        {"kept_paid", "kept: the order is paid; replay it, or cancel it (docket order cancel)"},
        {"kept_unknown", "kept: money may have moved; a replay asks the provider"},
        {"kept_moving", "kept: it is no longer open, or its order goes on"},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        if (strcmp(texts[i][0], fate) == 0)
            return texts[i][1];
    }
    return fate;
}

void dead_print_incidents(const json_t *answer)
{
    struct table *table = table_create();
    size_t index;
    const json_t *incident;

    table_column(table, "incident", COLUMN_LEFT);
    table_column(table, "open", COLUMN_RIGHT);
    table_column(table, "replaying", COLUMN_RIGHT);
    table_column(table, "at risk", COLUMN_RIGHT);
    table_column(table, "stage", COLUMN_LEFT);
    table_column(table, "last", COLUMN_LEFT);
    table_column(table, "fault", COLUMN_LEFT);
    table_column(table, "what it means", COLUMN_SHRINKS);
    json_array_foreach(json_object_get(answer, "incidents"), index, incident)
    {
        table_cell(table, text_of(incident, "incident"));
        table_cell(table, number_text(number_of(incident, "open")));
        table_cell(table, number_text(number_of(incident, "replaying")));
        table_cell(table, dead_money_text(json_object_get(incident, "at_risk")));
        table_cell(table, text_of(incident, "stage"));
        table_cell(table, ago_text(text_of(incident, "last_at")));
        table_cell(table, text_of(incident, "fault_code"));
        table_cell(table, text_of(json_object_get(incident, "advice"), "means"));
    }
    table_print(table);
    sayf("\n%s of %s incidents; %s letters open, %s replaying; at risk: %s\n",
         number_text((int64_t)json_array_size(json_object_get(answer, "incidents"))),
         number_text(number_of(answer, "count")), number_text(number_of(answer, "open")),
         number_text(number_of(answer, "replaying")),
         dead_money_text(json_object_get(answer, "at_risk")));
}

static void print_advice(const json_t *advice)
{
    say_line("means", "%s", text_of(advice, "means"));
    say_line("check", "%s", text_of(advice, "check"));
    say_line("replay", "%s", text_of(advice, "replay"));
}

void dead_print_letters(const json_t *letters)
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
    table_column(table, "code", COLUMN_LEFT);
    table_column(table, "fault", COLUMN_SHRINKS);
    json_array_foreach(letters, index, letter)
    {
        char id[24];

        snprintf(id, sizeof(id), "%lld", number_of(letter, "id"));
        table_cell(table, id);
        table_cell(table, text_of(letter, "order"));
        table_cell(table, text_of(letter, "stage"));
        table_cell(table, text_of(letter, "state"));
        table_cell(table, money_text(number_of(letter, "amount"), text_of(letter, "currency")));
        table_cell(table, time_short(text_of(letter, "created_at")));
        table_cell(table, text_of(letter, "fault_code"));
        table_cell(table, text_of(letter, "fault_text"));
    }
    table_print(table);
}

void dead_print_incident(const json_t *incident)
{
    say(BOLD, text_of(incident, "incident"));
    sayf("  %s, %s %s\n", text_of(incident, "stage"), text_of(incident, "fault_kind"),
         text_of(incident, "fault_code"));
    if (*text_of(incident, "pattern"))
        say_line("text", "%s", text_of(incident, "pattern"));
    say_line("letters", "%s open, %s replaying, %s resolved, %s discarded",
             number_text(number_of(incident, "open")),
             number_text(number_of(incident, "replaying")),
             number_text(number_of(incident, "resolved")),
             number_text(number_of(incident, "discarded")));
    say_line("at risk", "%s", dead_money_text(json_object_get(incident, "at_risk")));
    say_line("first", "%s (%s)", time_text(text_of(incident, "first_at")),
             ago_text(text_of(incident, "first_at")));
    say_line("last", "%s (%s)", time_text(text_of(incident, "last_at")),
             ago_text(text_of(incident, "last_at")));
    print_advice(json_object_get(incident, "advice"));
    sayf("\nSome of them, spread over time (docket dead list --rows %s has all):\n\n",
         text_of(incident, "incident"));
    dead_print_letters(json_object_get(incident, "samples"));
}

static void print_events(const json_t *events)
{
    struct table *table = table_create();
    size_t index;
    const json_t *event;

    table_column(table, "version", COLUMN_RIGHT);
    table_column(table, zone_text(), COLUMN_LEFT);
    table_column(table, "event", COLUMN_LEFT);
    table_column(table, "process", COLUMN_LEFT);
    table_column(table, "", COLUMN_SHRINKS);
    json_array_foreach(events, index, event)
    {
        const json_t *detail = json_object_get(event, "detail");

        table_cell(table, number_text(number_of(event, "version")));
        table_cell(table, time_short(text_of(event, "at")));
        table_cell(table, text_of(event, "kind"));
        table_cell(table, text_of(event, "process"));
        table_cell(table, *text_of(detail, "text") ? text_of(detail, "text")
                                                   : text_of(detail, "decline_code"));
    }
    table_print(table);
}

/* A message that could not be read: its members, one a line. */
static void print_message(json_t *message)
{
    const char *name;
    json_t *value;

    json_object_foreach(message, name, value)
    {
        if (json_is_string(value))
            say_line(name, "%s", json_string_value(value));
        else
            say_line(name, "%lld", (long long)json_integer_value(value));
    }
}

void dead_print_letter(const json_t *letter)
{
    json_t *history = json_object_get(letter, "history");
    const json_t *since = json_object_get(letter, "since");

    sayf("dead letter %lld, ", number_of(letter, "id"));
    say(strcmp(text_of(letter, "state"), "open") == 0 ? YELLOW : PLAIN, text_of(letter, "state"));
    sayf(", of incident %s\n", text_of(letter, "incident"));
    if (*text_of(letter, "order"))
        say_line("order", "%s, now %s", text_of(letter, "order"), text_of(letter, "status"));
    say_line("stage", "%s, after %lld attempts and %lld crashes", text_of(letter, "stage"),
             number_of(letter, "attempts"), number_of(letter, "crashes"));
    say_line("fault", "%s %s: %s", text_of(letter, "fault_kind"), text_of(letter, "fault_code"),
             text_of(letter, "fault_text"));
    say_line("at risk", "%s", money_text(number_of(letter, "amount"), text_of(letter, "currency")));
    say_line("gave up", "%s (%s)", time_text(text_of(letter, "failed_at")),
             ago_text(text_of(letter, "failed_at")));
    if (*text_of(letter, "closed_at"))
        say_line("closed", "%s", time_text(text_of(letter, "closed_at")));
    print_advice(json_object_get(letter, "advice"));
    if (strcmp(text_of(letter, "state"), "open") == 0)
        say_line("discard", "%s", dead_fate_text(text_of(letter, "discard")));
    sayf("\n");
    if (json_is_object(history)) {
        print_message(history);
        return;
    }
    sayf("What had happened until it gave up:\n\n");
    print_events(history);
    if (json_array_size(since) > 0) {
        sayf("\nAnd since:\n\n");
        print_events(since);
    }
}
