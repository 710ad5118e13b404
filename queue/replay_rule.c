#include "queue/replay_rule.h"

enum { SECOND_US = 1000000 };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t remaining(const struct replay_sight *sight)
{
    return sight->members - sight->released - sight->skipped;
}

/* How many letters the step under way is to have. */
static int64_t step_size(const struct replay_sight *sight)
{
    return least(sight->ramp[sight->ramp_at], sight->step_released + remaining(sight));
}

static int64_t step_open(const struct replay_sight *sight)
{
    return sight->step_released - sight->step_succeeded - sight->step_failed;
}

/* Would so many failures of the step under way be too many? */
static bool is_too_many(const struct replay_sight *sight, int64_t failed)
{
    return failed * 100 > step_size(sight) * sight->stop_share;
}

static struct replay_decision wait_for(int64_t rest_us)
{
    return (struct replay_decision){.act = REPLAY_WAITED, .rest_us = least(rest_us, SECOND_US)};
}

/* As many as the step has room for and the rate allows; a second's worth is saved up at most. */
static struct replay_decision release(const struct replay_sight *sight, bool begins_step,
                                      int32_t ramp_at, int64_t room)
{
    struct replay_decision decision = {
        .act = REPLAY_RELEASED,
        .begins_step = begins_step,
        .ramp_at = ramp_at,
        .paced_us = sight->paced_us,
    };
    int64_t count = least(least(room, remaining(sight)), PORTION_MOST);

    if (sight->rate > 0) {
        int64_t allowed;

        if (decision.paced_us < sight->now_us - SECOND_US)
            decision.paced_us = sight->now_us - SECOND_US;
        allowed = (sight->now_us - decision.paced_us) * sight->rate / SECOND_US;
        if (allowed <= 0)
            return wait_for(decision.paced_us + SECOND_US / sight->rate + 1 - sight->now_us);
        count = least(count, allowed);
    }
    decision.count = (int32_t)count;
    return decision;
}

struct replay_decision replay_rule(const struct replay_sight *sight)
{
    int32_t next = sight->ramp_at + 1 < sight->ramp_count ? sight->ramp_at + 1 : sight->ramp_at;
    int64_t room = sight->ramp[sight->ramp_at] - sight->step_released;

    if (is_too_many(sight, sight->step_failed))
        return (struct replay_decision){.act = REPLAY_STOPPED};
    if (remaining(sight) == 0 && sight->ended == sight->released)
        return (struct replay_decision){.act = REPLAY_DONE};
    if (remaining(sight) == 0 || sight->is_held_back)
        return wait_for(SECOND_US);
    if (room > 0)
        return release(sight, false, sight->ramp_at, room);
    if (is_too_many(sight, sight->step_failed + step_open(sight)))
        return wait_for(SECOND_US);
    return release(sight, true, next, sight->ramp[next]);
}

static int64_t step_ms(const struct replay_sight *sight, int64_t size, int64_t outcome_ms)
{
    int64_t paced_ms = sight->rate > 0 ? size * 1000 / sight->rate : 0;

    return paced_ms + (sight->stop_share < REPLAY_STOP_NEVER ? outcome_ms : 0);
}

int64_t replay_rule_least_ms(const struct replay_sight *sight, int64_t outcome_ms)
{
    int64_t rest = remaining(sight), total_ms = 0, last = sight->ramp[sight->ramp_count - 1];

    for (int at = sight->ramp_at; at < sight->ramp_count && rest > 0; at++) {
        int64_t size = least(sight->ramp[at], rest);

        total_ms += step_ms(sight, size, outcome_ms);
        rest -= size;
    }
    total_ms += rest / last * step_ms(sight, last, outcome_ms);
    return rest % last ? total_ms + step_ms(sight, rest % last, outcome_ms) : total_ms;
}
