/* ops/cli/act.h - an act of an operator: one request with its reason, and what came of it
 *
 *     static void say_done(const struct call *call, const json_t *answer) { … }
 *     …
 *     return act_send(call, "POST", "/admin/things", json_pack(…), say_done);
 */
#pragma once

#include "ops/cli/command.h"

/* The options of an act that has no others. */
extern const struct option act_options[];
#define ACT_REASON                                                                                 \
    {                                                                                              \
        "reason", "TEXT", "Why; it is kept in the audit.", OPTION_TEXT, true                       \
    }

/* Sends `wish` (taken over; NULL: nothing but the reason) with --reason as its "reason".  The
 * answer is printed as JSON with --json, else told by `say`.  Returns the exit code. */
int act_send(const struct call *call, const char *method, const char *path, json_t *wish,
             void (*say)(const struct call *call, const json_t *answer))
    __attribute__((warn_unused_result));
