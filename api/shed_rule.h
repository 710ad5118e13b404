/* api/shed_rule.h - how many new orders may wait: a bound on their delay, not on their number
 *
 * Time is spent in batches: one is being committed, and what waits goes with the next.  As long as
 * all that waits fits into the next batch, an order waits for one commit at most, and nothing is to
 * be done.  What does not fit is a standing queue, and its delay is what is bounded:
 *
 *     CALM ──(a batch left some waiting, for longer than `delay`, throughout 100 ms)──► SHEDDING
 *       ▲                                                                                  │
 *       └────────(batches left nothing, and nobody was refused, throughout 100 ms)─────────┘
 *
 * Shedding, as many may wait as are committed within `delay`; calm, within five times that: a burst
 * is taken, and even the first moment of a flood cannot make a long queue.  A whole batch may wait
 * always, so the next one is full while anybody is refused: what is shed costs no throughput.
 *
 * The second rule is for the event loop itself.  A refusal costs time, too; where so many come that
 * the loop is late, those who were refused are not listened to for a moment (push-back).
 *
 * Pure: times are microseconds of any one clock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    SHED_INTERVAL_US = 100000,
    SHED_BURST_TIMES = 5,
    SHED_LAG_US = 20000,
    SHED_COMMIT_US = 10000 /* what a commit is thought to take until one was seen */
};

struct shed_rule {
    int64_t delay_us; /* set by the owner: what may be waited for a batch with room */
    int batch_max;    /* set by the owner */

    bool is_shedding;
    int64_t batch_us;          /* how long a commit takes; 0: none was seen */
    int64_t standing_since_us; /* calm: since when batches leave too much; 0: they do not */
    int64_t calm_since_us;     /* shedding: since when they leave nothing; 0: they do */
    bool was_refused;          /* somebody, since the last batch */
};

/* A batch went out, and left some waiting; its youngest had waited so long. */
void shed_rule_on_taken(struct shed_rule *rule, int64_t now_us, int left, int64_t youngest_us);
/* A batch of `count` was committed. */
void shed_rule_on_committed(struct shed_rule *rule, int count, int64_t took_us);

/* May one more wait behind `waiting` others?  patience_us: what its client has left; one whose
 * answer would come too late is refused at once. */
bool shed_rule_takes(struct shed_rule *rule, int waiting, int64_t patience_us)
    __attribute__((warn_unused_result));
int shed_rule_room(const struct shed_rule *rule); /* how many may wait now */

/* Whether refusing itself has become too much: the loop was that late. */
bool shed_rule_pushes_back(const struct shed_rule *rule, int64_t lag_us);
