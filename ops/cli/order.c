/* docket order: the life of one order */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/command.h"
#include "ops/cli/screen.h"

/* A pause between two events that is longer is marked: a step that nothing held up is faster. */
static const double slow_s = 5;

static void print_events(const json_t *events)
{
    struct table *table = table_create();
    double before = 0, at = 0;
    size_t index;
    const json_t *event;

    table_column(table, "", COLUMN_RIGHT);
    table_column(table, "when", COLUMN_LEFT);
    table_column(table, "after", COLUMN_RIGHT);
    table_column(table, "event", COLUMN_LEFT);
    table_column(table, "status", COLUMN_LEFT);
    table_column(table, "process", COLUMN_SHRINKS);
    json_array_foreach(events, index, event)
    {
        bool is_timed = time_parse_stamp(text_of(event, "at"), &at) && index > 0;
        double pause = is_timed ? at - before : 0;

        table_cell(table, number_text(number_of(event, "version")));
        table_cell(table, time_text(text_of(event, "at")));
        table_paint(table, pause > slow_s ? YELLOW : PLAIN,
                    is_timed ? span_text(pause > 0 ? pause : 0) : "");
        table_cell(table, text_of(event, "kind"));
        table_cell(table, text_of(event, "status"));
        table_cell(table, text_of(event, "process"));
        before = at;
    }
    table_print(table);
}

static void print_tasks(const json_t *tasks)
{
    size_t index;
    const json_t *task;

    json_array_foreach(tasks, index, task)
    {
        say_line("task", "%s: %s, attempt %lld, crashes %lld%s%s %s %s %s", text_of(task, "stage"),
                 text_of(task, "task_state"), number_of(task, "attempt"),
                 number_of(task, "crashes"), *text_of(task, "due_at") ? ", due " : "",
                 *text_of(task, "due_at") ? ago_text(text_of(task, "due_at")) : "",
                 text_of(task, "fault_kind"), text_of(task, "fault_code"),
                 text_of(task, "fault_text"));
    }
}

static void print_money(const json_t *order)
{
    const json_t *shipment = json_object_get(order, "shipment");
    size_t index;
    const json_t *item;

    json_array_foreach(json_object_get(order, "attempts"), index, item)
        say_line("payment", "%lld: %s, %s, captured %s, %s %s", number_of(item, "number"),
                 text_of(item, "attempt_state"),
                 money_text(number_of(item, "amount"), text_of(item, "currency")),
                 money_text(number_of(item, "captured"), text_of(item, "currency")),
                 text_of(item, "intent"), text_of(item, "decline_code"));
    if (json_is_object(shipment))
        say_line("shipment", "%s, tracking %s, %s", text_of(shipment, "carrier_id"),
                 text_of(shipment, "tracking"), time_text(text_of(shipment, "shipped_at")));
    json_array_foreach(json_object_get(order, "dead_letters"), index, item)
        say_line("dead letter", "%lld: %s, %s, %s (docket dead show %lld)", number_of(item, "id"),
                 text_of(item, "stage"), text_of(item, "fault_code"), text_of(item, "state"),
                 number_of(item, "id"));
}

static void print_order(const json_t *order)
{
    bool is_final = is_true(order, "final");

    say(BOLD, text_of(order, "order"));
    sayf("  ");
    say(is_final ? GREEN : YELLOW, text_of(order, "status"));
    sayf("%s  %s\n", is_final ? " (final)" : "",
         money_text(number_of(order, "total"), text_of(order, "currency")));
    if (*text_of(order, "reason"))
        say_line("reason", "%s", text_of(order, "reason"));
    say_line("accepted", "%s (%s), version %lld", time_text(text_of(order, "accepted_at")),
             ago_text(text_of(order, "accepted_at")), number_of(order, "version"));
    say_line("trace", "%s", text_of(order, "trace"));
    print_tasks(json_object_get(order, "tasks"));
    print_money(order);
    sayf("\n");
    print_events(json_object_get(order, "events"));
}

static bool is_id(const char *id)
{
    return strlen(id) < 64 && strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(id);
}

static int show(const struct call *call)
{
    const char *id = call_operand(call, 0);
    char path[128];
    json_t *order;

    if (!is_id(id))
        return call_misused(call, "%s is no id of an order", id);
    snprintf(path, sizeof(path), "/admin/orders/%s", id);
    if ((order = admin_call("GET", path, NULL)) == NULL)
        return EXIT_REFUSED;
    if (call_flag(call, "json"))
        print_json(order);
    else
        print_order(order);
    json_decref(order);
    return EXIT_SUCCESS;
}

static const struct command command_show = {
    .name = "show",
    .summary = "Show the whole life of an order: events, tasks, payments, shipment, dead letters.",
    .about =
        "ID is the public id (ord_…) or the uuid. Each event is shown with its process and the "
        "pause before it; nothing of the person who ordered is shown.",
    .operands = "ID",
    .examples = "docket order show ord_01hf3yz…",
    .run = show,
};
static const struct command *const commands[] = {&command_show, NULL};

const struct command command_order = {
    .name = "order",
    .summary = "Show the life of an order.",
    .commands = commands,
};
