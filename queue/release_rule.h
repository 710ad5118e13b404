/* queue/release_rule.h - how many parked tasks are let out now, and what their breaker becomes
 *
 *     OPEN     its pause is over ───────────────────► PROBING, one task
 *     PROBING  the probe was answered ──────────────► RAMPING, RELEASE_RATE_FIRST tasks a second
 *              the probe showed nothing ────────────► one more
 *     RAMPING  a second later, and half of what was let out was answered ──► twice the rate
 *     any of them, with nothing parked any more ────► CLOSED
 *     CLOSED   whatever is parked yet ──────────────► out, a page at a time
 *
 * The pause doubles with each opening in a row.  The rate follows what the outside answers, so
 * what it cannot take yet stays parked, in the order of acceptance.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "queue/breaker_rule.h"
#include "queue/portion.h"

enum { RELEASE_RATE_FIRST = 2, RELEASE_RATE_MOST = 100000, RELEASE_STEP_MS = 1000 };

struct release_policy {
    int64_t pause_ms, pause_max_ms;
};

struct release_sight {
    enum breaker_state state;
    bool is_held;     /* by an operator */
    int64_t since_ms; /* since it was opened, or its rate changed */
    int32_t opens;    /* in a row */
    int32_t rate;
    int64_t released, goods; /* since it was opened */
    bool is_probe_out;       /* the probe's task is ready or running */
    bool is_empty;           /* the last look saw that nothing is parked */
    int64_t idle_ms;         /* since tasks were let out last */
};

struct release_step {
    enum breaker_state state;
    int32_t rate;
    int32_t count; /* let out so many at most, PORTION_MOST; 0: nothing is to be done, also not
                    * written */
};

void release_rule(const struct release_sight *sight, const struct release_policy *policy,
                  struct release_step *step);
int64_t release_pause_ms(const struct release_policy *policy, int32_t opens);
