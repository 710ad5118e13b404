#include "queue/breaker_rule.h"

#include <stddef.h>
#include <string.h>

enum { RAMPING_FAILURES = 2, SHARE_CALLS = 4 };

const char *breaker_state_name(enum breaker_state state)
{
    switch (state) {
    case BREAKER_CLOSED:
        return "closed";
    case BREAKER_OPEN:
        return "open";
    case BREAKER_PROBING:
        return "probing";
    case BREAKER_RAMPING:
        return "ramping";
    }
    return "?";
}

bool breaker_is_failure(enum breaker_evidence evidence)
{
    return evidence > BREAKER_GOOD;
}

const char *breaker_class(enum breaker_evidence evidence)
{
    switch (evidence) {
    case BREAKER_NOTHING:
    case BREAKER_GOOD:
        break;
    case BREAKER_CONNECT:
        return "connect";
    case BREAKER_TIMEOUT:
        return "timeout";
    case BREAKER_SERVER_ERROR:
        return "server_error";
    case BREAKER_RATE_LIMIT:
        return "rate_limit";
    }
    return NULL;
}

/* --- counting ----------------------------------------------------------------------------------
 */

void breaker_count_reset(struct breaker_count *count)
{
    uint64_t goods = count->goods, ticks = count->ticks;

    memset(count, 0, sizeof(*count));
    count->goods = goods;
    count->ticks = ticks;
}

static int64_t slice_number(const struct breaker_policy *policy, uint64_t now_ms)
{
    int64_t slice_ms = policy->window_ms / BREAKER_SLICES;

    return (int64_t)now_ms / (slice_ms > 0 ? slice_ms : 1);
}

static struct breaker_slice *slice_of(struct breaker_count *count,
                                      const struct breaker_policy *policy, uint64_t now_ms)
{
    int64_t number = slice_number(policy, now_ms);
    struct breaker_slice *slice = &count->slices[number % BREAKER_SLICES];

    if (slice->number != number)
        *slice = (struct breaker_slice){.number = number};
    return slice;
}

void breaker_count_good(struct breaker_count *count, const struct breaker_policy *policy,
                        uint64_t now_ms)
{
    slice_of(count, policy, now_ms)->good++;
    count->goods++;
    count->in_row = 0;
}

/* What failed longer than a window ago is no part of a row. */
void breaker_count_failure(struct breaker_count *count, const struct breaker_policy *policy,
                           uint64_t now_ms)
{
    slice_of(count, policy, now_ms)->failed++;
    if (count->in_row > 0 && now_ms - count->last_failed_ms > (uint64_t)policy->window_ms)
        count->in_row = 0;
    if (count->in_row++ == 0)
        count->row_since_ms = now_ms;
    count->last_failed_ms = now_ms;
}

static bool has_share(const struct breaker_count *count, const struct breaker_policy *policy,
                      uint64_t now_ms)
{
    int64_t oldest = slice_number(policy, now_ms) - BREAKER_SLICES + 1, good = 0, failed = 0;

    for (int i = 0; i < BREAKER_SLICES; i++) {
        if (count->slices[i].number < oldest)
            continue;
        good += count->slices[i].good;
        failed += count->slices[i].failed;
    }
    return good + failed >= SHARE_CALLS * policy->failures &&
           failed * 100 >= policy->percent * (good + failed);
}

bool breaker_count_trips(const struct breaker_count *count, const struct breaker_policy *policy,
                         enum breaker_state state, uint64_t now_ms)
{
    switch (state) {
    case BREAKER_CLOSED:
        break;
    case BREAKER_OPEN:
        return false;
    case BREAKER_PROBING:
        return count->in_row > 0;
    case BREAKER_RAMPING:
        return count->in_row >= RAMPING_FAILURES;
    }
    if (count->in_row >= policy->failures && now_ms - count->row_since_ms >= BREAKER_SETTLE_MS)
        return true;
    return count->in_row > 0 && has_share(count, policy, now_ms);
}

/* --- deciding ----------------------------------------------------------------------------------
 */

bool breaker_admits(const struct breaker_view *view, int64_t pass)
{
    return view->state == BREAKER_CLOSED || pass >= view->opened;
}

enum breaker_verdict breaker_judge(const struct breaker_doubt *doubt,
                                   const struct breaker_view *view,
                                   const struct breaker_count *count, uint64_t now_ms)
{
    uint64_t patience_ms = view->state == BREAKER_CLOSED ? BREAKER_DOUBT_MS : BREAKER_DOUBT_LONG_MS;

    if (view->opened > doubt->opened) /* the call was begun before */
        return DOUBT_OUTAGE;
    if (count->goods > doubt->goods)
        return DOUBT_OWN;
    if (now_ms - doubt->since_ms >= patience_ms &&
        count->ticks - doubt->since_ticks >= BREAKER_DOUBT_TICKS)
        return DOUBT_UNCLEAR;
    return DOUBT_STANDS;
}
