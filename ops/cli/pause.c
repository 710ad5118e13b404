/* docket pause and docket resume: nothing is taken up, or nobody called, until an operator says so
 */
#include <stdio.h>
#include <stdlib.h>

#include "ops/cli/command.h"
#include "ops/cli/screen.h"

enum { PATH_BYTES_MAX = 1024 };

static json_t *ask(const struct call *call, const char *act)
{
    json_t *wish = json_pack("{s:s}", "reason", call_text(call, "reason")), *answer;
    const char *name = call_operand(call, 0);
    struct text path;

    text_init(&path, PATH_BYTES_MAX);
    text_print(&path, "/admin/holds/%s/%s", name, act);
    answer = admin_call("POST", path.bytes, wish);
    text_finish(&path);
    json_decref(wish);
    return answer;
}

static int tell(const struct call *call, const char *act, const char *done, const char *already)
{
    const char *name = call_operand(call, 0);
    json_t *answer;

    for (const char *c = name; *c; c++)
        if (*c != '_' && (*c < 'a' || *c > 'z'))
            return call_misused(call, "%s is no queue, provider or carrier", name);
    if ((answer = ask(call, act)) == NULL)
        return EXIT_REFUSED;
    if (call_flag(call, "json"))
        print_json(answer);
    else if (is_true(answer, "changed"))
        sayf("%s is %s\n", name, done);
    else
        sayf("%s %s; nothing was done.\n", name, already);
    json_decref(answer);
    return EXIT_SUCCESS;
}

static int pause_it(const struct call *call)
{
    return tell(call, "pause", "paused, within a second, until docket resume.",
                "was paused already");
}

static int resume_it(const struct call *call)
{
    return tell(call, "resume", "let go on: the oldest first, and more and more.",
                "was not paused");
}

static const struct option act_options[] = {
    {"reason", "TEXT", "Why; it is kept in the audit.", OPTION_TEXT, true},
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
    .operands = "NAME",
    .options = act_options,
    .examples = "docket resume stripe --reason \"the maintenance is over\"",
    .run = resume_it,
};
