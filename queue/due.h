/* queue/due.h - waiting tasks whose time has come become ready, and are published
 *
 *     waiting ──due_at has passed──► ready + outbox row + event `due`   (one statement a portion)
 *
 * An order that somebody else holds is passed over and found by the next look.  A crash at any
 * point: the statement happened as a whole or not at all.
 */
#pragma once

#include <stdint.h>
#include <uv.h>

#include "queue/duty.h"

enum { DUE_MS_LEAST = 200, DUE_MS_MOST = 1000 };

struct due;

struct due *due_create(uv_loop_t *loop, const struct duty_world *world);
void due_destroy(struct due *due); /* NULL is fine */
void due_begin(struct due *due, int64_t fence);
void due_end(struct due *due);
void due_register_metrics(void);
