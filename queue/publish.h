/* queue/publish.h - the outbox rows in hand: published, watched until confirmed, settled
 *
 *     read ─► PUBLISHING ─► every message has its verdict ─► all failed: let go of, and read again
 *                                  │                          after its topic's rest
 *                                  └─ some acked ─► SETTLING (one statement, in batches): the row
 * is deleted, what was acked is watched (`published`), what was not is put back as a row of its own
 *
 * A row is deleted only after a quorum has stored its messages.  Each settling carries the lease's
 * fence.  Its commit is asynchronous: a crash of the server may undo a settling, and undoes it as a
 * whole (the row is back, nothing watches it), which costs one publication more.
 *
 * The broker is handed only as much as its queues can do with: a topic whose queue holds
 * PUBLISH_DEPTH_MAX messages rests until an inspection shows fewer, and its rows wait in Postgres.
 * So a backlog of one step holds up no other, and no memory of the broker.
 *
 * A crash at any point: the row is in the outbox and is published again.  Duplicates only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/amqp.h"
#include "queue/database.h"
#include "queue/errand.h"
#include "schema/stages.h"

enum { PUBLISH_DEPTH_MAX = 20000, PUBLISH_ASK_MS = 100 };

struct publish;

/* The columns of outbox_poll.sql. */
enum publish_column {
    PUBLISH_XMIN,
    PUBLISH_XMAX,
    PUBLISH_ID,
    PUBLISH_TOPIC,
    PUBLISH_ORDERS,
    PUBLISH_TRACES,
    PUBLISH_WRITERS
};

struct publish_options {
    const struct database *database; /* server and date */
    int64_t inflight_max;            /* messages without a verdict */
    int64_t sweep_ms;                /* when what was published is looked at first */
    void (*on_room)(void *owner);    /* rows were let go of, or may be published now */
    void (*on_fenced)(void *owner);  /* the lease is somebody else's: nothing was settled */
    void (*on_deep)(void *owner, enum stage topic); /* how deep is its queue now? */
    void *owner;
};

struct publish *publish_create(uv_loop_t *loop, const struct publish_options *options);
void publish_destroy(struct publish *publish); /* NULL is fine */

/* 0: no lease is held; rows in hand are then let go of instead of settled. */
void publish_set_fence(struct publish *publish, int64_t fence);
/* What the publisher's events tell; NULL: it takes nothing now (away, blocked). */
void publish_open(struct publish *publish, struct amqp_publisher *publisher);
void publish_on_settled(struct publish *publish, const struct amqp_settled *settled, size_t count);

/* How many messages may be published now; 0: read nothing. */
int64_t publish_room(const struct publish *publish);
/* Publishes one row of a poll.  False: there is no room for it, nothing was done. */
bool publish_take(struct publish *publish, const PGresult *result, int row)
    __attribute__((warn_unused_result));

/* For the poll: the ids in hand as an array parameter, and the lowest of each topic (INT64_MAX:
 * none). */
void publish_add_in_hand(const struct publish *publish, struct pg_params *params);
void publish_lowest_in_hand(const struct publish *publish, int64_t lowest[STAGE_COUNT]);

/* False: the topic rests, because the broker refused it or has enough of it.  Asks how deep its
 * queue is where that matters; messages: ready in it, -1: nobody knows. */
bool publish_is_open(struct publish *publish, enum stage topic);
void publish_on_inspected(struct publish *publish, const char *queue, int64_t messages);

bool publish_is_idle(const struct publish *publish); /* nothing in hand */
void publish_register_metrics(void);
