/* queue/group.h - group commit: what arrives while one batch is being committed forms the next
 *
 * The one mechanism behind accepting, claiming, settling, marking and reading.  There is no linger
 * timer: a lone ticket goes out at the end of its loop turn, and under load one fsync serves
 * hundreds.
 *
 *     submit ─► WAITING ─► SENT ──(Sync, no fault before it)──────────────► COMMITTED
 *                  ▲         │
 *                  └put back─┤ link lost; a fault that blames nobody (halves, after a pause)
 *                            └─(alone in its batch, and the fault blames it)─► REFUSED
 *     deadline passed:  never sent, or surely rolled back ─► UNSENT;  else ─► UNKNOWN
 *
 * A batch is one implicit transaction.  A fault names no ticket (`unnest` names no row), so a batch
 * that was surely rolled back is sent again in halves until the culprit stands alone.  Sending a
 * ticket again after a lost link is safe because of what its statements are: every insert is keyed,
 * every update carries a version or a fence.
 *
 * One batch at a time is in flight, and one more may be behind it (is_followed); one that has been
 * stuck for GROUP_STUCK_MS no longer holds the line, and the next goes out on another link.
 *
 * A crash at any point: what was committed is in Postgres, and nobody was told anything that is
 * not.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/fault.h"
#include "base/pg_link.h"
#include "queue/group_metrics.h"
#include "schema/month.h"

enum { GROUP_STUCK_MS = 250, GROUP_LINKS_MAX = 8, GROUP_LOCK_SETBACKS_MAX = 4 };

enum group_outcome {
    GROUP_COMMITTED, /* what the statements answered for this ticket is true */
    GROUP_REFUSED,   /* surely rolled back, and sending it again would not help: see fault */
    GROUP_UNSENT,    /* past its deadline; surely nothing was stored by it */
    GROUP_UNKNOWN,   /* past its deadline; it may be stored, or become so yet */
};

/* Embedded in what the caller submits, and kept by it until on_released. */
struct group_ticket {
    /* The fate is known.  Once. */
    void (*on_settled)(struct group_ticket *ticket);
    /* The group has let go of the memory.  Once, after on_settled (at once, except after UNKNOWN,
     * when the batch may still be in flight).  NULL: on_settled does it; only without a deadline.
     */
    void (*on_released)(struct group_ticket *ticket);
    uint64_t deadline_ms; /* monotonic; 0: none */

    enum group_outcome outcome;
    struct fault fault;  /* REFUSED: kind REFUSED for an answer of the work, TRANSIENT for a lock
                          * that  somebody held too long, BROKEN for all else */
    char sqlstate[6];    /* of the fault, or "" */
    char constraint[64]; /* of the fault, or "" */

    /* Private to the group. */
    TAILQ_ENTRY(group_ticket) next;
    uint64_t since_ns; /* when it was submitted */
    bool was_sent;     /* since it was last surely rolled back */
    bool is_settled;   /* told at its deadline, while its batch goes on */
    int setbacks;
};
TAILQ_HEAD(group_tickets, group_ticket);

enum { GROUP_ASIDES_MAX = 32 };

/* Something that a batch sends besides its work's statements: the nth thing that it sends. monthly:
 * what is prepared by it; NULL: nothing. */
struct group_aside {
    struct group_monthly *monthly;
    int place;
};

struct group_batch {
    struct group_tickets tickets;
    int count;

    /* Private to the group. */
    struct group *group;
    struct group_line *line;
    uint64_t begun_ms, not_before_ms, sent_ns;
    int sent, answered; /* statements, and what prepares them */
    struct group_aside asides[GROUP_ASIDES_MAX];
    int aside_count, asides_answered;
    bool is_whole; /* everything of it was sent, its Sync too */
    bool is_spoilt;
    bool is_monthly;       /* some of its statements are on one month's own tables */
    bool is_month_refused; /* which is why it failed: it is sent again on all months' */
    struct fault fault;
    char sqlstate[6], constraint[64];
    TAILQ_ENTRY(group_batch) next;
};

/* What one kind of batch does. */
struct group_work {
    const char *name; /* kill points "<name>.commit_before", ".commit_sent", ".commit_after" */
    const struct pg_statement *const *statements; /* all that send() uses; NULL ends */
    int tickets_max;                              /* of one batch */
    int waiting_max;                              /* more are not taken */
    /* Sends the batch's statements with group_send().  False: there is more to send once these were
     * answered (the answers come first, then send_more). */
    bool (*send)(struct group_batch *batch);
    bool (*send_more)(struct group_batch *batch); /* NULL if send() always returns true */
    /* The rows of the nth statement.  Only noted: until the commit they may be rolled back, and the
     * same ticket may be asked again. */
    void (*on_rows)(struct group_batch *batch, int nth, const PGresult *result);
    /* Does this fault, with one ticket in the batch, answer that ticket?  May be NULL: never. */
    bool (*is_answer)(const char *sqlstate, const char *constraint);
    /* How often a ticket that is alone in its batch may run into lock_timeout (55P03) before it is
     * refused; 0: GROUP_LOCK_SETBACKS_MAX. */
    int lock_timeouts_max;
    /* The next batch goes out behind the one in flight, on its link, once it is as large: Postgres
     * goes on without waiting for us to hear of the end.  For work that seldom waits for somebody's
     * lock: what is behind a batch that does waits with it. */
    bool is_followed;
    /* Between batches that are not full, of what nobody waits for (queue/pace.h); 0: none. */
    uint64_t pace_ns;
    struct group_metrics *metrics; /* registered by the program; NULL: none */
};

/* For somebody who decides how many tickets may come: new ones went out as a batch, and a batch was
 * committed. */
struct group_watch {
    void (*on_taken)(void *watcher, int taken, int left, uint64_t youngest_wait_us);
    void (*on_committed)(void *watcher, int count, uint64_t took_us);
    void *watcher;
};

struct group_options {
    const struct pg_server *server;
    int links;                /* 2 or more, GROUP_LINKS_MAX at most */
    void *owner;              /* for the work: group_owner() */
    struct group_watch watch; /* its functions may be NULL; they may not submit */
};

struct group *group_create(uv_loop_t *loop, const struct group_work *work,
                           const struct group_options *options);
/* Only when nothing is waiting or in flight (group_is_idle), or to forget it all at the end of the
 * process: the tickets are told nothing more. */
void group_destroy(struct group *group);

/* True: the ticket will be settled, once, and not from inside this call.
 * False: waiting_max are waiting already; it was not taken. */
bool group_submit(struct group *group, struct group_ticket *ticket)
    __attribute__((warn_unused_result));

void *group_owner(const struct group_batch *batch);
/* Within send() and send_more() only. */
void group_send(struct group_batch *batch, const struct pg_statement *statement,
                const struct pg_params *params);
/* The same on the own tables of the month that all of the span is of, if it is of one, and a recent
 * one; otherwise, or where those are refused, on all months'. */
void group_send_month(struct group_batch *batch, const struct month_statement *statement,
                      const struct order_span *span, const struct pg_params *params);
/* From the least to the greatest order of a batch, and as two parameters. */
struct order_span group_span(const struct group_batch *batch,
                             const struct order_id *(*id_of)(struct group_ticket *ticket));
void group_add_span(struct pg_params *params, const struct order_span *span);

bool group_is_ready(const struct group *group); /* some link is */
bool group_is_idle(const struct group *group);
int group_waiting(const struct group *group);
