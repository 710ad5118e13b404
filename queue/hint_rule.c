#include "queue/hint_rule.h"

uint64_t hint_rule_wait_ns(struct hint_rule *rule, uint64_t now_ns)
{
    const uint64_t burst_ns = (uint64_t)HINT_BURST * HINT_EVERY_NS;
    uint64_t settled_ns = (rule->settled_ns > now_ns ? rule->settled_ns : now_ns) + HINT_EVERY_NS;

    if (settled_ns - now_ns > burst_ns)
        return settled_ns - now_ns - burst_ns;
    rule->settled_ns = settled_ns;
    return 0;
}
