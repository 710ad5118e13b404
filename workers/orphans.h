/* workers/orphans.h - compares the provider's books with ours, both ways, again and again
 *
 *     RESTING ─► turn ─► list ─► page ─┐ … ─► what was not seen ─► look it up ─► page ─┐ … ─► end
 *                          ▲───────────┘               ▲──────────────────────────────┘
 *
 * Each intent of the window is held against our attempts, and each attempt of the window against
 * the intents; what is missing there is asked for by its id before it is believed.  Differences are
 * rows of `orphan`, resolved when they are gone.  While the queue of payments is paused, intents
 * that name an order whose attempt is missing become its attempt: after a restore
 * (docs/restore.md).
 *
 * One worker at a time; a call at a time.  A crash at any point: another begins anew, and finds the
 * same.
 */
#pragma once

#include <uv.h>

#include "queue/database.h"
#include "schema/settings.h"
#include "workers/providers/provider.h"

struct orphans;

struct orphans_options {
    const struct pg_server *server;
    struct provider *provider;
    const char *process;
    int64_t hours, age_s, every_s;
};

struct orphans *orphans_create(uv_loop_t *loop, const struct orphans_options *options);
void orphans_stop(struct orphans *orphans); /* begins nothing more */
void orphans_destroy(struct orphans *orphans);
void orphans_register_metrics(void);
