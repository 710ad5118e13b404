#include "schema/retry.h"

bool retry_decide(const struct retry_policy *policy, enum fault_kind kind, int32_t attempts,
                  int64_t retry_after_ms, uint32_t random, int64_t *pause_ms)
{
    int64_t most = policy->base_ms;

    if (kind == FAULT_REFUSED || kind == FAULT_BROKEN)
        return false;
    if (kind == FAULT_TRANSIENT && attempts >= policy->attempts_max)
        return false;
    for (int32_t n = 1; n < attempts && most < policy->max_ms; n++)
        most *= 2;
    if (most > policy->max_ms)
        most = policy->max_ms;
    *pause_ms = 1 + (int64_t)((uint64_t)random * (uint64_t)most / ((uint64_t)UINT32_MAX + 1));
    if (*pause_ms < retry_after_ms)
        *pause_ms = retry_after_ms;
    return true;
}
