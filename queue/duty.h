/* queue/duty.h - a duty of the leading relay: what it does again and again while it leads
 *
 *     RESTING ──its time has come──► on_turn ─► duty_send ┄┄► on_rows, on_done ─► duty_rest
 *
 * One statement at a time on a link of its own (queue/errand.h), paced by what the looks find
 * (queue/scan.h), or by the duty itself.  Each statement carries the lease's fence, so a duty that
 * does not know yet that its relay leads no more does nothing.
 */
#pragma once

#include <uv.h>

#include "queue/errand.h"
#include "queue/hint.h"
#include "queue/portion.h"
#include "queue/scan.h"

struct duty;

struct duty_options {
    const char *name; /* kill points "<name>.commit_before", ".commit_sent", ".commit_after" */
    const struct pg_server *server;
    const struct pg_statement *const *statements; /* NULL ends */
    uint64_t rest_ms_least, rest_ms_most;         /* between two looks that found all there was */
    void (*on_turn)(void *owner);                 /* it leads, and is free: may send */
    void (*on_rows)(void *owner, const PGresult *result);
    void (*on_done)(void *owner, bool is_committed); /* sends again if duty_may_go_on, or rests */
    void *owner;
};

/* What every duty that makes tasks go on is given, and whom it tells. */
struct duty_world {
    const struct pg_server *server;
    struct hint *hint;
    const char *process;            /* for the timeline */
    void (*on_work)(void *owner);   /* the outbox has rows */
    void (*on_fenced)(void *owner); /* the lease is somebody else's: nothing was done */
    void *owner;
};

struct duty *duty_create(uv_loop_t *loop, const struct duty_options *options);
void duty_destroy(struct duty *duty); /* NULL is fine */
void duty_begin(struct duty *duty, int64_t fence);
void duty_end(struct duty *duty);

int64_t duty_fence(const struct duty *duty);
bool duty_may_go_on(const struct duty *duty); /* it leads yet, and is free */
/* A page begins: scan_begin. */
int64_t duty_look(struct duty *duty);
void duty_send(struct duty *duty, const struct pg_statement *statement,
               const struct pg_params *params);
/* So many orders the next statement may move, PORTION_MOST at most. */
int duty_portion(const struct duty *duty);
/* The statement that was sent last is committed, and these orders' tasks are ready; 0: none is. */
void duty_tell_moved(struct duty *duty, const struct duty_world *world,
                     const struct order_id *orders, int count);
/* The look found all there was; what comes next is the duty's own to pace. */
void duty_looked(struct duty *duty);
/* The next turn comes then, whatever was found: of a duty that paces itself. */
void duty_rest_for(struct duty *duty, uint64_t rest_ms);
/* The page has ended: scan_end.  The next turn comes in time. */
void duty_rest(struct duty *duty, int found, int limit, int64_t reached_us);
