/* queue/replay_rule.h - what a replay run does next: release so many, wait, stop, or be done
 *
 * A run goes up its ramp, step by step (1, 5, 20, …; the last size is repeated).  A step is over
 * when all of it was released and no outcome that is still missing could break the stop rule any
 * more; only then the next one begins.  An outcome is a dead letter that was resolved, or is dead
 * again.
 *
 *     more than stop_share % of the step are dead again      STOPPED   by itself, for a person
 *     the step has room, and the rate                        RELEASED
 *     … but not yet                                          WAITED
 *     the step was released, its outcomes are to come        WAITED
 *     what the next member needs is held back                WAITED    (queue/breaker.h)
 *     all were released, and every outcome is known          DONE
 *
 * So stragglers (a customer who has to confirm, a provider that answers late) hold a run up only
 * while they matter: with a share of 20 %, a step of 5 goes on with 4 good outcomes.  A share of
 * 100 % can never be broken, so such a run is bound by its rate alone.
 *
 * Pure; times are the database's, in µs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "queue/portion.h"

enum { REPLAY_RAMP_MAX = 20, REPLAY_STOP_NEVER = 100 };

struct replay_sight {
    int64_t now_us, paced_us; /* up to paced_us the rate is used up */

    int32_t rate;                  /* letters a second; 0: as fast as it goes */
    int32_t ramp[REPLAY_RAMP_MAX]; /* each ≥ 1 */
    int32_t ramp_count;            /* ≥ 1 */
    int32_t stop_share;            /* percent */

    int64_t members, released, skipped;
    int64_t ended; /* of the released: their outcome is known */

    int32_t ramp_at;
    int64_t step_released, step_succeeded, step_failed; /* of the step under way */

    bool is_held_back; /* what the next member's step calls is away, or paused */
};

enum replay_act { REPLAY_WAITED, REPLAY_RELEASED, REPLAY_STOPPED, REPLAY_DONE };

struct replay_decision {
    enum replay_act act;
    int32_t count;    /* to release, PORTION_MOST at most */
    bool begins_step; /* with them the step at ramp_at begins */
    int32_t ramp_at;
    int64_t paced_us; /* the rate was used up until then, before these */
    int64_t rest_us;  /* of what waits: look again; at most a second */
};

struct replay_decision replay_rule(const struct replay_sight *sight);

/* How long a run takes if nothing fails and each outcome is known after outcome_ms. */
int64_t replay_rule_least_ms(const struct replay_sight *sight, int64_t outcome_ms);
