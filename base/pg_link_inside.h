/* base/pg_link_inside.h - what the parts of base/pg_link.c share
 *
 * pg_link.c        the life of a link: its states, its rest, its socket, its end
 * pg_link_begin.c  from an address to a connection that is greeted and prepared
 * pg_link_work.c   what a ready one sends, and what it is answered
 */
#pragma once

#include <uv.h>

#include "base/pg_address.h"
#include "base/pg_link.h"

enum link_state { LINK_RESTING, LINK_RESOLVING, LINK_CONNECTING, LINK_PREPARING, LINK_READY };

struct pg_link {
    enum link_state state;
    PGconn *conn;     /* NULL while resting and resolving */
    uv_poll_t *watch; /* on the socket of conn */
    int watched;      /* the events it is watched for */
    int wants;        /* the events libpq waits for: UV_READABLE | UV_WRITABLE */
    int syncs_owed;   /* sent and not yet answered */
    int results_owed; /* statements whose result has not come */
    bool is_doubtful; /* a wait for the standby was cancelled in the batch that is being answered */
    bool is_greeted;
    bool is_refused;   /* the batch that is being answered */
    bool has_served;   /* a whole batch, since it was ready */
    uint64_t ready_ms; /* since when it is */
    bool is_abandoned;
    struct fault fault; /* why it will be lost, when we know better than libpq */
    char last_fault[sizeof(((struct fault *)0)->text)]; /* that was logged */
    uv_timer_t *timer; /* rest, or the deadline of connecting; abandoned links end by it, too */
    uint64_t rest_ms;
    struct pg_address *address; /* being resolved */

    uv_loop_t *loop;
    struct pg_link_options options;
    const struct pg_link_events *events;
    void *owner;
};

/* pg_link.c */
/* The only way to change its state. */
void pg_link_enter(struct pg_link *link, enum link_state next);
/* Ends the connection from any state.  on_lost is told only if on_ready had been. */
void pg_link_lose(struct pg_link *link);
/* Follows libpq's descriptor, for the events it wants. */
void pg_link_watch(struct pg_link *link);
void pg_link_end_watch(struct pg_link *link);

/* A state is two functions: enter_x() starts its work, step_x() goes on with it at each event. */
/* pg_link_begin.c */
void pg_link_enter_resolving(struct pg_link *link);
void pg_link_enter_connecting(struct pg_link *link);
void pg_link_step_connecting(struct pg_link *link);
void pg_link_enter_preparing(struct pg_link *link);
void pg_link_step_preparing(struct pg_link *link);

/* pg_link_work.c */
void pg_link_enter_ready(struct pg_link *link);
void pg_link_step_ready(struct pg_link *link);
void pg_link_work_register_metrics(void);

static inline void pg_link_clear_result(PGresult **result)
{
    PQclear(*result);
}
