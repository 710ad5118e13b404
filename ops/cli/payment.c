/* docket payment resolve: what an operator knows of a payment that no look-up can settle */
#include <stdio.h>
#include <string.h>

#include "ops/cli/act.h"
#include "ops/cli/screen.h"

enum { PATH_BYTES_MAX = 4096 };

static void say_resolved(const struct call *call, const json_t *answer)
{
    (void)call;
    sayf("Payment %lld of %s is taken as %s; a worker writes what follows from it.\n"
         "docket order show %s says when it has.\n",
         number_of(answer, "attempt"), text_of(answer, "order"), text_of(answer, "as"),
         text_of(answer, "order"));
}

static int resolve(const struct call *call)
{
    struct text path;
    json_t *wish = json_pack("{s:s, s:s}", "as", call_text(call, "as"), "evidence",
                             call_text(call, "evidence"));
    int code;

    text_init(&path, PATH_BYTES_MAX);
    text_add(&path, "/admin/orders/");
    text_add_urlencoded(&path, call_operand(call, 0));
    text_add(&path, "/resolve_payment");
    code = act_send(call, "POST", path.bytes, wish, say_resolved);
    text_finish(&path);
    return code;
}

static const struct option resolve_options[] = {
    {"as", "captured|declined|canceled", "What became of the money.", OPTION_CHOICE, true},
    {"evidence", "TEXT", "What shows it: a statement, the provider's reference or answer.",
     OPTION_TEXT, true},
    ACT_REASON,
    {.name = NULL},
};

static const struct command command_resolve = {
    .name = "resolve",
    .summary = "Settle a payment whose outcome no look-up can tell.",
    .about =
        "Only of a payment that is unknown, differs from ours, or whose order is on hold, and "
        "once. "
        "It is believed: captured ships the order, declined and canceled return its stock and ask "
        "nobody any more. So cancel the payment at the provider first where you can, and write "
        "down "
        "how you know.",
    .operands = "ID",
    .options = resolve_options,
    .examples =
        "docket payment resolve ord_01hf3yz… --as captured \\\n"
        "    --evidence \"settlement of 2026-11-24, line 17\" --reason \"their API lost it\"",
    .run = resolve,
};

static const struct command *const commands[] = {&command_resolve, NULL};

const struct command command_payment = {
    .name = "payment",
    .summary = "Payments that need a person.",
    .commands = commands,
};
