#include "ops/cli/act.h"

#include <stdlib.h>

const struct option act_options[] = {ACT_REASON, {.name = NULL}};

int act_send(const struct call *call, const char *method, const char *path, json_t *wish,
             void (*say)(const struct call *call, const json_t *answer))
{
    const char *reason = call_text(call, "reason");
    json_t *answer;

    if (wish == NULL)
        wish = json_object();
    if (reason)
        json_object_set_new(wish, "reason", json_string(reason));
    answer = admin_call(method, path, wish);
    json_decref(wish);
    if (answer == NULL)
        return EXIT_REFUSED;
    if (call_flag(call, "json"))
        print_json(answer);
    else
        say(call, answer);
    json_decref(answer);
    return EXIT_SUCCESS;
}
