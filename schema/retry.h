/* schema/retry.h - when a failed call is made again: one pure function
 *
 * Exponential with full jitter, capped: the pause before attempt n+1 is uniform in
 * (0, min(max_ms, base_ms · 2^n)], and never shorter than the other side asked for.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"

struct retry_policy {
    int64_t base_ms, max_ms;
    int32_t attempts_max; /* the last one that is made */
};

/* attempts: how many have failed, this one included.  retry_after_ms: -1 if nobody asked.
 * False: no further attempt (REFUSED and BROKEN never get one; UNKNOWN always does, since giving up
 * would forget what may have happened). */
bool retry_decide(const struct retry_policy *policy, enum fault_kind kind, int32_t attempts,
                  int64_t retry_after_ms, uint32_t random, int64_t *pause_ms)
    __attribute__((warn_unused_result));
