/* queue/portion.h - how many orders a statement of the relay moves at once
 *
 * It holds their rows for as long as it takes, and a customer who cancels one of them waits.  How
 * long that is depends on where the rows lie: what was touched a minute ago goes in microseconds,
 * a retry of last week is read from the disk.  So the next portion is half as large after one that
 * took longer than PORTION_MS, and twice as large after a whole one that took less than a quarter
 * of that.  Pure.
 */
#pragma once

#include <stdint.h>

enum { PORTION_MS = 100, PORTION_LEAST = 10, PORTION_FIRST = 50, PORTION_MOST = 500 };

/* After a portion of this size, of which so many were moved, that took so long: the next. */
int portion_next(int portion, int moved, uint64_t took_ms);
