/* queue/release.h - parked tasks are let out again, by the leading relay alone
 *
 *     what holds each stage back ─► release_rule ─► ready + pass + outbox row + event `released`
 *
 * Oldest order first: one probe, then at a rate that doubles while it goes well
 * (queue/release_rule.h).  A task that is parked although nothing holds it back (its worker knew
 * less than the table, or died, or a breaker was closed by hand) is let out by the next look, so
 * nothing parked is ever forgotten: each parked task is in the index that is read here.
 *
 * A look reads the index behind the last task that was seen, since what was let out stays there as
 * dead entries until vacuum comes, and now and then from the beginning: who is parked again, or was
 * passed over for a lock, is older than that.
 *
 * A crash at any point: the statement happened as a whole or not at all.
 */
#pragma once

#include <stdint.h>
#include <uv.h>

#include "queue/duty.h"
#include "queue/release_rule.h"

struct release;

struct release_options {
    struct duty_world world;
    struct release_policy policy;
};

struct release *release_create(uv_loop_t *loop, const struct release_options *options);
void release_destroy(struct release *release); /* NULL is fine */
void release_begin(struct release *release, int64_t fence);
void release_end(struct release *release);
void release_register_metrics(void);
