/* docket status: how everything stands, and what needs a person */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/cli/command.h"
#include "ops/cli/screen.h"
#include "ops/cli/status_needs.h"

enum { WATCH_S = 2 };

/* "12 tasks", or "10,000 tasks or more" where counting stopped. */
static void say_count(const char *label, const json_t *status, long long count, const char *what,
                      const char *stamp)
{
    const char *more = count >= number_of(status, "count_max") ? " or more" : "";
    const char *plural = count == 1 ? "" : "s";

    if (count == 0)
        say_line(label, "no %s", what);
    else if (*stamp)
        say_line(label, "%s %s%s%s, the oldest for %s", number_text(count), what, plural, more,
                 span_text(status_age_s(status, stamp)));
    else
        say_line(label, "%s %s%s%s", number_text(count), what, plural, more);
}

static void say_processes(const json_t *status)
{
    size_t index;
    const json_t *row;

    say_line("relay", "%s",
             is_true(json_object_get(status, "relay"), "leads")
                 ? "one leads"
                 : "NONE leads: nothing is published");
    json_array_foreach(json_object_get(status, "workers"), index, row)
        say_line("workers", "%s: %lld alive", text_of(row, "stage"), number_of(row, "alive"));
}

/* Since the relay noted the counts before; nothing: no relay has led for long enough. */
static void say_rates(const json_t *rates)
{
    if (json_is_object(rates))
        say_line("rates", "%s accepted, %s payments, %s shipped, %s dead letters a minute",
                 number_text(number_of(rates, "accepted")),
                 number_text(number_of(rates, "payments")),
                 number_text(number_of(rates, "shipped")), number_text(number_of(rates, "dead")));
    else
        say_line("rates", "not known yet");
}

static void say_backlog(const json_t *status)
{
    const json_t *outbox = json_object_get(status, "outbox");
    const json_t *unknown = json_object_get(status, "unknown"), *row;
    size_t index;

    say_rates(json_object_get(status, "rates"));
    say_count("outbox", status, number_of(outbox, "rows"), "row", text_of(outbox, "oldest_at"));
    say_count("waiting", status, number_of(json_object_get(status, "waiting"), "tasks"), "task",
              "");
    json_array_foreach(json_object_get(status, "parked"), index, row)
    {
        char label[64];

        snprintf(label, sizeof(label), "parked %.40s", text_of(row, "stage"));
        say_count(label, status, number_of(row, "tasks"), "task", text_of(row, "since"));
    }
    say_count("unknown", status, number_of(unknown, "payments"), "payment",
              text_of(unknown, "since"));
    say_count("unknown", status, number_of(unknown, "refunds"), "refund",
              text_of(unknown, "refunds_since"));
}

static void say_trouble(const json_t *status)
{
    size_t index;
    const json_t *row;

    json_array_foreach(json_object_get(status, "dead"), index, row)
        say_line("dead letters", "%s open, %s replaying, %s at risk",
                 number_text(number_of(row, "open")), number_text(number_of(row, "replaying")),
                 money_text(number_of(row, "amount"), text_of(row, "currency")));
    json_array_foreach(json_object_get(status, "breakers"), index, row)
        say_line("held back", "%s (%s) since %s, by %s: %s", text_of(row, "name"),
                 is_true(row, "held") ? "paused" : text_of(row, "state"),
                 time_text(text_of(row, "since")), text_of(row, "who"), text_of(row, "why"));
    say_count("orphans", status, number_of(json_object_get(status, "orphans"), "open"),
              "difference", "");
    json_array_foreach(json_object_get(status, "runs"), index, row) say_line(
        "replay run", "%lld is %s, %s of %s released", number_of(row, "id"), text_of(row, "state"),
        number_text(number_of(row, "released")), number_text(number_of(row, "members")));
}

static void print_status(const json_t *status, const json_t *needs)
{
    size_t index;
    const json_t *row;

    sayf("%s\n", time_text(text_of(status, "at")));
    say_processes(status);
    say_backlog(status);
    say_trouble(status);
    if (json_array_size(needs) == 0)
        say(GREEN, "Nothing needs a person.\n");
    json_array_foreach(needs, index, row)
    {
        say(RED, "needs a person: ");
        sayf("%s (%s)\n", text_of(row, "what"), text_of(row, "command"));
    }
}

static bool show(const struct call *call)
{
    json_t *status = admin_call("GET", "/admin/status", NULL), *needs;

    if (status == NULL)
        return false;
    needs = status_needs(status);
    if (call_flag(call, "json")) {
        json_object_set(status, "needs", needs);
        print_json(status);
    } else {
        if (call_flag(call, "watch") && screen_is_terminal())
            fputs("\033[H\033[2J", stdout); /* in place */
        print_status(status, needs);
    }
    fflush(stdout);
    screen_forget();
    json_decref(needs);
    json_decref(status);
    return true;
}

static int run(const struct call *call)
{
    bool is_shown = show(call);

    while (is_shown && call_flag(call, "watch")) {
        sleep(WATCH_S);
        is_shown = show(call);
    }
    return is_shown ? EXIT_SUCCESS : EXIT_REFUSED;
}

static const struct option options[] = {
    {"watch", NULL, "Again every 2 s, in place, until Ctrl-C.", OPTION_FLAG, false},
    {.name = NULL},
};

const struct command command_status = {
    .name = "status",
    .summary = "Show how everything stands, and what needs a person.",
    .about =
        "rates: of the last minute, by counts that the relay notes every 10 s. outbox: rows (of up "
        "to 100 messages) that wait to "
        "be published. waiting: tasks that wait for their next attempt, or for their customer. "
        "parked: tasks whose provider, carrier or queue is held back. unknown: payments and "
        "refunds that only the provider's evidence settles. orphans: differences between the "
        "provider's books and ours. at risk: what the orders of open dead letters are worth. "
        "Counts stop at 10,000.",
    .options = options,
    .examples = "docket status\ndocket status --watch",
    .run = run,
};
