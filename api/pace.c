#include "api/pace.h"

#include <stddef.h>

#include "base/memory.h"

/* One more time the pause for each so many that wait, and for each so late a loop. */
enum { WAITING_STEP = 500, LAG_US_STEP = 25000, TIMES_MOST = 8 };

static int64_t by_age(int64_t age_ms)
{
    static const struct {
        int64_t age_ms, poll_ms;
    } steps[] = {{10000, POLL_MS_LEAST}, {60000, 2000}, {600000, 5000}, {21600000, 15000}};

    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        if (age_ms < steps[i].age_ms)
            return steps[i].poll_ms;
    }
    return POLL_MS_MOST;
}

int64_t pace_poll_ms(int64_t age_ms, const struct load *load)
{
    int64_t times = 1 + load->waiting / WAITING_STEP + load->lag_us / LAG_US_STEP;
    int64_t poll_ms = by_age(age_ms) * (times > TIMES_MOST ? TIMES_MOST : times);

    return poll_ms > POLL_MS_MOST ? POLL_MS_MOST : poll_ms;
}
