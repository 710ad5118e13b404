/* queue/lease.h - one relay at a time: a row with a holder, a fence and an end, on the database's
 * clock
 *
 *     STANDBY ──its end has passed, or its holder is gone──► HELD ──renewed each second──► HELD
 *        ▲                                   │
 *        └── not renewed in time, or another has it ──┘
 *
 * A holder whose session has ended is followed at once (a session advisory lock on its id tells);
 * one that is frozen keeps its session, and is waited out.  The lease lasts LEASE_MS.  Its holder
 * believes in it for less, counted on its own monotonic clock from before it asked, so it steps
 * down before another can take over.  A holder that was frozen, or whose link was lost, does not
 * know; therefore each statement it sends carries the fence, which rises with each change of
 * holder, and does nothing under an old one.
 *
 * The fence is compared, not locked: a lock on this row would make the renewal, and a take-over,
 * wait for whatever a frozen relay or a slow statement holds.  What is left is a statement that
 * began under the old fence and commits just after the change; each of them is also conditional on
 * the rows it changes (a state, under the order's lock), so it does no harm.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "queue/errand.h"

enum { LEASE_MS = 3000, LEASE_RENEW_MS = 1000, LEASE_ASK_MS = 250, LEASE_MARGIN_MS = 500 };

struct lease;

struct lease_events {
    void (*on_taken)(void *owner, int64_t fence);
    void (*on_lost)(void *owner);
};

struct lease *lease_create(uv_loop_t *loop, const struct pg_server *server,
                           const struct lease_events *events, void *owner);
void lease_destroy(struct lease *lease); /* NULL is fine */

bool lease_is_held(const struct lease *lease);
bool lease_is_connected(const struct lease *lease); /* to Postgres */
/* Another was seen to have it: steps down now. */
void lease_doubt(struct lease *lease);
/* Gives it back, so that another takes over at once; on_released once, also if that failed. */
void lease_release(struct lease *lease, void (*on_released)(void *owner));

/* The database's clock, µs since 1970: never ahead of it, and never behind it. */
int64_t lease_clock_least_us(const struct lease *lease);
int64_t lease_clock_most_us(const struct lease *lease);
