/* queue/hint_rule.h - how often the relay is told that there is work
 *
 * A hint costs a transaction of its own and two changes of process.  One that is sent at once is
 * worth that to a lone order, but not to each batch of many: HINT_BURST may follow each other at
 * once, and then one each HINT_EVERY_NS.  What is put off tells of all that came meanwhile.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { HINT_BURST = 16, HINT_EVERY_NS = 4000000 };

/* Zeroed: none was sent. */
struct hint_rule {
    uint64_t settled_ns; /* when it will be as if none had been sent */
};

/* 0: send it, it is counted.  Else after so many ns. */
uint64_t hint_rule_wait_ns(struct hint_rule *rule, uint64_t now_ns);
