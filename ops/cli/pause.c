/* docket pause and docket resume: nothing is taken up, or nobody called, until an operator says so
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/act.h"
#include "ops/cli/screen.h"

enum { NAME_BYTES_MAX = 64, PATH_BYTES_MAX = NAME_BYTES_MAX + 32 };

/* What was done, or that nothing was. */
struct words {
    const char *act, *done, *already;
};
static const struct words pausing = {"pause", "paused, within a second, until docket resume.",
                                     "was paused already"};
static const struct words resuming = {"resume", "let go on: the oldest first, and more and more.",
                                      "was not paused"};

static void say_held(const struct call *call, const json_t *answer, const struct words *words)
{
    if (is_true(answer, "changed"))
        sayf("%s is %s\n", call_operand(call, 0), words->done);
    else
        sayf("%s %s; nothing was done.\n", call_operand(call, 0), words->already);
}

static void say_paused(const struct call *call, const json_t *answer)
{
    say_held(call, answer, &pausing);
}

static void say_resumed(const struct call *call, const json_t *answer)
{
    say_held(call, answer, &resuming);
}

static int hold(const struct call *call, const struct words *words,
                void (*tell)(const struct call *call, const json_t *answer))
{
    const char *name = call_operand(call, 0);
    char path[PATH_BYTES_MAX];

    if (strlen(name) > NAME_BYTES_MAX ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz_") != strlen(name))
        return call_misused(call, "%s is no queue, provider or carrier", name);
    snprintf(path, sizeof(path), "/admin/holds/%s/%s", name, words->act);
    return act_send(call, "POST", path, NULL, tell);
}

static int pause_it(const struct call *call)
{
    return hold(call, &pausing, say_paused);
}

/* One act for each that an operator holds, in the order of their names; the first that fails ends
 * it, and what was let go on stays so. */
static int resume_held(const struct call *call, const json_t *status, json_t *resumed)
{
    const json_t *breaker;
    size_t index;

    json_array_foreach(json_object_get(status, "breakers"), index, breaker)
    {
        char path[PATH_BYTES_MAX];
        json_t *wish, *answer;

        if (!is_true(breaker, "held"))
            continue;
        snprintf(path, sizeof(path), "/admin/holds/%.*s/%s", NAME_BYTES_MAX,
                 text_of(breaker, "name"), resuming.act);
        wish = json_pack("{s:s}", "reason", call_text(call, "reason"));
        answer = admin_call("POST", path, wish);
        json_decref(wish);
        if (answer == NULL)
            return EXIT_REFUSED;
        json_decref(answer);
        json_array_append_new(resumed, json_string(text_of(breaker, "name")));
        if (!call_flag(call, "json"))
            sayf("%s is %s\n", text_of(breaker, "name"), resuming.done);
    }
    return EXIT_SUCCESS;
}

static int resume_all(const struct call *call)
{
    json_t *status = admin_call("GET", "/admin/status", NULL), *resumed = json_array();
    int code = status ? resume_held(call, status, resumed) : EXIT_REFUSED;

    if (code == EXIT_SUCCESS && !call_flag(call, "json") && json_array_size(resumed) == 0)
        sayf("Nothing was paused; nothing was done.\n");
    resumed = json_pack("{s:o}", "resumed", resumed);
    if (status != NULL && call_flag(call, "json")) /* also what was let go on before one failed */
        print_json(resumed);
    json_decref(resumed);
    json_decref(status);
    return code;
}

static int resume_it(const struct call *call)
{
    if (call_flag(call, "all") == (call_operand(call, 0) != NULL))
        return call_misused(call, "either a NAME, or --all");
    return call_flag(call, "all") ? resume_all(call) : hold(call, &resuming, say_resumed);
}

static const struct option resume_options[] = {
    ACT_REASON,
    {"all", NULL, "Whatever an operator paused, each as an act of its own.", OPTION_FLAG, false},
    {.name = NULL},
};

const struct command command_pause = {
    .name = "pause",
    .summary = "Pause a queue (payment, fulfilment), or whom it calls (stripe, carrier).",
    .about = "Of a paused queue no task is taken up; what was taken up ends. A provider or carrier "
             "that is paused is not called: its tasks are parked, with nothing counted against "
             "them. Orders are accepted meanwhile. It holds through every restart.",
    .operands = "NAME",
    .options = act_options,
    .examples = "docket pause stripe --reason \"maintenance, ticket 4711\"",
    .run = pause_it,
};

const struct command command_resume = {
    .name = "resume",
    .summary = "Let a queue, provider or carrier go on.",
    .about = "Parked tasks are let out again: one first, then more and more, the oldest order "
             "first. Of a provider that was found away by itself, it is probed at once.",
    .operands = "[NAME]",
    .options = resume_options,
    .examples = "docket resume stripe --reason \"the maintenance is over\"\n"
                "docket resume --all --reason \"restored, and compared\"",
    .run = resume_it,
};
