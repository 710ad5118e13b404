/* queue/dead_drain.h - empties docket.dead: the broker's dead letters are hints, too
 *
 *     message ─► names a task of ours: it is watched, and looked at now (queue/sweeper.h); that the
 *                broker gave up proves nothing about the task, since one crash counts against every
 *                message in flight
 *             ─► names none, or cannot be read: a row of dead_letter, for a person
 *     committed ─► acked
 *
 * A crash before the ack: the message comes again; a hint is harmless, a row is not made twice.
 */
#pragma once

#include <stdint.h>
#include <uv.h>

#include "base/amqp.h"
#include "queue/errand.h"

enum { DEAD_DRAIN_PREFETCH = 50 };

struct dead_drain;

struct dead_drain_options {
    const struct pg_server *server;
    const char *amqp;
    void (*on_fenced)(void *owner); /* the lease is somebody else's: nothing was done */
    void *owner;
};

struct dead_drain *dead_drain_create(uv_loop_t *loop, const struct dead_drain_options *options);
/* Consumes only while the lease is held. */
void dead_drain_begin(struct dead_drain *drain, int64_t fence);
void dead_drain_end(struct dead_drain *drain);
/* Then the drain is gone. */
void dead_drain_close(struct dead_drain *drain, void (*on_closed)(void *owner), void *owner);
void dead_drain_register_metrics(void);
