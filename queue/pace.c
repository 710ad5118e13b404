#include "queue/pace.h"

uint64_t pace_wait_ns(struct pace *pace, uint64_t now_ns)
{
    const uint64_t burst_ns = PACE_BURST * pace->every_ns;
    uint64_t settled_ns = (pace->settled_ns > now_ns ? pace->settled_ns : now_ns) + pace->every_ns;

    if (settled_ns - now_ns > burst_ns)
        return settled_ns - now_ns - burst_ns;
    pace->settled_ns = settled_ns;
    return 0;
}
