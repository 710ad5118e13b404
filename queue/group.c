#include "queue/group.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/pg_blame.h"
#include "base/point.h"

enum { TICK_MS = 25, BATCH_MS_MAX = 30000, PAUSE_MS_FIRST = 20, PAUSE_MS_MAX = 1000 };

TAILQ_HEAD(batch_list, group_batch);

/* A link and what it is busy with. */
struct group_line {
    struct group *group;
    struct pg_link *link;
    struct group_batch *batch; /* NULL: free */
    bool is_ready;
};

struct group {
    uv_loop_t *loop;
    const struct group_work *work;
    struct group_options options;
    struct group_line lines[GROUP_LINKS_MAX];
    struct group_tickets waiting;
    struct group_tickets late; /* their deadline passed while they waited: told at the next tick */
    int waiting_count;
    struct batch_list
        again;        /* surely rolled back or lost with their link: sent before anything new */
    uv_timer_t *tick; /* deadlines, pauses and stuck batches; runs while there is a ticket */
    bool is_failing;  /* a fault that blames nobody was logged, and nothing succeeded since */
};

static void begin_batches(struct group *group);
static void send_batch(struct group_line *line, struct group_batch *batch);
static void end_batch(struct group_batch *batch, bool doubtful);
static void divide(struct group_batch *batch, uint64_t pause_ms);
static void settle(struct group_ticket *ticket, enum group_outcome outcome);
static void on_tick(uv_timer_t *timer);

static bool is_late(const struct group_ticket *ticket, uint64_t now)
{
    return ticket->deadline_ms != 0 && now >= ticket->deadline_ms && !ticket->is_settled;
}

static void note_waiting(struct group *group)
{
    if (group->work->metrics)
        metric_set(&group->work->metrics->waiting, group->waiting_count);
}

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

/* The oldest and the youngest of a new batch. */
static void note_taken(const struct group_batch *batch)
{
    const struct group_watch *watch = &batch->group->options.watch;
    struct group_metrics *metrics = batch->group->work->metrics;
    uint64_t now_ns = clock_monotonic_ns();

    if (metrics)
        metric_observe_us(&metrics->waits,
                          (int64_t)(now_ns - TAILQ_FIRST(&batch->tickets)->since_ns) / 1000);
    if (watch->on_taken)
        watch->on_taken(watch->watcher, batch->count, batch->group->waiting_count,
                        (now_ns - TAILQ_LAST(&batch->tickets, group_tickets)->since_ns) / 1000);
}

bool group_submit(struct group *group, struct group_ticket *ticket)
{
    if (group->waiting_count >= group->work->waiting_max)
        return false;
    ticket->was_sent = ticket->is_settled = false;
    ticket->since_ns = clock_monotonic_ns();
    ticket->setbacks = 0;
    ticket->sqlstate[0] = ticket->constraint[0] = '\0';
    ticket->fault.kind = FAULT_NONE;
    TAILQ_INSERT_TAIL(&group->waiting, ticket, next);
    group->waiting_count++;
    note_waiting(group);
    if (!uv_is_active((uv_handle_t *)group->tick))
        uv_timer_start(group->tick, on_tick, TICK_MS, TICK_MS);
    begin_batches(group);
    return true;
}

/* A free line, unless a batch that is not stuck holds all of them. */
static struct group_line *find_line(struct group *group)
{
    struct group_line *free_line = NULL;
    uint64_t now = clock_monotonic_ms();

    for (int i = 0; i < group->options.links; i++) {
        struct group_line *line = &group->lines[i];

        if (line->batch != NULL) {
            if (now - line->batch->begun_ms < GROUP_STUCK_MS)
                return NULL;
        } else if (line->is_ready && free_line == NULL) {
            free_line = line;
        }
    }
    return free_line;
}

static struct group_batch *take_again(struct group *group)
{
    uint64_t now = clock_monotonic_ms();
    struct group_batch *batch;

    TAILQ_FOREACH (batch, &group->again, next) {
        if (batch->not_before_ms <= now) {
            TAILQ_REMOVE(&group->again, batch, next);
            return batch;
        }
    }
    return NULL;
}

static struct group_batch *batch_create(struct group *group)
{
    struct group_batch *batch = xcalloc(1, sizeof(*batch));

    TAILQ_INIT(&batch->tickets);
    batch->group = group;
    return batch;
}

/* Nothing is done for one whose sender has given up. */
static struct group_batch *take_waiting(struct group *group)
{
    struct group_batch *batch = batch_create(group);
    uint64_t now = clock_monotonic_ms();
    struct group_ticket *ticket;

    while (batch->count < group->work->tickets_max &&
           (ticket = TAILQ_FIRST(&group->waiting)) != NULL) {
        bool is_lost = is_late(ticket, now);

        TAILQ_REMOVE(&group->waiting, ticket, next);
        TAILQ_INSERT_TAIL(is_lost ? &group->late : &batch->tickets, ticket, next);
        group->waiting_count--;
        batch->count += !is_lost;
    }
    note_waiting(group);
    if (batch->count == 0) {
        free(batch);
        return NULL;
    }
    note_taken(batch);
    return batch;
}

static void begin_batches(struct group *group)
{
    struct group_line *line;
    struct group_batch *batch;

    while ((line = find_line(group)) != NULL) {
        if ((batch = take_again(group)) == NULL && (batch = take_waiting(group)) == NULL)
            return;
        send_batch(line, batch);
    }
}

/* All of it is on its way, or waits for the answers to its first part. */
static void go_on(struct group_batch *batch, bool is_whole)
{
    const char *work = batch->group->work->name;

    batch->is_whole = is_whole;
    if (!is_whole) {
        pg_link_flush_request(batch->line->link);
        return;
    }
    POINT(work, "commit_before");
    pg_link_sync(batch->line->link);
    POINT(work, "commit_sent");
}

static void send_batch(struct group_line *line, struct group_batch *batch)
{
    struct group_ticket *ticket;

    line->batch = batch;
    batch->line = line;
    batch->begun_ms = clock_monotonic_ms();
    batch->sent_ns = clock_monotonic_ns();
    batch->sent = batch->answered = 0;
    batch->is_spoilt = batch->is_whole = false;
    TAILQ_FOREACH (ticket, &batch->tickets, next)
        ticket->was_sent = true;
    go_on(batch, batch->group->work->send(batch));
}

void group_send(struct group_batch *batch, const struct pg_statement *statement,
                const struct pg_params *params)
{
    pg_link_send(batch->line->link, statement, params);
    batch->sent++;
}

void *group_owner(const struct group_batch *batch)
{
    return batch->group->options.owner;
}

static void on_ready(void *owner)
{
    struct group_line *line = owner;

    line->is_ready = true;
    begin_batches(line->group);
}

static void note_fault(struct group_batch *batch, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (batch->is_spoilt)
        return;
    batch->is_spoilt = true;
    snprintf(batch->sqlstate, sizeof(batch->sqlstate), "%s", sqlstate ? sqlstate : "");
    snprintf(batch->constraint, sizeof(batch->constraint), "%s", constraint ? constraint : "");
    fail_as(&batch->fault, FAULT_BROKEN, "postgres_fault", "%s: %s (%s)", batch->group->work->name,
            message ? message : PQresultErrorMessage(result), batch->sqlstate);
}

static void on_result(void *owner, const PGresult *result)
{
    struct group_line *line = owner;
    struct group_batch *batch = line->batch;

    assert(batch != NULL);
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        batch->group->work->on_rows(batch, batch->answered, result);
        break;
    case PGRES_PIPELINE_ABORTED: /* skipped by the server, because of the fault before it */
        break;
    default:
        note_fault(batch, result);
        break;
    }
    batch->answered++;
    if (!batch->is_whole && batch->answered == batch->sent)
        go_on(batch, batch->is_spoilt || batch->group->work->send_more(batch));
}

static void on_synced(void *owner, bool doubtful)
{
    struct group_line *line = owner;
    struct group_batch *batch = line->batch;

    POINT(line->group->work->name, "commit_after");
    line->batch = NULL;
    end_batch(batch, doubtful);
    begin_batches(line->group);
}

/* The next batch goes out before anyone is told of this one: Postgres need not wait for us. */
static void end_committed(struct group_batch *batch)
{
    struct group *group = batch->group;
    struct group_ticket *ticket;

    group->is_failing = false;
    note_committed(batch);
    begin_batches(group);
    while ((ticket = TAILQ_FIRST(&batch->tickets)) != NULL) {
        TAILQ_REMOVE(&batch->tickets, ticket, next);
        settle(ticket, GROUP_COMMITTED);
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
    settle(ticket, GROUP_REFUSED);
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
            settle(ticket, ticket->outcome);
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
static void end_batch(struct group_batch *batch, bool doubtful)
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
    struct group_batch *second = batch_create(batch->group);
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

/* Nobody knows whether it was committed; its tickets may be sent again all the same, but those
 * whose sender was told "unknown" are not. */
static void on_lost(void *owner, const struct fault *fault)
{
    struct group_line *line = owner;
    struct group_batch *batch = line->batch;

    (void)fault; /* the link has logged it */
    line->is_ready = false;
    line->batch = NULL;
    if (batch == NULL)
        return;
    note_setback(line->group);
    if (drop_settled(batch))
        put_back(batch, 0);
    begin_batches(line->group);
}

/* Tells the fate (unless it was told at the deadline) and lets go; the ticket may be gone after. */
static void settle(struct group_ticket *ticket, enum group_outcome outcome)
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

/* Moves what is late out of a list in which nothing is in flight. */
static int take_late(struct group_tickets *from, struct group_tickets *late, uint64_t now)
{
    struct group_ticket *ticket, *following;
    int taken = 0;

    for (ticket = TAILQ_FIRST(from); ticket; ticket = following) {
        following = TAILQ_NEXT(ticket, next);
        if (is_late(ticket, now)) {
            TAILQ_REMOVE(from, ticket, next);
            TAILQ_INSERT_TAIL(late, ticket, next);
            taken++;
        }
    }
    return taken;
}

static void take_late_again(struct group *group, struct group_tickets *late, uint64_t now)
{
    struct group_batch *batch, *following;

    for (batch = TAILQ_FIRST(&group->again); batch; batch = following) {
        following = TAILQ_NEXT(batch, next);
        batch->count -= take_late(&batch->tickets, late, now);
        if (batch->count == 0) {
            TAILQ_REMOVE(&group->again, batch, next);
            free(batch);
        }
    }
}

/* First moved, then told: who is told may submit, and change every list. */
static void expire_resting(struct group *group, uint64_t now)
{
    struct group_tickets late = TAILQ_HEAD_INITIALIZER(late);
    struct group_ticket *ticket;

    TAILQ_CONCAT(&late, &group->late, next);
    group->waiting_count -= take_late(&group->waiting, &late, now);
    note_waiting(group);
    take_late_again(group, &late, now);
    while ((ticket = TAILQ_FIRST(&late)) != NULL) {
        TAILQ_REMOVE(&late, ticket, next);
        settle(ticket, ticket->was_sent ? GROUP_UNKNOWN : GROUP_UNSENT);
    }
}

/* In flight: told now, let go of when the batch is over. */
static void expire_sent(struct group_batch *batch, uint64_t now)
{
    struct group_ticket *ticket;

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        if (is_late(ticket, now)) {
            ticket->is_settled = true;
            ticket->outcome = GROUP_UNKNOWN;
            ticket->on_settled(ticket);
        }
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct group *group = timer->data;
    uint64_t now = clock_monotonic_ms();

    expire_resting(group, now);
    for (int i = 0; i < group->options.links; i++) {
        struct group_batch *batch = group->lines[i].batch;

        if (batch == NULL)
            continue;
        expire_sent(batch, now);
        if (now - batch->begun_ms > BATCH_MS_MAX)
            pg_link_abandon(group->lines[i].link, "a batch was not committed within 30 s");
    }
    begin_batches(group);
    if (group_is_idle(group))
        uv_timer_stop(group->tick);
}

bool group_is_ready(const struct group *group)
{
    for (int i = 0; i < group->options.links; i++) {
        if (group->lines[i].is_ready)
            return true;
    }
    return false;
}

bool group_is_idle(const struct group *group)
{
    for (int i = 0; i < group->options.links; i++) {
        if (group->lines[i].batch != NULL)
            return false;
    }
    return TAILQ_EMPTY(&group->waiting) && TAILQ_EMPTY(&group->again) && TAILQ_EMPTY(&group->late);
}

int group_waiting(const struct group *group)
{
    return group->waiting_count;
}

struct group *group_create(uv_loop_t *loop, const struct group_work *work,
                           const struct group_options *options)
{
    static const struct pg_link_events events = {
        .on_ready = on_ready,
        .on_result = on_result,
        .on_synced = on_synced,
        .on_lost = on_lost,
    };
    struct group *group = xcalloc(1, sizeof(*group));
    struct pg_link_options link_options = {
        .server = options->server,
        .statements = work->statements,
    };

    assert(options->links >= 2 && options->links <= GROUP_LINKS_MAX);
    group->loop = loop;
    group->work = work;
    group->options = *options;
    TAILQ_INIT(&group->waiting);
    TAILQ_INIT(&group->late);
    TAILQ_INIT(&group->again);
    group->tick = xcalloc(1, sizeof(*group->tick));
    group->tick->data = group;
    uv_timer_init(loop, group->tick);
    for (int i = 0; i < options->links; i++) {
        group->lines[i].group = group;
        group->lines[i].link = pg_link_create(loop, &link_options, &events, &group->lines[i]);
    }
    return group;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void group_destroy(struct group *group)
{
    struct group_batch *batch;

    if (group == NULL)
        return;
    for (int i = 0; i < group->options.links; i++) {
        pg_link_destroy(group->lines[i].link);
        free(group->lines[i].batch);
    }
    while ((batch = TAILQ_FIRST(&group->again)) != NULL) {
        TAILQ_REMOVE(&group->again, batch, next);
        free(batch);
    }
    uv_timer_stop(group->tick);
    uv_close((uv_handle_t *)group->tick, free_handle);
    free(group);
}
