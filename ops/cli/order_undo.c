/* docket order cancel, docket order refund: an order is taken back, or some of its money */
#include <stdio.h>
#include <string.h>

#include "ops/cli/command.h"
#include "ops/cli/order_undo.h"
#include "ops/cli/screen.h"

enum { ID_LENGTH_MAX = 64 };

/* POSTs the wish; the answer, or NULL: said why. */
static json_t *ask(const struct call *call, const char *what, json_t *wish)
{
    const char *id = call_operand(call, 0);
    char path[ID_LENGTH_MAX + 32];
    json_t *answer;

    snprintf(path, sizeof(path), "/admin/orders/%s/%s", id, what);
    json_object_set_new(wish, "reason", json_string(call_text(call, "reason")));
    answer = admin_call("POST", path, wish);
    json_decref(wish);
    return answer;
}

static bool is_id(const char *id)
{
    return strlen(id) < ID_LENGTH_MAX &&
           strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(id);
}

static int cancel(const struct call *call)
{
    const char *id = call_operand(call, 0);
    json_t *answer;

    if (!is_id(id))
        return call_misused(call, "%s is no id of an order", id);
    if ((answer = ask(call, "cancel", json_object())) == NULL)
        return EXIT_REFUSED;
    if (call_flag(call, "json"))
        print_json(answer);
    else
        sayf("%s is %s.\n", text_of(answer, "order"), text_of(answer, "status"));
    json_decref(answer);
    return EXIT_SUCCESS;
}

static int release(const struct call *call)
{
    const char *id = call_operand(call, 0);
    json_t *answer;

    if (!is_id(id))
        return call_misused(call, "%s is no id of an order", id);
    if ((answer = ask(call, "release", json_object())) == NULL)
        return EXIT_REFUSED;
    if (call_flag(call, "json"))
        print_json(answer);
    else
        sayf("%s is released; its payment begins now.\n", text_of(answer, "order"));
    json_decref(answer);
    return EXIT_SUCCESS;
}

static int refund(const struct call *call)
{
    const char *id = call_operand(call, 0);
    long long amount = call_number(call, "amount", 0);
    json_t *wish, *answer;

    if (!is_id(id))
        return call_misused(call, "%s is no id of an order", id);
    if (call_text(call, "amount") && amount == 0)
        return call_misused(call, "nothing is no amount");
    wish = json_object();
    if (amount > 0)
        json_object_set_new(wish, "amount", json_integer(amount));
    if ((answer = ask(call, "refund", wish)) == NULL)
        return EXIT_REFUSED;
    if (call_flag(call, "json"))
        print_json(answer);
    else
        sayf("Refund %lld of %s: %s; %s are left. docket order show says when it is made.\n",
             number_of(answer, "refund"), text_of(answer, "order"),
             money_text(number_of(answer, "amount"), text_of(answer, "currency")),
             money_text(number_of(answer, "rest"), text_of(answer, "currency")));
    json_decref(answer);
    return EXIT_SUCCESS;
}

static const struct option cancel_options[] = {
    {"reason", "TEXT", "Why; it is kept in the audit.", OPTION_TEXT, true},
    {.name = NULL},
};
static const struct option refund_options[] = {
    {"amount", "MINOR", "How much, in minor units (cents); else all that is left.", OPTION_NUMBER,
     false},
    {"reason", "TEXT", "Why; it is kept in the audit.", OPTION_TEXT, true},
    {.name = NULL},
};
const struct command command_order_cancel = {
    .name = "cancel",
    .summary = "Cancel an order that is not shipped; what was taken of its money is given back.",
    .about = "Whether there is nothing to undo, a payment to void or money to give back is found "
             "out at the provider, also while a payment is under way. A shipment that may be under "
             "way is looked up first. Asking twice is the same as asking once.",
    .operands = "ID",
    .options = cancel_options,
    .examples = "docket order cancel ord_01hf3yz… --reason \"the customer called\"",
    .run = cancel,
};
const struct command command_order_release = {
    .name = "release",
    .summary = "Let an order go on that is held as a possible duplicate.",
    .about =
        "It looks like another order of the same customer: docket order show names that one. "
        "Released, it is paid and shipped like any other; docket order cancel ends it instead.",
    .operands = "ID",
    .options = cancel_options,
    .examples = "docket order release ord_01hf3yz… --reason \"the customer wants both\"",
    .run = release,
};
const struct command command_order_refund = {
    .name = "refund",
    .summary = "Give back money of a paid order: some of it, or all once it is shipped.",
    .about =
        "Never more than was captured, whoever else gives back at the same time. The refund is "
        "made by a worker, which looks through the provider's refunds before it asks for one.",
    .operands = "ID",
    .options = refund_options,
    .examples =
        "docket order refund ord_01hf3yz… --amount 490 --reason \"shipping, as a courtesy\"",
    .run = refund,
};
