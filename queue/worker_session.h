/* queue/worker_session.h - this process's lease: what others look at before they take its tasks
 * over
 *
 * A row worker(id, alive_until) on the database's clock, renewed each second and 10 s long, and a
 * session advisory lock on the id.  Killed: the lock is free at once.  Frozen: alive_until passes.
 *
 *     CONNECTING ─► BEGINNING ─► ALIVE ─(link lost, lease lapsed, row gone)─► CONNECTING, with a
 * new id
 *
 * A session that was lost is never resumed: whatever was claimed under its id may be somebody
 * else's, so each has an epoch, and calls to the outside ask worker_session_may_send() directly
 * before their first byte.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "queue/breaker_rule.h"
#include "queue/errand.h"
#include "schema/order_state.h"

enum { WORKER_LEASE_MS = 10000, WORKER_BEAT_MS = 1000 };

struct worker_session;

struct worker_session_options {
    const struct pg_server *server;
    const char *process; /* "payment-1234" */
    enum stage stage;
    bool starts_paused; /* the stage's queue is paused with the first lease */
    /* What holds the stage back, as each beat tells; the first time before on_begun. */
    void (*on_view)(void *owner, const struct breaker_view *view);
    void (*on_begun)(void *owner);
    void (*on_ended)(void *owner);
    void *owner;
};

struct worker_session *worker_session_create(uv_loop_t *loop,
                                             const struct worker_session_options *options);
void worker_session_beat(struct worker_session *session);    /* now, instead of in a second */
void worker_session_destroy(struct worker_session *session); /* its lock is free at once */

bool worker_session_is_alive(const struct worker_session *session);
const uint8_t *worker_session_id(const struct worker_session *session); /* 16 bytes; may change */
uint64_t worker_session_epoch(const struct worker_session *session);    /* rises with each id */
/* May a call be made for what was claimed in this epoch?  A second of the lease must be left. */
bool worker_session_may_send(const struct worker_session *session, uint64_t epoch);
/* A message of this outbox row was claimed: the sweeper learns of it with the next beat. */
void worker_session_note_claimed(struct worker_session *session, int64_t outbox_id);
