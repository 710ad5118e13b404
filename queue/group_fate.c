#include "queue/group_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg_blame.h"

enum { PAUSE_MS_FIRST = 20, PAUSE_MS_MAX = 1000 };

static void divide(struct group_batch *batch, uint64_t pause_ms);

static void note_setback(const struct group *group)
{
    if (group->work->metrics)
        metric_add(&group->work->metrics->setbacks, 1);
}

static void note_committed(const struct group_batch *batch)
{
    const struct group_watch *watch = &batch->group->options.watch;
    struct group_metrics *metrics = batch->group->work->metrics;
    uint64_t took_us = (clock_monotonic_ns() - batch->sent_ns) / 1000;

    if (watch->on_committed)
        watch->on_committed(watch->watcher, batch->count, took_us);
    if (metrics == NULL)
        return;
    metric_observe_us(&metrics->seconds, (int64_t)took_us);
    metric_observe_size(&metrics->size, batch->count);
}

void group_settle(struct group_ticket *ticket, enum group_outcome outcome)
{
    void (*on_released)(struct group_ticket *) = ticket->on_released;

    if (!ticket->is_settled) {
        ticket->is_settled = true;
        ticket->outcome = outcome;
        ticket->on_settled(ticket);
    }
    if (on_released)
        on_released(ticket);
}

/* The next batch goes out before anyone is told of this one: Postgres need not wait for us. */
static void end_committed(struct group_batch *batch)
{
    struct group *group = batch->group;
    struct group_ticket *ticket;

    group->is_failing = false;
    note_committed(batch);
    group_begin_batches(group);
    while ((ticket = TAILQ_FIRST(&batch->tickets)) != NULL) {
        TAILQ_REMOVE(&batch->tickets, ticket, next);
        group_settle(ticket, GROUP_COMMITTED);
    }
    free(batch);
}

static uint64_t jittered_pause_ms(int setbacks)
{
    uint64_t most = PAUSE_MS_FIRST;

    while (setbacks-- > 1 && most < PAUSE_MS_MAX)
        most *= 2;
    return most / 2 + (uint64_t)random() % most;
}

static void forgive(struct group_batch *batch)
{
    struct group_ticket *ticket;

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        ticket->was_sent = false;
        ticket->setbacks++;
    }
}

static void put_back(struct group_batch *batch, uint64_t pause_ms)
{
    batch->not_before_ms = clock_monotonic_ms() + pause_ms;
    batch->line = NULL;
    TAILQ_INSERT_TAIL(&batch->group->again, batch, next);
}

/* Alone in its batch, surely rolled back, and not the server's fault. */
static void end_culprit(struct group_batch *batch)
{
    const struct group_work *work = batch->group->work;
    struct group_ticket *ticket = TAILQ_FIRST(&batch->tickets);

    ticket->fault = batch->fault;
    memcpy(ticket->sqlstate, batch->sqlstate, sizeof(ticket->sqlstate));
    memcpy(ticket->constraint, batch->constraint, sizeof(ticket->constraint));
    if (pg_blame_of(batch->sqlstate) == PG_BLAMES_LOCK)
        ticket->fault.kind = FAULT_TRANSIENT;
    else if (work->is_answer && work->is_answer(batch->sqlstate, batch->constraint))
        ticket->fault.kind = FAULT_REFUSED;
    else
        log_error("batch_broken", "%s", batch->fault.text);
    TAILQ_REMOVE(&batch->tickets, ticket, next);
    free(batch);
    group_settle(ticket, GROUP_REFUSED);
}

/* Those whose sender was told "unknown" are let go of, and never sent again.  False: none is left,
 * and the batch is gone. */
static bool drop_settled(struct group_batch *batch)
{
    struct group_ticket *ticket, *following;

    for (ticket = TAILQ_FIRST(&batch->tickets); ticket; ticket = following) {
        following = TAILQ_NEXT(ticket, next);
        if (ticket->is_settled) {
            TAILQ_REMOVE(&batch->tickets, ticket, next);
            batch->count--;
            group_settle(ticket, ticket->outcome);
        }
    }
    if (batch->count > 0)
        return true;
    free(batch);
    return false;
}

static int lock_setbacks_max(const struct group_batch *batch)
{
    int most = batch->group->work->lock_timeouts_max;

    return most > 0 && strcmp(batch->sqlstate, "55P03") == 0 ? most : GROUP_LOCK_SETBACKS_MAX;
}

static void end_spoilt(struct group_batch *batch)
{
    struct group *group = batch->group;
    struct group_ticket *first;
    uint64_t pause_ms;

    note_setback(group);
    if (!drop_settled(batch))
        return;
    first = TAILQ_FIRST(&batch->tickets);
    forgive(batch);
    pause_ms = jittered_pause_ms(first->setbacks);
    if (batch->is_month_refused) {
        put_back(batch, 0);
        return;
    }
    switch (pg_blame_of(batch->sqlstate)) {
    case PG_BLAMES_SERVER:
        if (!group->is_failing)
            log_warn("batch_put_back", "%s", batch->fault.text);
        group->is_failing = true;
        put_back(batch, pause_ms);
        break;
    case PG_BLAMES_LOCK:
        if (batch->count > 1)
            divide(batch, pause_ms);
        else if (first->setbacks < lock_setbacks_max(batch))
            put_back(batch, pause_ms);
        else
            end_culprit(batch);
        break;
    case PG_BLAMES_CONTENT:
        if (batch->count > 1)
            divide(batch, 0);
        else
            end_culprit(batch);
        break;
    }
}

/* A commit that is doubtful may be local only: nobody is told that it is durable.  Its tickets are
 * sent again like those of a lost link; what they find waits for the standby then. */
void group_end_batch(struct group_batch *batch, bool doubtful)
{
    if (batch->is_spoilt) {
        end_spoilt(batch);
        return;
    }
    if (!doubtful) {
        end_committed(batch);
        return;
    }
    log_error("commit_doubtful", "%s: the wait for the standby was cancelled",
              batch->group->work->name);
    note_setback(batch->group);
    if (drop_settled(batch))
        put_back(batch, PAUSE_MS_FIRST);
}

/* Two halves instead of one batch, in the same order. */
static void divide(struct group_batch *batch, uint64_t pause_ms)
{
    struct group_batch *second = group_batch_create(batch->group);
    struct group_ticket *ticket;

    while (second->count < batch->count / 2) {
        ticket = TAILQ_LAST(&batch->tickets, group_tickets);
        TAILQ_REMOVE(&batch->tickets, ticket, next);
        TAILQ_INSERT_HEAD(&second->tickets, ticket, next);
        second->count++;
    }
    batch->count -= second->count;
    put_back(batch, pause_ms);
    put_back(second, pause_ms);
}

/* Its tickets may be sent again all the same, but those whose sender was told "unknown" are not. */
void group_lose_batch(struct group_batch *batch)
{
    note_setback(batch->group);
    if (drop_settled(batch))
        put_back(batch, 0);
}
