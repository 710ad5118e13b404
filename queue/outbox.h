/* queue/outbox.h - reads the outbox from a safe floor, and hands every row to be published
 *
 *     poll ─► rows ─► publish_take() … until there is no room
 *      ▲       │ cut short by the limit: at once again;  some: after POLL_MS_LEAST
 *      └───────┘ none: twice as long each time, POLL_MS_MOST at most;  docket_work: now
 *
 * Which rows a poll reads, and why none is ever skipped: queue/floor.h.  Only who holds the lease
 * polls.  While the broker is away or blocked, or as many messages are unconfirmed as may be,
 * nothing is read: what is in memory stays bounded, and the outbox waits in Postgres.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "queue/errand.h"
#include "queue/publish.h"

enum { OUTBOX_POLL_MS_LEAST = 5, OUTBOX_POLL_MS_MOST = 50 };

struct outbox;

struct outbox *outbox_create(uv_loop_t *loop, const struct pg_server *server,
                             struct publish *publish);
void outbox_destroy(struct outbox *outbox); /* NULL is fine */

void outbox_begin(struct outbox *outbox);   /* the lease was taken */
void outbox_end(struct outbox *outbox);     /* the lease was lost, or the process ends */
void outbox_wake(struct outbox *outbox);    /* there may be rows to read */
void outbox_on_room(struct outbox *outbox); /* there may be room for them */

/* The lowest of the topics that were ever read; 0: none was. */
int64_t outbox_floor(const struct outbox *outbox);
void outbox_register_metrics(void);
