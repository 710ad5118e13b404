/* base/pg_link.h - one Postgres connection that lives on the event loop
 *
 * A link finds its server, connects, greets it, prepares its statements and stays in pipeline mode.
 * When the server goes away the link rests, then begins again, for as long as it exists:
 *
 *     RESTING ─timer─► RESOLVING ─► CONNECTING ─► PREPARING ─► READY
 *        ▲                 │             │            │           │
 *        └─────────────────┴─────────────┴──lost──────┴───────────┘
 *
 * The owner is never told anything from inside a call it made itself, so every function here is
 * safe anywhere, callbacks included.  What lies between two Syncs is one implicit transaction:
 * committed if and only if on_synced comes with no fault among the results before it and is not
 * `doubtful` (a cancelled wait for the standby: SQLSTATE 01000, libpq reports success).
 */
#pragma once

#include <libpq-fe.h>
#include <uv.h>

#include "base/fault.h"
#include "base/pg_params.h"

struct pg_link;

struct pg_statement {
    const char *name;
    const char *sql;
};

struct pg_link_events {
    void (*on_ready)(void *owner);
    /* One for each statement sent: rows, a fault, or PGRES_PIPELINE_ABORTED for one that was
     * skipped after a fault; and one more fault if the commit itself fails.  Lent for the call,
     * binary. */
    void (*on_result)(void *owner, const PGresult *result);
    void (*on_synced)(void *owner, bool doubtful);
    /* Nothing sent and not yet synced will be answered; what its fate was, nobody knows.  Only
     * after on_ready. */
    void (*on_lost)(void *owner, const struct fault *fault);
    /* All may be NULL: a NOTIFY came; connecting failed (for readiness; the link keeps trying). */
    void (*on_notify)(void *owner, const char *channel, const char *payload);
    void (*on_failed)(void *owner, const struct fault *fault);
};

/* Where, and whether we want the one that answers. */
struct pg_server {
    const char *conninfo;
    /* Run once after connecting, before anything is prepared; accept() reads its rows and may
     * refuse the server (the wrong settings, no schema).  NULL: any will do. */
    const struct pg_statement *greeting;
    bool (*accept)(void *owner, const PGresult *result, struct fault *fault);
    void *owner; /* of accept */
};

struct pg_link_options {
    const struct pg_server *server;
    const struct pg_statement *const *statements; /* to prepare; NULL ends */
    const char *listen; /* SQL run after preparing ("LISTEN docket_work"), or NULL */
};

/* options' pointers, events and owner must outlive the link. */
struct pg_link *pg_link_create(uv_loop_t *loop, const struct pg_link_options *options,
                               const struct pg_link_events *events, void *owner);
void pg_link_destroy(struct pg_link *link); /* tells nothing more; also from inside an event */

bool pg_link_is_ready(const struct pg_link *link);
/* All need a ready link; results come in the order of sending. */
void pg_link_send(struct pg_link *link, const struct pg_statement *statement,
                  const struct pg_params *params);
/* Until the link is lost: prepares a statement, or has the server forget it.  Each is answered like
 * a statement, with PGRES_COMMAND_OK, and needs no longer be there afterwards. */
void pg_link_prepare(struct pg_link *link, const char *name, const char *sql);
void pg_link_forget(struct pg_link *link, const char *name);
void pg_link_flush_request(struct pg_link *link); /* results of what was sent, without a commit */
void pg_link_sync(struct pg_link *link);
/* Gives the connection up (it waited too long, or the server is the wrong one): lost, as if the
 * server had closed it; on_lost comes on a later turn of the loop. */
void pg_link_abandon(struct pg_link *link, const char *reason);

void pg_link_register_metrics(void); /* of all links of the process */
