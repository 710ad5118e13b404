/* queue/errand.h - one statement at a time on a Postgres link of its own, each a transaction
 *
 * For work that nobody else waits for: polls, leases, sweeps, hints.  What many tickets share is
 * queue/group.h's.
 *
 *     (no link) ──on_ready──► FREE ──errand_send──► BUSY ──on_done──► FREE
 *         ▲                                          │
 *         └──── lost, or out of patience: on_done(false), and on_ready when it is back
 *
 * A crash while BUSY: the statement was committed or not, as a whole; who asks again must be able
 * to (a condition or a fence in the statement).
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/pg_link.h"

struct errand;

struct errand_options {
    const char *name; /* kill points "<name>.commit_before", ".commit_sent", ".commit_after" */
    const struct pg_server *server;
    const struct pg_statement *const *statements; /* NULL ends */
    const char *listen;                           /* SQL, or NULL */
    uint64_t patience_ms;                         /* then the connection is given up */
    void (*on_ready)(void *owner);                /* there is a new connection; may send */
    /* Rows, lent for the call.  Only noted: until on_done they may be rolled back. */
    void (*on_rows)(void *owner, const PGresult *result);
    /* Once for each errand_send, never from inside it; may send again if errand_is_free(). */
    void (*on_done)(void *owner, bool is_committed);
    void (*on_notify)(void *owner, const char *channel, const char *payload); /* or NULL */
    void *owner;
};

/* options are copied; what they point to outlives the errand. */
struct errand *errand_create(uv_loop_t *loop, const struct errand_options *options);
void errand_destroy(struct errand *errand); /* tells nothing more; NULL is fine */

bool errand_is_ready(const struct errand *errand); /* there is a connection */
bool errand_is_free(const struct errand *errand);  /* and it does nothing */
/* Only when free. */
void errand_send(struct errand *errand, const struct pg_statement *statement,
                 const struct pg_params *params);
