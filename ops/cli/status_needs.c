#include "ops/cli/status_needs.h"

#include <stdio.h>
#include <string.h>

#include "ops/cli/command.h"
#include "ops/cli/orphan.h"
#include "ops/cli/screen.h"

enum { UNKNOWN_SLA_S = 900, OUTBOX_LATE_S = 60 };

double status_age_s(const json_t *status, const char *stamp)
{
    double now, then;

    return *stamp && time_parse_stamp(text_of(status, "at"), &now) && time_parse_stamp(stamp, &then)
               ? now - then
               : 0;
}

static void need(json_t *needs, const char *check, bool is_urgent, const char *text,
                 const char *command)
{
    json_array_append_new(needs, json_pack("{s:s, s:s, s:s, s:b}", "what", text, "command", command,
                                           "check", check, "urgent", is_urgent));
}

static void find_processes(const json_t *status, json_t *needs)
{
    size_t index;
    const json_t *row;
    char text[128], command[128];

    if (!is_true(json_object_get(status, "relay"), "leads"))
        need(needs, "work.relay", true, "no relay leads: accepted orders wait unpublished",
             "start docket-relay");
    json_array_foreach(json_object_get(status, "workers"), index, row)
    {
        if (number_of(row, "alive") > 0)
            continue;
        snprintf(text, sizeof(text), "no %.40s worker is alive", text_of(row, "stage"));
        snprintf(command, sizeof(command), "start docket-worker %.40s", text_of(row, "stage"));
        need(needs, "work.workers", true, text, command);
    }
}

static void find_breakers(const json_t *status, json_t *needs)
{
    size_t index;
    const json_t *row;
    char text[300], command[128];

    if (json_is_false(json_object_get(json_object_get(status, "orphans"), "compared_since_pause")))
        need(needs, "work.compared", false,
             "payments are paused, and the provider's books were not compared since",
             "after a restore wait for it before docket resume payment");
    json_array_foreach(json_object_get(status, "breakers"), index, row)
    {
        if (!is_true(row, "held"))
            continue;
        snprintf(text, sizeof(text), "an operator holds something back: %.40s (%.200s)",
                 text_of(row, "name"), text_of(row, "why"));
        snprintf(command, sizeof(command), "docket resume %.40s --reason …", text_of(row, "name"));
        need(needs, "work.held", false, text, command);
    }
}

static void find_trouble(const json_t *status, json_t *needs)
{
    size_t index;
    const json_t *row;
    long long open = 0;
    char command[128];

    json_array_foreach(json_object_get(status, "dead"), index, row) open += number_of(row, "open");
    if (open > 0)
        need(needs, "work.dead_letters", false, "dead letters are open", "docket dead list");
    json_array_foreach(json_object_get(status, "runs"), index, row)
    {
        if (strcmp(text_of(row, "state"), "stopped") != 0)
            continue;
        snprintf(command, sizeof(command), "docket dead runs %lld", number_of(row, "id"));
        need(needs, "work.runs", false, "a replay run stopped by itself", command);
    }
}

static void find_orphans(const json_t *status, json_t *needs)
{
    const json_t *orphans = json_object_get(status, "orphans"), *row;
    long long more =
        number_of(orphans, "open") - (long long)json_array_size(json_object_get(orphans, "list"));
    char text[512], command[256];
    size_t index;

    json_array_foreach(json_object_get(orphans, "list"), index, row)
    {
        orphan_say(row, text, sizeof(text), command, sizeof(command));
        need(needs, "work.orphans", number_of(row, "received") > 0, text, command);
    }
    if (more <= 0)
        return;
    snprintf(text, sizeof(text), "%s more differences between the provider's books and ours",
             number_text(more));
    need(needs, "work.orphans", false, text, "docket orphan close makes room for them here");
}

json_t *status_needs(const json_t *status)
{
    json_t *needs = json_array();

    find_processes(status, needs);
    if (status_age_s(status, text_of(json_object_get(status, "outbox"), "oldest_at")) >
        OUTBOX_LATE_S)
        need(needs, "work.outbox", true, "messages have waited for over a minute to be published",
             "docket doctor says whether the broker is away or a relay leads");
    if (status_age_s(status, text_of(json_object_get(status, "unknown"), "since")) > UNKNOWN_SLA_S)
        need(needs, "work.unknown", true,
             "a payment's outcome has been unknown for over 15 minutes",
             "docket order list --reason payment_outcome_unknown; then compare the provider's "
             "books");
    if (status_age_s(status, text_of(json_object_get(status, "unknown"), "refunds_since")) >
        UNKNOWN_SLA_S)
        need(needs, "work.unknown_refunds", true,
             "a refund's outcome has been unknown for over 15 minutes",
             "docket order list --reason refund_outcome_unknown; then compare the provider's "
             "books");
    find_breakers(status, needs);
    find_trouble(status, needs);
    find_orphans(status, needs);
    return needs;
}
