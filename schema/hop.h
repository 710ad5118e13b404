/* schema/hop.h - the part of an order's way that no event of its books tells
 *
 * A claim's message, from its publishing to its delivery; or a step's calls to the outside, from
 * the first to the last answer.  It goes into the event that follows (order_event.hop), in the
 * statement that writes that event anyway.
 */
#pragma once

#include <stdint.h>

struct hop {
    int64_t from_us, to_us; /* by the database's date; from_us 0: unknown, or there was none */
};
