/* schema/month.h - a statement as it stands, and on one month's own tables
 *
 * What belongs to an order is partitioned by its month (DESIGN.md §4).  Postgres locks and opens
 * every month's tables before it knows which of them a statement needs, so that a lone order pays
 * for all months that are kept.  The same statement on one month's own tables pays for one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/pg_link.h"
#include "schema/order_id.h"

struct month_statement {
    struct pg_statement all; /* whatever months its orders are of */
    const char *marked;      /* the same text, with MONTH_MARK behind each table of a month */
};

enum { MONTH_MARK = 1, MONTH_SIZE = sizeof("_2026_11") };

/* The month of all ids between the two, in UTC, as its tables' names end.  False: they are of
 * several, or neither of the month of now nor of the one before, which alone are never taken away
 * (docket migrate retire). */
bool month_of_span(const struct order_span *span, int64_t now_ms, char month[MONTH_SIZE]);

/* Is it the month of now, or the one before or after it? */
bool month_is_near(const char *month, const char *now);

/* The text on that month's own tables.  The caller frees it. */
char *month_sql(const struct month_statement *statement, const char *month);
