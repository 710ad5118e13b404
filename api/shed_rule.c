#include "api/shed_rule.h"

#include <limits.h>

static void begin_shedding(struct shed_rule *rule)
{
    rule->is_shedding = true;
    rule->standing_since_us = rule->calm_since_us = 0;
}

static void end_shedding(struct shed_rule *rule)
{
    rule->is_shedding = false;
    rule->standing_since_us = rule->calm_since_us = 0;
}

static bool has_lasted(int64_t *since_us, int64_t now_us, bool is_so)
{
    if (!is_so) {
        *since_us = 0;
        return false;
    }
    if (*since_us == 0)
        *since_us = now_us;
    return now_us - *since_us >= SHED_INTERVAL_US;
}

void shed_rule_on_taken(struct shed_rule *rule, int64_t now_us, int left, int64_t youngest_us)
{
    bool is_standing = left > 0 && youngest_us > rule->delay_us;
    bool is_calm = left == 0 && !rule->was_refused;

    rule->was_refused = false;
    if (!rule->is_shedding) {
        if (has_lasted(&rule->standing_since_us, now_us, is_standing))
            begin_shedding(rule);
    } else if (has_lasted(&rule->calm_since_us, now_us, is_calm)) {
        end_shedding(rule);
    }
}

/* Small batches are over sooner; then it is thought that more could be done than is true, and more
 * are let wait, until the batches are full and tell. */
void shed_rule_on_committed(struct shed_rule *rule, int count, int64_t took_us)
{
    (void)count;
    rule->batch_us = rule->batch_us == 0 ? took_us : (3 * rule->batch_us + took_us) / 4;
    if (rule->batch_us == 0)
        rule->batch_us = 1;
}

int shed_rule_room(const struct shed_rule *rule)
{
    int64_t delay_us = rule->is_shedding ? rule->delay_us : rule->delay_us * SHED_BURST_TIMES;
    int64_t room = delay_us * rule->batch_max / (rule->batch_us ? rule->batch_us : SHED_COMMIT_US);

    if (room < rule->batch_max)
        room = rule->batch_max;
    return room < INT_MAX ? (int)room : INT_MAX;
}

/* The batch in flight, those before its own, and its own. */
static int64_t answer_us(const struct shed_rule *rule, int waiting)
{
    return (int64_t)(waiting / rule->batch_max + 2) * rule->batch_us;
}

bool shed_rule_takes(struct shed_rule *rule, int waiting, int64_t patience_us)
{
    bool takes = waiting < shed_rule_room(rule) && patience_us > 0 &&
                 (waiting == 0 || answer_us(rule, waiting) <= patience_us);

    rule->was_refused |= !takes;
    return takes;
}

bool shed_rule_pushes_back(const struct shed_rule *rule, int64_t lag_us)
{
    return rule->is_shedding && lag_us > SHED_LAG_US;
}
