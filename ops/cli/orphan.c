/* docket orphan: differences between the provider's books and ours (docket status lists them) */
#include <stdio.h>
#include <string.h>

#include "ops/cli/act.h"
#include "ops/cli/orphan.h"
#include "ops/cli/screen.h"

enum { PATH_BYTES_MAX = 128 };

static bool is_side(const json_t *orphan, const char *side)
{
    return strcmp(text_of(orphan, "side"), side) == 0;
}

void orphan_say(const json_t *orphan, char *what, size_t what_size, char *command,
                size_t command_size)
{
    const char *intent = text_of(orphan, "intent"), *order = text_of(orphan, "order");
    const char *status = text_of(orphan, "provider_status"),
               *currency = text_of(orphan, "currency");
    long long id = number_of(orphan, "id"), received = number_of(orphan, "received");

    if (is_side(orphan, "ours"))
        snprintf(what, what_size, "the provider does not know %s, the intent of %s (%s)", intent,
                 order, money_text(number_of(orphan, "amount"), currency));
    else if (is_side(orphan, "differs"))
        snprintf(what, what_size, "%s is %s at the provider (%s taken), and %s says otherwise",
                 intent, status, money_text(received, currency), order);
    else if (received > 0)
        snprintf(what, what_size, "%s took %s, and no attempt of ours has it (%s)", intent,
                 money_text(received, currency), *order ? order : "it names no order");
    else
        snprintf(what, what_size,
                 "%s of %s is %s, took nothing, and no attempt of ours has it (%s)", intent,
                 money_text(number_of(orphan, "amount"), currency), status,
                 *order ? order : "it names no order");
    snprintf(command, command_size, "%s, then docket orphan close %lld --reason …",
             is_side(orphan, "provider") && received > 0 ? "refund it at the provider"
             : is_side(orphan, "provider")               ? "cancel it at the provider"
                                           : "ask the provider, compare docket order show",
             id);
}

static void say_closed(const struct call *call, const json_t *answer)
{
    (void)call;
    if (json_is_null(json_object_get(answer, "audit")))
        sayf("orphan %lld was closed already; nothing was done.\n", number_of(answer, "id"));
    else
        sayf("orphan %lld (%s) is closed.\n", number_of(answer, "id"), text_of(answer, "intent"));
}

static int run_close(const struct call *call)
{
    char path[PATH_BYTES_MAX];
    long long id;

    if (!call_id(call, 0, &id))
        return EXIT_USAGE;
    snprintf(path, sizeof(path), "/admin/orphans/%lld/close", id);
    return act_send(call, "POST", path, NULL, say_closed);
}

static const struct command command_close = {
    .name = "close",
    .summary = "Say that a difference is settled.",
    .about =
        "What the provider's books go on to show, such as money that was refunded there, would "
        "be listed for ever. One that is gone by itself needs no closing.",
    .operands = "ID",
    .options = act_options,
    .examples = "docket orphan close 12 --reason \"refunded at the provider, re_3Mtw\"",
    .run = run_close,
};

static const struct command *const commands[] = {&command_close, NULL};

const struct command command_orphan = {
    .name = "orphan",
    .summary = "Settle differences between the provider's books and ours.",
    .about = "docket status lists them: intents that no attempt of ours has, attempts whose intent "
             "the provider does not know, and both that differ about money.",
    .commands = commands,
};
