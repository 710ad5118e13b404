/* docket order: the life of one order */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/command.h"
#include "ops/cli/order_hops.h"
#include "ops/cli/order_list.h"
#include "ops/cli/order_undo.h"
#include "ops/cli/order_why.h"
#include "ops/cli/screen.h"
#include "schema/reasons.h"

enum { FOUND_MAX = 50, PATH_BYTES_MAX = 4096 };

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
    json_array_foreach(json_object_get(order, "refunds"), index, item) say_line(
        "refund", "%lld: %s, %s, %s (%s)", number_of(item, "number"), text_of(item, "refund_state"),
        money_text(number_of(item, "amount"), text_of(item, "currency")), text_of(item, "reason"),
        text_of(item, "actor"));
    if (json_is_object(shipment))
        say_line("shipment", "%s, tracking %s, %s", text_of(shipment, "carrier_id"),
                 text_of(shipment, "tracking"), time_text(text_of(shipment, "shipped_at")));
    json_array_foreach(json_object_get(order, "dead_letters"), index, item)
        say_line("dead letter", "%lld: %s, %s, %s (docket dead show %lld)", number_of(item, "id"),
                 text_of(item, "stage"), text_of(item, "fault_code"), text_of(item, "state"),
                 number_of(item, "id"));
}

/* What operators did to it. */
static void print_acts(const json_t *acts)
{
    size_t index;
    const json_t *act;

    json_array_foreach(acts, index, act)
        say_line("act", "%s by %s: %s (%s)", text_of(act, "act"), text_of(act, "actor"),
                 text_of(act, "reason"), time_text(text_of(act, "at")));
}

static const json_t *open_task(const json_t *order)
{
    size_t index;
    const json_t *task;

    json_array_foreach(json_object_get(order, "tasks"), index, task)
    {
        if (strcmp(text_of(task, "task_state"), "done") != 0)
            return task;
    }
    return NULL;
}

static long long open_letter(const json_t *order)
{
    size_t index;
    const json_t *letter;

    json_array_foreach(json_object_get(order, "dead_letters"), index, letter)
    {
        if (strcmp(text_of(letter, "state"), "open") == 0)
            return number_of(letter, "id");
    }
    return 0;
}

/* The sentence, or "" for an order that is done. */
static const char *why_of(const json_t *order)
{
    static char text[1024];
    const json_t *task = open_task(order);
    const struct why_facts facts = {
        .status = text_of(order, "status"),
        .reason = text_of(order, "reason"),
        .stage = text_of(task, "stage"),
        .task_state = text_of(task, "task_state"),
        .since = time_text(text_of(order, "updated_at")),
        .due = *text_of(task, "due_at") ? ago_text(text_of(task, "due_at")) : "soon",
        .letter = open_letter(order),
    };

    text[0] = '\0';
    if (!is_true(order, "final") && !order_why(&facts, text, sizeof(text)))
        snprintf(text, sizeof(text),
                 "It is not done, and this docket does not know the reason "
                 "\"%s\": is it older than the API?",
                 facts.reason);
    return text;
}

/* What support may say; a page of the shop says the same. */
static const char *customer_words(const json_t *order)
{
    const struct reason *row = reason_of(text_of(order, "status"), text_of(order, "reason"));

    return row ? row->customer : "-";
}

static void print_order(const json_t *order)
{
    const char *why = why_of(order);
    bool is_final = is_true(order, "final");

    say(BOLD, text_of(order, "order"));
    sayf("  ");
    say(is_final ? GREEN : YELLOW, text_of(order, "status"));
    sayf("%s  %s\n", is_final ? " (final)" : "",
         money_text(number_of(order, "total"), text_of(order, "currency")));
    if (*why)
        say_wrapped(why);
    if (*text_of(order, "reason"))
        say_line("reason", "%s", text_of(order, "reason"));
    if (json_is_object(json_object_get(order, "duplicate")))
        say_line("duplicate", "looks like %s%s",
                 text_of(json_object_get(order, "duplicate"), "order"),
                 *text_of(json_object_get(order, "duplicate"), "released_at") ? ", released" : "");
    say_line("customer", "%s", customer_words(order));
    say_line("accepted", "%s (%s), version %lld", time_text(text_of(order, "accepted_at")),
             ago_text(text_of(order, "accepted_at")), number_of(order, "version"));
    say_line("trace", "%s", text_of(order, "trace"));
    order_hops_sum(json_object_get(order, "events"));
    print_tasks(json_object_get(order, "tasks"));
    print_money(order);
    print_acts(json_object_get(order, "acts"));
    sayf("\n");
    order_hops_print(json_object_get(order, "events"));
}

static bool is_id(const char *id)
{
    return strlen(id) < 64 && strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(id);
}

/* The one order of an address; false: said why.  More than one: they are listed. */
static bool find_by_email(const struct call *call, char id[64])
{
    const char *email = call_text(call, "email");
    struct text path;
    json_t *found;
    size_t count;

    text_init(&path, PATH_BYTES_MAX);
    text_add(&path, "/admin/orders");
    admin_query(&path, "email", email);
    admin_query(&path, "account", call_text(call, "account"));
    found = orders_find(path.bytes, NULL, FOUND_MAX);
    text_finish(&path);
    if (found == NULL)
        return false;
    count = json_array_size(json_object_get(found, "orders"));
    snprintf(id, 64, "%s", text_of(json_array_get(json_object_get(found, "orders"), 0), "order"));
    if (count == 0)
        refuse(NULL, "there is no order of %s", email);
    if (count > 1) {
        refuse("docket order show ORDER shows one of them.", "%zu%s orders are of %s:", count,
               count == FOUND_MAX ? " or more" : "", email);
        orders_print(json_object_get(found, "orders"));
    }
    json_decref(found);
    return count == 1;
}

/* The order under a key; false: said why.  More than one: they are listed. */
static bool find_by_key(const struct call *call, char id[64])
{
    const json_t *orders, *found;
    json_t *answer;
    struct text path;
    size_t count, index;

    text_init(&path, 4096);
    text_add(&path, "/admin/orders");
    admin_query(&path, "key", call_text(call, "key"));
    admin_query(&path, "account", call_text(call, "account"));
    answer = admin_call("GET", path.bytes, NULL);
    text_finish(&path);
    if (answer == NULL)
        return false;
    orders = json_object_get(answer, "orders");
    count = json_array_size(orders);
    snprintf(id, 64, "%s", text_of(json_array_get(orders, 0), "order"));
    if (count == 0)
        refuse(NULL, "there is no order under the key %s", call_text(call, "key"));
    if (count > 1) {
        refuse("--account NAME chooses one.", "several accounts have an order under this key:");
        json_array_foreach(orders, index, found)
            sayf("%s  %s\n", text_of(found, "order"), text_of(found, "account"));
    }
    json_decref(answer);
    return count == 1;
}

static int show(const struct call *call)
{
    const char *id = call_operand(call, 0);
    char path[128], found[64];
    json_t *order;

    if ((id != NULL) + (call_text(call, "key") != NULL) + (call_text(call, "email") != NULL) != 1)
        return call_misused(call, "name the order by its ID, by --key or by --email");
    if (id == NULL &&
        !(call_text(call, "key") ? find_by_key(call, found) : find_by_email(call, found)))
        return EXIT_REFUSED;
    id = id ? id : found;
    if (!is_id(id))
        return call_misused(call, "%s is no id of an order", id);
    snprintf(path, sizeof(path), "/admin/orders/%s", id);
    if ((order = admin_call("GET", path, NULL)) == NULL)
        return EXIT_REFUSED;
    if (call_flag(call, "json")) {
        json_object_set_new(order, "why", json_string(why_of(order)));
        print_json(order);
    } else {
        print_order(order);
    }
    json_decref(order);
    return EXIT_SUCCESS;
}

static const struct option show_options[] = {
    {"key", "KEY", "The order under this Idempotency-Key.", OPTION_TEXT, false},
    {"email", "ADDRESS", "The order of this address; more than one are listed.", OPTION_TEXT,
     false},
    {"account", "NAME", "With --key or --email: of this account.", OPTION_TEXT, false},
    {.name = NULL},
};
static const struct command command_show = {
    .name = "show",
    .summary = "Show the whole life of an order: events, tasks, payments, shipment, dead letters.",
    .about =
        "ID is the public id (ord_…) or the uuid. Each event is shown with its process, the pause "
        "before it, and what that was spent on: in the outbox, in the queue (also with a worker "
        "that died), outside (calls to the provider or carrier), at work (the rest, commits "
        "included); nothing of the person who ordered is shown.",
    .operands = "[ID]",
    .options = show_options,
    .examples = "docket order show ord_01hf3yz…\ndocket order show --key 5f0c…\ndocket order show "
                "--email ada@example.com",
    .run = show,
};
static const struct command *const commands[] = {&command_show,          &command_order_list,
                                                 &command_order_release, &command_order_cancel,
                                                 &command_order_refund,  NULL};

const struct command command_order = {
    .name = "order",
    .summary = "Find orders, show the life of one; cancel it; give its money back.",
    .commands = commands,
};
