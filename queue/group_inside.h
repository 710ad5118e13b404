/* queue/group_inside.h - what the parts of queue/group.c share
 *
 * group.c       tickets wait, become batches, and are sent on a free line
 * group_fate.c  what becomes of a batch that Postgres has answered, or that was lost
 * group_late.c  whose deadline passes meanwhile
 * group_month.c statements on one month's own tables, which a link prepares when it first needs
 * them
 */
#pragma once

#include "queue/group.h"
#include "queue/pace.h"

TAILQ_HEAD(batch_list, group_batch);

SLIST_HEAD(group_monthlies, group_monthly);

/* A link and what it is busy with. */
struct group_line {
    struct group *group;
    struct pg_link *link;
    struct group_batch *batch;  /* in flight; NULL: free */
    struct group_batch *behind; /* in flight behind it, and not begun yet; NULL: none */
    bool is_ready;
    struct group_monthlies monthlies; /* what the link has prepared */
};

struct group {
    uv_loop_t *loop;
    const struct group_work *work;
    struct group_options options;
    struct group_line lines[GROUP_LINKS_MAX];
    struct group_tickets waiting;
    struct group_tickets late; /* their deadline passed while they waited: told at the next tick */
    int waiting_count;
    struct pace pace; /* of new batches, if the work has one */
    struct batch_list
        again;        /* surely rolled back or lost with their link: sent before anything new */
    uv_timer_t *tick; /* deadlines, pauses and stuck batches; runs while there is a ticket */
    uv_prepare_t *before_poll;
    uv_check_t
        *after_poll; /* the end of a loop turn, whichever comes first; run while waited for */
    bool is_failing; /* a fault that blames nobody was logged, and nothing succeeded since */
    uint64_t month_barred_until_ms; /* a month's own table was refused */
};

/* group.c */
struct group_batch *group_batch_create(struct group *group);
void group_begin_batches(struct group *group);
void group_note_waiting(struct group *group);

/* group_fate.c */
void group_end_batch(struct group_batch *batch, bool doubtful);
/* Its line is gone: nobody knows whether it was committed. */
void group_lose_batch(struct group_batch *batch);
/* Tells the fate (unless it was told at the deadline) and lets go; the ticket may be gone after. */
void group_settle(struct group_ticket *ticket, enum group_outcome outcome);

/* group_late.c */
bool group_is_late(const struct group_ticket *ticket, uint64_t now);
void group_expire_resting(struct group *group, uint64_t now);
void group_expire_sent(struct group_batch *batch, uint64_t now);

/* group_month.c */
/* True: the answer is to an aside, of which the work knows nothing. */
bool group_month_answered(struct group_batch *batch, const PGresult *result);
/* Of a batch that has just failed: because of a month's own tables? */
void group_month_blame(struct group_batch *batch);
void group_month_forget(struct group_line *line); /* the link is lost, and what it had prepared */
