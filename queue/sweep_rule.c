#include "queue/sweep_rule.h"

static int64_t ripe_us(const struct sweep_sight *sight)
{
    int doublings = sight->sweeps < SWEEP_DOUBLINGS_MAX ? sight->sweeps : SWEEP_DOUBLINGS_MAX;

    return sight->confirmed_us + sight->interval_us * ((int64_t)1 << doublings);
}

static bool is_surely_gone(const struct sweep_sight *sight)
{
    return sight->published_upto == SWEEP_SURELY_GONE ||
           sight->seen_empty_us > sight->confirmed_us ||
           sight->claimed_upto > sight->published_upto;
}

/* The longer it has waited, the less often it is looked at. */
static int64_t patience_us(const struct sweep_sight *sight)
{
    int64_t age = sight->now_us - sight->confirmed_us;
    int64_t most = sight->interval_us * SWEEP_LOOKS_MAX;

    return age < sight->interval_us ? sight->interval_us : age > most ? most : age;
}

static enum sweep_act rule_ready(const struct sweep_sight *sight, int64_t *look_in_us)
{
    bool is_broker_asked = sight->published_upto != SWEEP_SURELY_GONE;

    *look_in_us = sight->interval_us;
    if (sight->now_us < ripe_us(sight)) {
        *look_in_us = ripe_us(sight) - sight->now_us;
        return SWEEP_KEPT;
    }
    if (is_broker_asked && !sight->is_broker_ready)
        return SWEEP_KEPT;
    if (is_broker_asked && sight->confirmed_us < sight->broker_since_us)
        return SWEEP_REARMED;
    if (is_surely_gone(sight))
        return SWEEP_SWEPT;
    *look_in_us = patience_us(sight);
    return SWEEP_KEPT;
}

enum sweep_act sweep_rule(const struct sweep_sight *sight, int64_t *look_in_us)
{
    *look_in_us = sight->interval_us;
    switch (sight->state) {
    case TASK_READY:
        return rule_ready(sight, look_in_us);
    case TASK_RUNNING:
        return sight->is_holder_gone ? SWEEP_RELEASED : SWEEP_KEPT;
    case TASK_WAITING:
    case TASK_PARKED:
    case TASK_DONE:
    case TASK_DEAD:
        break;
    }
    return SWEEP_DROPPED;
}
