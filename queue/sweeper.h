/* queue/sweeper.h - sees to every task whose message was confirmed, until it has moved on
 *
 *     page of `published` ─► what each task is now ─► sweep_rule ─► one statement writes it all
 *
 * Any message may be lost by anybody after its confirm: the queue purged or deleted, a consumer
 * dead with it.  What is watched is looked at DOCKET_SWEEP_S after its confirm and then, while
 * nothing changes, less and less often; what a look decides is queue/sweep_rule.h.  Pages are
 * paced.
 *
 * A crash between reading and writing: the page is looked at again.
 */
#pragma once

#include <stdint.h>
#include <uv.h>

#include "base/amqp.h"
#include "queue/duty.h"
#include "queue/lease.h"
#include "schema/stages.h"

enum { SWEEP_ROWS_MAX = 20, SWEEP_MOVES_MAX = 500 };

struct sweeper;

struct sweeper_options {
    struct duty_world world;
    const struct lease *lease; /* for the database's clock */
    int64_t sweep_ms;
};

struct sweeper *sweeper_create(uv_loop_t *loop, const struct sweeper_options *options);
void sweeper_destroy(struct sweeper *sweeper); /* NULL is fine */
void sweeper_begin(struct sweeper *sweeper, int64_t fence);
void sweeper_end(struct sweeper *sweeper);

/* What the publisher's events tell; NULL: the broker is away or takes nothing. */
void sweeper_on_broker(struct sweeper *sweeper, struct amqp_publisher *publisher);
void sweeper_on_broker_lost(struct sweeper *sweeper);
/* Has a stage's queue inspected, unless a question is under way. */
void sweeper_inspect(struct sweeper *sweeper, enum stage stage);
void sweeper_on_inspected(struct sweeper *sweeper, const char *queue, int64_t messages);
void sweeper_register_metrics(void);
