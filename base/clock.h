/* base/clock.h - the two clocks
 *
 * Durations and deadlines use the monotonic clock; what is written down uses the wall clock.
 * Leases and due times never use either: those are the database's.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { CLOCK_RFC3339_SIZE = sizeof("2026-11-23T14:00:00.000000Z") };

uint64_t clock_monotonic_ms(void);
uint64_t clock_monotonic_ns(void);
int64_t clock_wall_us(void); /* since 1970-01-01T00:00:00Z */

/* RFC 3339, UTC, microseconds, into a buffer of CLOCK_RFC3339_SIZE. */
void clock_format(int64_t wall_us, char *buffer, size_t size);
/* What clock_format wrote; 0 if it is something else. */
int64_t clock_parse(const char *text);
