/* queue/replay.h - replay runs: many dead letters go on where they gave up, at a pace
 *
 *     filling ─its members are frozen─► running ──every outcome is known──► done
 *                                       │  ▲  └──too many failed again──► stopped ─resume─► running
 *                                  pause│  │resume
 *                                       ▼  │                (cancel: from any of them ─► canceled)
 *                                      paused
 *
 * A run is rows (replay_run, replay_item); the relay that leads executes it, operators change it
 * through the API.  Each round adds what became of released letters (a trigger on dead_letter
 * writes it down in the transaction that decides it), reads the runs that go on, and does for each
 * what replay_rule says: one statement, which does nothing unless the lease's fence and the run's
 * version are what they were.  So an operator's act takes effect with its commit: nothing is
 * released after a pause or a cancel was answered.
 *
 * A letter is in one run's hands at a time: it is released by the compare-and-set of its order,
 * task and state, as a single replay is.  A crash at any point: each statement happened as a whole
 * or not at all, and the next relay goes on from the rows.
 */
#pragma once

#include <stdint.h>
#include <uv.h>

#include "queue/duty.h"

enum { REPLAY_RUNS_MAX = 100, REPLAY_PAGE = 5000 };
enum { REPLAY_MS_LEAST = 20, REPLAY_MS_MOST = 500 };

struct replay;

struct replay *replay_create(uv_loop_t *loop, const struct duty_world *world);
void replay_destroy(struct replay *replay); /* NULL is fine */
void replay_begin(struct replay *replay, int64_t fence);
void replay_end(struct replay *replay);
void replay_register_metrics(void);
