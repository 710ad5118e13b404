/* queue/sweep_rule.h - what the sweeper does about one task that a message was published for
 *
 *     done, waiting, parked, dead      DROPPED   nothing is owed to it
 *     running, its worker is alive     KEPT
 *     running, its worker is gone      RELEASED  ready again, crashes+1: at once eligible
 *     ready, too early                 KEPT      the interval doubles with each sweep of the task
 *     ready, the broker was away since REARMED   what we knew of the queue counts no more: messages
 *                                                given out may be back in it
 *     ready, the broker may hold it    KEPT      for as long as it takes
 *     ready, it cannot                 SWEPT     published again, sweeps+1
 *
 * The broker cannot hold a confirmed message if its queue was seen empty after the confirm, or if a
 * message published after the confirm has been claimed: queues give out in order.  While the broker
 * is away nothing can be known, and nothing is swept.  Pure; times are the database's, in µs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "schema/order_state.h"

enum { SWEEP_DOUBLINGS_MAX = 10, SWEEP_LOOKS_MAX = 8, SWEEP_SURELY_GONE = -1 };

struct sweep_sight {
    int64_t now_us, interval_us;

    enum task_state state;
    int32_t sweeps;
    bool is_holder_gone; /* of a running one */

    int64_t confirmed_us;   /* its message: not before */
    int64_t published_upto; /* what draws an id above was published later; SWEEP_SURELY_GONE: a dead
                               letter of the broker, so no queue holds it */
    int64_t claimed_upto;   /* of its stage */

    bool is_broker_ready;
    int64_t broker_since_us; /* when its connection was made: not before it */
    int64_t seen_empty_us;   /* its queue was empty after that; 0: never seen */
};

enum sweep_act { SWEEP_DROPPED, SWEEP_KEPT, SWEEP_REARMED, SWEEP_RELEASED, SWEEP_SWEPT };

/* look_in_us: of what is kept or rearmed, when to look again. */
enum sweep_act sweep_rule(const struct sweep_sight *sight, int64_t *look_in_us);
