/* docket order: the life of one order */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/command.h"

/* Seconds of an RFC 3339 text within its day are enough for a pause between two events. */
static double seconds_of(const char *stamp)
{
    int hours = 0, minutes = 0;
    double seconds = 0;

    /* NOLINTNEXTLINE(cert-err34-c): written by Postgres */
    if (strlen(stamp) < 19 || sscanf(stamp + 11, "%d:%d:%lf", &hours, &minutes, &seconds) != 3)
        return 0;
    return hours * 3600 + minutes * 60 + seconds;
}

static void print_events(const json_t *events)
{
    double before = 0;
    size_t index;
    const json_t *event;

    printf("\n%-8s %-22s %-16s %-12s %10s\n", "version", "event", "status", "process", "after");
    json_array_foreach(events, index, event)
    {
        double at = seconds_of(text_of(event, "at"));
        double pause = index && at >= before ? at - before : 0;

        printf("%-8lld %-22s %-16s %-12s %+8.3f s\n", number_of(event, "version"),
               text_of(event, "kind"), text_of(event, "status"), text_of(event, "process"), pause);
        before = at;
    }
}

static void print_tasks(const json_t *tasks)
{
    size_t index;
    const json_t *task;

    printf("\n%-12s %-9s %-8s %-8s %s\n", "task", "state", "attempt", "crashes", "last fault");
    json_array_foreach(tasks, index, task) printf(
        "%-12s %-9s %-8lld %-8lld %s %s %s\n", text_of(task, "stage"), text_of(task, "task_state"),
        number_of(task, "attempt"), number_of(task, "crashes"), text_of(task, "fault_kind"),
        text_of(task, "fault_code"), text_of(task, "fault_text"));
}

static void print_money(const json_t *order)
{
    const json_t *shipment = json_object_get(order, "shipment");
    size_t index;
    const json_t *item;

    json_array_foreach(json_object_get(order, "attempts"), index, item)
        printf("\npayment %lld: %s, %lld %s, captured %lld, %s %s\n", number_of(item, "number"),
               text_of(item, "attempt_state"), number_of(item, "amount"), text_of(item, "currency"),
               number_of(item, "captured"), text_of(item, "intent"), text_of(item, "decline_code"));
    if (json_is_object(shipment))
        printf("shipment: %s, tracking %s\n", text_of(shipment, "carrier_id"),
               text_of(shipment, "tracking"));
    json_array_foreach(json_object_get(order, "dead_letters"), index, item)
        printf("dead letter %lld: %s, %s, %s\n", number_of(item, "id"), text_of(item, "stage"),
               text_of(item, "fault_code"), text_of(item, "state"));
}

static void print_order(const json_t *order)
{
    printf("%s  %s%s  %lld %s\n", text_of(order, "order"), text_of(order, "status"),
           json_is_true(json_object_get(order, "final")) ? " (final)" : "",
           number_of(order, "total"), text_of(order, "currency"));
    if (*text_of(order, "reason"))
        printf("reason: %s\n", text_of(order, "reason"));
    printf("accepted %s, version %lld, trace %s\n", text_of(order, "accepted_at"),
           number_of(order, "version"), text_of(order, "trace"));
    print_events(json_object_get(order, "events"));
    print_tasks(json_object_get(order, "tasks"));
    print_money(order);
}

static bool is_id(const char *id)
{
    return strlen(id) < 64 && strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(id);
}

static int show(int argc, char **argv)
{
    bool as_json = false;
    const struct option_wanted options[] = {{"--json", NULL, &as_json}, {NULL, NULL, NULL}};
    char path[128];
    const char *id;
    json_t *order;

    if (!command_options(argc, argv, options, &id, 1) || !is_id(id))
        return command_usage(&command_order);
    snprintf(path, sizeof(path), "/admin/orders/%s", id);
    if ((order = admin_call("GET", path, NULL)) == NULL)
        return EXIT_REFUSED;
    if (as_json)
        print_json(order);
    else
        print_order(order);
    json_decref(order);
    return EXIT_SUCCESS;
}

static int run(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "show") == 0)
        return show(argc - 2, argv + 2);
    return command_usage(&command_order);
}

const struct command command_order = {
    .name = "order",
    .summary = "show the whole life of an order",
    .help = "usage: docket order show ID [--json]\n\n"
            "ID is the public id (ord_…) or the uuid.  Shows each event with its process and the\n"
            "time since the one before, the tasks, payments, shipment and dead letters.\n\n"
            "  docket order show ord_01hf3yz…\n",
    .run = run,
};
