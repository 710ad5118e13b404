#include "workers/runner_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "queue/begin.h"

enum { CRASHES_ALONE = 2, ALONE_PATIENCE_MS = 2000 };

static void on_claimed(struct group_ticket *ticket);
static void start_ready_jobs(struct runner *runner);

/* The only place where a job changes state. */
void job_enter(struct job *job, enum job_state next)
{
    TAILQ_REMOVE(&job->runner->lists[job->state], job, by_state);
    job->state = next;
    TAILQ_INSERT_TAIL(&job->runner->lists[next], job, by_state);
}

void job_rest(struct job *job, void (*again)(struct job *job))
{
    job->again = again;
    job->since_ms = clock_monotonic_ms();
    job_enter(job, RESTING);
}

static struct job_bucket *bucket_of(struct runner *runner, const struct order_id *id)
{
    /* The last bytes of an id are random. */
    return &runner->jobs[(id->bytes[14] << 8 | id->bytes[15]) % BUCKETS];
}

struct job *job_find(const struct source *source, const struct order_id *id)
{
    struct job *job;

    LIST_FOREACH (job, bucket_of(source->runner, id), by_id) {
        if (job->source == source && memcmp(&job->id, id, sizeof(*id)) == 0)
            return job;
    }
    return NULL;
}

static int64_t read_published_us(const struct amqp_delivery *delivery)
{
    for (int i = 0; i < delivery->header_count; i++) {
        if (strcmp(delivery->headers[i].name, "cloudEvents_time") == 0)
            return clock_parse(delivery->headers[i].value);
    }
    return 0;
}

struct job *job_create(struct source *source, const struct order_id *id, int64_t outbox_id,
                       const struct amqp_delivery *delivery)
{
    struct runner *runner = source->runner;
    struct job *job = xcalloc(1, sizeof(*job) + source->step->work_bytes);

    job->runner = runner;
    job->source = source;
    job->id = *id;
    order_id_format(&job->id, job->public_id);
    job->outbox_id = outbox_id;
    job->link = delivery->link;
    job->tag = delivery->tag;
    job->is_redelivered = delivery->redelivered;
    job->claim.message.from_us = read_published_us(delivery);
    job->claim.message.to_us = database_now_us(runner->options.database);
    job->claim.order_id = job->id;
    job->claim.ticket.on_settled = on_claimed;
    job->outcome.row.facts = &job->claim.facts;
    job->reserve.row.facts = &job->claim.facts;
    job->twins.order = &job->claim.order;
    job->reserve.order = &job->claim.order;
    job->reserve.policy = &runner->options.policy;
    job_await_commits(job);
    job_trace_begin(job, delivery->trace);
    LIST_INSERT_HEAD(bucket_of(runner, &job->id), job, by_id);
    job->state = HELD;
    TAILQ_INSERT_TAIL(&runner->lists[HELD], job, by_state);
    runner->job_count++;
    metric_set(&source->metrics->jobs, ++source->job_count);
    return job;
}

/* --- claim -------------------------------------------------------------------------------------
 */

/* A task that runs alone lets the others go first for a while, then holds them back. */
static bool is_turn_of_solo(const struct runner *runner)
{
    uint64_t patient_until = clock_monotonic_ms() - ALONE_PATIENCE_MS;
    const struct job *job;

    if (runner->alone)
        return true;
    TAILQ_FOREACH (job, &runner->lists[STARTING], by_state)
        if (job->since_ms <= patient_until && runner->alone_ended_ms <= patient_until)
            return true;
    return false;
}

static bool may_claim(const struct job *job)
{
    return worker_session_is_alive(job->source->session) &&
           (job->is_ours || !is_turn_of_solo(job->runner));
}

void job_start_claim(struct job *job)
{
    if (!may_claim(job)) {
        job_enter(job, HELD);
        return;
    }
    job->asked_ms = clock_monotonic_ms();
    job_trace_begin_part(job, "claim");
    if (group_submit(job->source->claims, &job->claim.ticket))
        job_enter(job, CLAIMING);
    else
        job_rest(job, job_start_claim);
}

void job_claim_held(struct runner *runner)
{
    struct job *job, *following;

    for (job = TAILQ_FIRST(&runner->lists[HELD]); job; job = following) {
        following = TAILQ_NEXT(job, by_state);
        if (may_claim(job))
            job_start_claim(job);
    }
}

/* The broker may notice sooner than Postgres that a worker has died: a message that comes again is
 * worth a second look. */
static void on_claim_refused(struct job *job)
{
    metric_add(&job->source->metrics->claims_refused, 1);
    if (job->is_redelivered && !job->runner->is_draining) {
        job->is_redelivered = false;
        job_rest(job, job_start_claim);
    } else {
        job_end(job);
    }
}

static void note_claimed(struct job *job)
{
    int64_t published_us = job->claim.message.from_us;

    job->claimed_ns = clock_monotonic_ns();
    metric_add(&job->source->metrics->claims, 1);
    metric_add(&job->source->metrics->takeovers, job->claim.facts.crashes > 0);
    if (published_us > 0)
        metric_observe_us(&job->source->metrics->handover_seconds,
                          database_now_us(job->runner->options.database) - published_us);
    job->claim.message.from_us = 0; /* told; a further claim only reads again */
}

static void on_claimed(struct group_ticket *ticket)
{
    struct job *job = container_of(ticket, struct job, claim.ticket);
    struct runner *runner = job->runner;
    bool was_ours = job->is_ours;

    job_trace_end_part(job, ticket->outcome == GROUP_COMMITTED);
    if (ticket->outcome != GROUP_COMMITTED) {
        job->claim.is_plain |= ticket->fault.kind == FAULT_BROKEN;
        job_rest(job, job_start_claim);
        return;
    }
    worker_session_note_claimed(job->source->session, job->outbox_id);
    if (!job->claim.is_claimed) {
        on_claim_refused(job);
        return;
    }
    begin_take_effect(&job->claim, &runner->options.policy);
    if (!was_ours)
        note_claimed(job);
    job->is_ours = true;
    job->is_solo = job->claim.facts.crashes >= CRASHES_ALONE;
    if (was_ours) { /* it was overtaken, read again, and is still ours */
        job_go_on(job);
        return;
    }
    hint_order(runner->hint, &job->id);
    job->since_ms = clock_monotonic_ms();
    job_enter(job, STARTING);
    start_ready_jobs(runner);
}

/* While draining nothing new is begun: the task is made ready again, for another worker. */
void job_proceed(struct job *job)
{
    static const struct order_lesson interrupted = {.verdict = VERDICT_INTERRUPTED,
                                                    .retry_after_ms = -1};

    job_enter(job, RUNNING);
    if (job->runner->is_draining)
        job_learn(job, &interrupted);
    else
        job->source->step->proceed(job);
}

static void start(struct job *job)
{
    struct order_lesson crashed = {.verdict = VERDICT_FAILED, .retry_after_ms = -1};

    if (job->claim.facts.crashes < job->runner->options.policy.crashes_max) {
        job_proceed(job);
        return;
    }
    job_enter(job, RUNNING);
    fail_as(&crashed.fault, FAULT_BROKEN, "crashes_worker",
            "%d workers died while they had this task; look for their last words in the logs",
            (int)job->claim.facts.crashes);
    job_learn(job, &crashed);
}

/* Whoever would count a crash if this worker died now. */
static bool is_anything_claimed(const struct runner *runner)
{
    for (int state = CLAIMING; state <= RESTING; state++)
        if (state != STARTING && !TAILQ_EMPTY(&runner->lists[state]))
            return true;
    return false;
}

/* A task whose worker died twice runs alone, so that nobody else dies with it. */
static void start_ready_jobs(struct runner *runner)
{
    struct job *job, *following;

    if (runner->alone)
        return;
    for (job = TAILQ_FIRST(&runner->lists[STARTING]); job; job = following) {
        following = TAILQ_NEXT(job, by_state);
        if (!job->is_solo)
            start(job);
    }
    job = TAILQ_FIRST(&runner->lists[STARTING]);
    if (job != NULL && !is_anything_claimed(runner)) {
        runner->alone = job;
        start(job);
    }
}

/* The job is over: who waits for its turn has it. */
static void leave(struct job *job)
{
    struct runner *runner = job->runner;

    if (job->claimed_ns)
        metric_observe_us(&job->source->metrics->task_seconds,
                          (int64_t)(clock_monotonic_ns() - job->claimed_ns) / 1000);
    LIST_REMOVE(job, by_id);
    runner->job_count--;
    metric_set(&job->source->metrics->jobs, --job->source->job_count);
    if (runner->alone == job) {
        runner->alone = NULL;
        runner->alone_ended_ms = clock_monotonic_ms();
    }
}

void job_end(struct job *job)
{
    struct runner *runner = job->runner;

    amqp_consumer_ack(job->source->consumer, job->link, job->tag);
    job_trace_end(job);
    leave(job);
    if (job->has_call)
        job_enter(job, LEFT);
    else
        job_free(job);
    job_claim_held(runner);
    start_ready_jobs(runner);
}

/* Without an ack: its message comes again, here or elsewhere. */
void job_forget(struct job *job)
{
    leave(job);
    job_free(job);
}

void job_free(struct job *job)
{
    if (job->source->step->finish)
        job->source->step->finish(job);
    claim_order_finish(&job->claim.order);
    TAILQ_REMOVE(&job->runner->lists[job->state], job, by_state);
    free(job);
}
