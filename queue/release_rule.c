#include "queue/release_rule.h"

int64_t release_pause_ms(const struct release_policy *policy, int32_t opens)
{
    int64_t pause_ms = opens > 0 ? policy->pause_ms : 0; /* what an operator held goes on at once */

    for (int32_t n = 1; n < opens && pause_ms < policy->pause_max_ms; n++)
        pause_ms *= 2;
    return pause_ms < policy->pause_max_ms ? pause_ms : policy->pause_max_ms;
}

static void enter(struct release_step *step, enum breaker_state state, int32_t rate, int64_t count)
{
    step->state = state;
    step->rate = rate;
    step->count = (int32_t)(count < PORTION_MOST ? count : PORTION_MOST);
}

/* A tick of silence is as much as a tick of work: what was not let out then is let out now. */
static void ramp(const struct release_sight *sight, struct release_step *step)
{
    int64_t idle_ms = sight->idle_ms < RELEASE_STEP_MS ? sight->idle_ms : RELEASE_STEP_MS;
    bool goes_well = sight->goods * 2 >= sight->released;
    int32_t rate = sight->rate;

    if (sight->since_ms >= RELEASE_STEP_MS && goes_well && rate < RELEASE_RATE_MOST)
        rate *= 2;
    enter(step, BREAKER_RAMPING, rate, rate * idle_ms / 1000);
    if (rate != sight->rate && step->count == 0)
        step->count = 1;
}

void release_rule(const struct release_sight *sight, const struct release_policy *policy,
                  struct release_step *step)
{
    enter(step, sight->state, sight->rate, 0);
    switch (sight->state) {
    case BREAKER_CLOSED:
        step->count = PORTION_MOST;
        return;
    case BREAKER_OPEN:
        if (!sight->is_held && sight->since_ms >= release_pause_ms(policy, sight->opens))
            enter(step, BREAKER_PROBING, 0, 1);
        return;
    case BREAKER_PROBING:
        if (sight->goods > 0)
            enter(step, BREAKER_RAMPING, RELEASE_RATE_FIRST, RELEASE_RATE_FIRST);
        else if (!sight->is_probe_out && sight->is_empty)
            enter(step, BREAKER_CLOSED, 0, PORTION_MOST);
        else if (!sight->is_probe_out)
            step->count = 1;
        return;
    case BREAKER_RAMPING:
        if (sight->is_empty)
            enter(step, BREAKER_CLOSED, 0, PORTION_MOST);
        else
            ramp(sight, step);
        return;
    }
}
