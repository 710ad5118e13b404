/* api/pace.h - how long a client that polls is asked to wait before it asks again */
#pragma once

#include <stdint.h>

enum { POLL_MS_LEAST = 1000, POLL_MS_MOST = 60000 };

/* What this process has to do just now. */
struct load {
    int waiting;    /* orders and reads that wait for their batch */
    int64_t lag_us; /* how late the event loop was last */
};

/* The older the order, the longer its next change takes; the more there is to do, the less is it
 * asked for. */
int64_t pace_poll_ms(int64_t age_ms, const struct load *load);
