/* queue/keeper.h - what the leading relay keeps in order besides: partitions, rows of dead workers,
 * the counters of incidents, and the gauges that only the database knows
 *
 * Partitions for the next KEEPER_MONTHS months are made when the lease is taken and once a day; if
 * there is none for the day in a week, that is an alarm (docket_partitions_missing, and a line in
 * the log): orders would be refused.  What statements changed in dead letters (dead_delta) is
 * folded into `incident` every two seconds, at once while there is more than a page of it.
 */
#pragma once

#include <stdint.h>
#include <uv.h>

#include "queue/errand.h"

enum { KEEPER_MONTHS = 3, KEEPER_MS = 5000 };

struct keeper;

/* floor: from where the outbox has rows (outbox_floor). */
struct keeper *keeper_create(uv_loop_t *loop, const struct pg_server *server,
                             int64_t (*floor)(void *owner), void *owner);
void keeper_destroy(struct keeper *keeper); /* NULL is fine */
void keeper_begin(struct keeper *keeper, int64_t fence);
void keeper_end(struct keeper *keeper);
void keeper_register_metrics(void);
