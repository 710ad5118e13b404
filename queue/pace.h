/* queue/pace.h - how often something is done that could wait for more of it
 *
 * A transaction of its own and two changes of process are worth it to a lone order, but not to each
 * batch of many: PACE_BURST may follow each other at once, and then one each interval, for all that
 * came meanwhile.  Pure.
 */
#pragma once

#include <stdint.h>

enum { PACE_BURST = 16 };

struct pace {
    uint64_t every_ns;
    uint64_t settled_ns; /* when it will be as if it had never been done; 0: it never was */
};

/* 0: do it, it is counted.  Else after so many ns. */
uint64_t pace_wait_ns(struct pace *pace, uint64_t now_ns);
