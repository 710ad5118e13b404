/* queue/vitals.h - the metrics that every program has: build, readiness, loop lag, clock, process
 */
#pragma once

#include "queue/database.h"

void vitals_register(void);
/* Measures from now on how late the loop is, and shows is_ready() and the database's clock. */
void vitals_watch(uv_loop_t *loop, struct database *database, bool (*is_ready)(void *owner),
                  void *owner);
int64_t vitals_lag_us(void); /* how late the loop was last */
