#include "queue/group_inside.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/point.h"

enum { TICK_MS = 25, BATCH_MS_MAX = 30000 };

static void send_batch(struct group_line *line, struct group_batch *batch);
static void on_tick(uv_timer_t *timer);
static void await_turn_end(struct group *group);

void group_note_waiting(struct group *group)
{
    if (group->work->metrics)
        metric_set(&group->work->metrics->waiting, group->waiting_count);
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

struct group_batch *group_batch_create(struct group *group)
{
    struct group_batch *batch = xcalloc(1, sizeof(*batch));

    TAILQ_INIT(&batch->tickets);
    batch->group = group;
    return batch;
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
    group_note_waiting(group);
    if (!uv_is_active((uv_handle_t *)group->tick))
        uv_timer_start(group->tick, on_tick, TICK_MS, TICK_MS);
    await_turn_end(group);
    return true;
}

static void end_turn(struct group *group)
{
    uv_prepare_stop(group->before_poll);
    uv_check_stop(group->after_poll);
    group_begin_batches(group);
}

static void on_before_poll(uv_prepare_t *prepare)
{
    end_turn(prepare->data);
}

static void on_after_poll(uv_check_t *check)
{
    end_turn(check->data);
}

/* All that one turn of the loop brings goes out together: the first of it alone would make the rest
 * wait for its commit. */
static void await_turn_end(struct group *group)
{
    uv_prepare_start(group->before_poll, on_before_poll);
    uv_check_start(group->after_poll, on_after_poll);
}

/* Not behind one that prepares a statement: if that fails, it is not there for the next. */
static bool may_follow(const struct group_line *line)
{
    const struct group *group = line->group;
    const struct group_batch *batch = line->batch;

    return group->work->is_followed && line->behind == NULL && pg_link_is_ready(line->link) &&
           batch->is_whole && batch->aside_count == 0 && group->waiting_count >= batch->count;
}

/* A free line; where a batch that is not stuck holds all of them, the one behind that, if it may
 * be. */
static struct group_line *find_line(struct group *group)
{
    struct group_line *free_line = NULL;
    uint64_t now = clock_monotonic_ms();

    for (int i = 0; i < group->options.links; i++) {
        struct group_line *line = &group->lines[i];

        if (line->batch != NULL) {
            if (now - line->batch->begun_ms < GROUP_STUCK_MS)
                return may_follow(line) ? line : NULL;
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

/* Nothing is done for one whose sender has given up. */
static struct group_batch *take_waiting(struct group *group)
{
    struct group_batch *batch = group_batch_create(group);
    uint64_t now = clock_monotonic_ms();
    struct group_ticket *ticket;

    while (batch->count < group->work->tickets_max &&
           (ticket = TAILQ_FIRST(&group->waiting)) != NULL) {
        bool is_lost = group_is_late(ticket, now);

        TAILQ_REMOVE(&group->waiting, ticket, next);
        TAILQ_INSERT_TAIL(is_lost ? &group->late : &batch->tickets, ticket, next);
        group->waiting_count--;
        batch->count += !is_lost;
    }
    group_note_waiting(group);
    if (batch->count == 0) {
        free(batch);
        return NULL;
    }
    note_taken(batch);
    return batch;
}

/* More may come until its time has come; the tick looks again. */
static bool is_put_off(struct group *group)
{
    return group->work->pace_ns > 0 && group->waiting_count > 0 &&
           group->waiting_count < group->work->tickets_max &&
           pace_wait_ns(&group->pace, clock_monotonic_ns()) > 0;
}

void group_begin_batches(struct group *group)
{
    struct group_line *line;
    struct group_batch *batch;

    while ((line = find_line(group)) != NULL) {
        if ((batch = take_again(group)) == NULL &&
            (is_put_off(group) || (batch = take_waiting(group)) == NULL))
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

/* Nothing is before it on its line any more. */
static void begin_batch(struct group_line *line, struct group_batch *batch)
{
    line->batch = batch;
    batch->begun_ms = clock_monotonic_ms();
    batch->sent_ns = clock_monotonic_ns();
}

static void send_batch(struct group_line *line, struct group_batch *batch)
{
    struct group_ticket *ticket;

    if (line->batch)
        line->behind = batch;
    else
        begin_batch(line, batch);
    batch->line = line;
    batch->sent = batch->answered = batch->asides_answered = batch->aside_count = 0;
    batch->is_spoilt = batch->is_whole = batch->is_monthly = batch->is_month_refused = false;
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
    group_begin_batches(line->group);
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
    group_month_blame(batch);
}

static void on_result(void *owner, const PGresult *result)
{
    struct group_line *line = owner;
    struct group_batch *batch = line->batch;
    bool is_aside;

    assert(batch != NULL);
    is_aside = group_month_answered(batch, result);
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        if (!is_aside)
            batch->group->work->on_rows(batch, batch->answered - batch->asides_answered, result);
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
    if (line->behind)
        begin_batch(line, line->behind);
    line->behind = NULL;
    group_end_batch(batch, doubtful);
    group_begin_batches(line->group);
}

static void on_lost(void *owner, const struct fault *fault)
{
    struct group_line *line = owner;
    struct group_batch *batch = line->batch, *behind = line->behind;

    (void)fault; /* the link has logged it */
    line->is_ready = false;
    line->batch = line->behind = NULL;
    group_month_forget(line);
    if (batch == NULL)
        return;
    group_lose_batch(batch);
    if (behind)
        group_lose_batch(behind);
    group_begin_batches(line->group);
}

static void on_tick(uv_timer_t *timer)
{
    struct group *group = timer->data;
    uint64_t now = clock_monotonic_ms();

    group_expire_resting(group, now);
    for (int i = 0; i < group->options.links; i++) {
        struct group_batch *batch = group->lines[i].batch;

        if (batch == NULL)
            continue;
        group_expire_sent(batch, now);
        if (group->lines[i].behind)
            group_expire_sent(group->lines[i].behind, now);
        if (now - batch->begun_ms > BATCH_MS_MAX)
            pg_link_abandon(group->lines[i].link, "a batch was not committed within 30 s");
    }
    group_begin_batches(group);
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
    group->pace.every_ns = work->pace_ns;
    TAILQ_INIT(&group->waiting);
    TAILQ_INIT(&group->late);
    TAILQ_INIT(&group->again);
    group->tick = xcalloc(1, sizeof(*group->tick));
    group->tick->data = group;
    uv_timer_init(loop, group->tick);
    group->before_poll = xcalloc(1, sizeof(*group->before_poll));
    group->before_poll->data = group;
    uv_prepare_init(loop, group->before_poll);
    group->after_poll = xcalloc(1, sizeof(*group->after_poll));
    group->after_poll->data = group;
    uv_check_init(loop, group->after_poll);
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
        group_month_forget(&group->lines[i]);
        free(group->lines[i].batch);
        free(group->lines[i].behind);
    }
    while ((batch = TAILQ_FIRST(&group->again)) != NULL) {
        TAILQ_REMOVE(&group->again, batch, next);
        free(batch);
    }
    uv_close((uv_handle_t *)group->tick, free_handle);
    uv_close((uv_handle_t *)group->before_poll, free_handle);
    uv_close((uv_handle_t *)group->after_poll, free_handle);
    free(group);
}
