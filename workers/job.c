#include "workers/runner_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

enum { CRASHES_ALONE = 2, ALONE_PATIENCE_MS = 2000 };

static void on_claimed(struct group_ticket *ticket);
static void start_ready_jobs(struct runner *runner);
static void decide(struct job *job);
static void proceed(struct job *job);
static void on_written(struct group_ticket *ticket);
static void on_reserved(struct group_ticket *ticket);
static void on_twins_found(struct group_ticket *ticket);
static void end_job(struct job *job);
static void free_job(struct job *job);

/* The only place where a job changes state. */
static void enter(struct job *job, enum job_state next)
{
    TAILQ_REMOVE(&job->runner->lists[job->state], job, by_state);
    job->state = next;
    TAILQ_INSERT_TAIL(&job->runner->lists[next], job, by_state);
}

static void rest(struct job *job, void (*again)(struct job *job))
{
    job->again = again;
    job->since_ms = clock_monotonic_ms();
    enter(job, RESTING);
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
    job->outcome.ticket.on_settled = on_written;
    job->outcome.row.facts = &job->claim.facts;
    job->reserve.ticket.on_settled = on_reserved;
    job->reserve.row.facts = &job->claim.facts;
    job->twins.ticket.on_settled = on_twins_found;
    job->twins.order_id = job->id;
    job->twins.order = &job->claim.order;
    job->reserve.order = &job->claim.order;
    job->reserve.policy = &runner->options.policy;
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
        enter(job, HELD);
        return;
    }
    job->asked_ms = clock_monotonic_ms();
    job_trace_begin_part(job, "claim");
    if (group_submit(job->source->claims, &job->claim.ticket))
        enter(job, CLAIMING);
    else
        rest(job, job_start_claim);
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

/* The claim was made for the id of its epoch; another one since means that it is not ours. */
static bool is_epoch_current(const struct job *job)
{
    return worker_session_is_alive(job->source->session) &&
           worker_session_epoch(job->source->session) == job->claim.epoch;
}

/* The broker may notice sooner than Postgres that a worker has died: a message that comes again is
 * worth a second look. */
static void on_claim_refused(struct job *job)
{
    metric_add(&job->source->metrics->claims_refused, 1);
    if (job->is_redelivered && !job->runner->is_draining) {
        job->is_redelivered = false;
        rest(job, job_start_claim);
    } else {
        end_job(job);
    }
}

/* What was learnt is written, unless it is about a payment that is not the newest any more. */
static void go_on(struct job *job)
{
    if (job->has_lesson && order_lesson_holds(&job->claim.facts, &job->lesson))
        decide(job);
    else
        proceed(job);
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
        rest(job, job_start_claim);
        return;
    }
    worker_session_note_claimed(job->source->session, job->outbox_id);
    if (!job->claim.is_claimed) {
        on_claim_refused(job);
        return;
    }
    if (!was_ours)
        note_claimed(job);
    job->is_ours = true;
    job->is_solo = job->claim.facts.crashes >= CRASHES_ALONE;
    if (was_ours) { /* it was overtaken, read again, and is still ours */
        go_on(job);
        return;
    }
    hint_order(runner->hint, &job->id);
    job->since_ms = clock_monotonic_ms();
    enter(job, STARTING);
    start_ready_jobs(runner);
}

/* While draining nothing new is begun: the task is made ready again, for another worker. */
static void proceed(struct job *job)
{
    static const struct order_lesson interrupted = {.verdict = VERDICT_INTERRUPTED,
                                                    .retry_after_ms = -1};

    enter(job, RUNNING);
    if (job->runner->is_draining)
        job_learn(job, &interrupted);
    else
        job->source->step->proceed(job);
}

static void start(struct job *job)
{
    struct order_lesson crashed = {.verdict = VERDICT_FAILED, .retry_after_ms = -1};

    if (job->claim.facts.crashes < job->runner->options.policy.crashes_max) {
        proceed(job);
        return;
    }
    enter(job, RUNNING);
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

/* --- what the step learns ----------------------------------------------------------------------
 */

static void submit_outcome(struct job *job)
{
    job_trace_begin_part(job, "commit");
    if (group_submit(job->runner->outcomes, &job->outcome.ticket))
        enter(job, WRITING);
    else
        rest(job, submit_outcome);
}

static void decide(struct job *job)
{
    order_decide(&job->claim.facts, &job->lesson, &job->runner->options.policy,
                 (uint32_t)random() << 1, &job->outcome.row.change);
    if (job->has_call) /* SIGTERM does not wait for its answer */
        job->outcome.row.calls.to_us = database_now_us(job->runner->options.database);
    submit_outcome(job);
}

/* A failure of a call is perhaps not the task's own: what comes next shows it. */
static void settle_doubt(struct job *job)
{
    enum breaker_verdict verdict = breaker_ask(job->runner->breaker, &job->doubt);

    if (verdict == DOUBT_STANDS)
        return;
    job->doubt.is_raised = false;
    job->lesson.is_outage = verdict == DOUBT_OUTAGE;
    job->lesson.is_doubtful = verdict == DOUBT_UNCLEAR;
    decide(job);
}

void job_settle_doubts(struct runner *runner)
{
    struct job *job, *following;

    for (job = TAILQ_FIRST(&runner->lists[DOUBTING]); job; job = following) {
        following = TAILQ_NEXT(job, by_state);
        settle_doubt(job);
    }
}

static bool is_of_failure(const struct order_lesson *lesson)
{
    return !lesson->is_interrupted &&
           (lesson->verdict == VERDICT_FAILED || lesson->verdict == VERDICT_PAYMENT_UNKNOWN ||
            lesson->verdict == VERDICT_SHIPMENT_UNKNOWN ||
            lesson->verdict == VERDICT_REFUND_UNKNOWN);
}

void job_learn(struct job *job, const struct order_lesson *lesson)
{
    job->lesson = *lesson;
    job->lesson.attempt_number = job->claim.facts.attempt_number;
    job->lesson.resolution = job->claim.facts.resolution;
    job->lesson.is_given_up = job->claim.facts.is_given_up;
    job->has_lesson = true;
    if (job->doubt.is_raised && is_of_failure(lesson)) {
        enter(job, DOUBTING);
        settle_doubt(job);
    } else {
        job->doubt.is_raised = false;
        decide(job);
    }
}

void job_find_twins(struct job *job)
{
    job->has_lesson = false;
    job_trace_begin_part(job, "twins");
    if (group_submit(job->runner->twins, &job->twins.ticket))
        enter(job, WRITING);
    else
        rest(job, job_find_twins);
}

void job_reserve(struct job *job)
{
    job->has_lesson = false;
    job_trace_begin_part(job, "reserve");
    if (group_submit(job->runner->reserves, &job->reserve.ticket))
        enter(job, WRITING);
    else
        rest(job, job_reserve);
}

static void read_again(struct job *job)
{
    metric_add(&job->source->metrics->overtaken, 1);
    job->has_lesson = job->has_lesson && !job->source->step->looks_again;
    if (is_epoch_current(job))
        job_start_claim(job);
    else
        end_job(job); /* somebody else has it, or the sweeper finds it */
}

static void log_dead_letter(const struct job *job, const struct order_change *change)
{
    const struct log_about about = {.order = job->public_id};

    metric_add(&job->source->metrics->dead_letters, 1);
    log_write(LOG_ERROR, "dead_letter", &about, "%s/%s: %s",
              change->fault ? fault_kind_name(change->fault->kind) : "",
              change->fault ? change->fault->code : "", change->fault ? change->fault->text : "");
}

static void note_outcome(const struct job *job, const struct order_change *change)
{
    int64_t now_us = database_now_us(job->runner->options.database);

    metric_add(&job->source->metrics->retries, change->task_state == TASK_WAITING);
    metric_add(&job->source->metrics->parked, change->task_state == TASK_PARKED);
    if (change->is_final && change->status != job->claim.facts.status)
        job_metrics_note_final(change->status, now_us - order_id_unix_ms(&job->id) * 1000);
}

/* The change is committed. */
static void take_effect(struct job *job, const struct order_change *change)
{
    struct runner *runner = job->runner;

    note_outcome(job, change);
    job->outcome.row.calls = (struct hop){0};
    if (change->is_dead)
        log_dead_letter(job, change);
    hint_order(runner->hint, &job->id);
    if (change->next != STAGE_NONE)
        hint_work(runner->hint);
    if (!change->keeps_running) {
        end_job(job);
        return;
    }
    order_apply(&job->claim.facts, change);
    if (change->is_halfway)
        go_on(job);
    else
        proceed(job);
}

/* Postgres will not have it: our bug.  The second time there is nothing left that could be written;
 * the task stays with this worker until it ends, and the log says so. */
static void on_refused(struct job *job, const struct fault *fault, void (*again)(struct job *job))
{
    struct order_lesson broken = {.verdict = VERDICT_FAILED, .retry_after_ms = -1};

    if (fault->kind == FAULT_TRANSIENT) {
        rest(job, again);
        return;
    }
    broken.fault = *fault;
    fail_as(&broken.fault, FAULT_BROKEN, "outcome_refused", "%s", fault->text);
    if (job->is_refused) {
        log_error("outcome_lost", "%s: %s", job->public_id, fault->text);
        end_job(job);
        return;
    }
    job->is_refused = true;
    job_learn(job, &broken);
}

static void on_written(struct group_ticket *ticket)
{
    struct job *job = container_of(ticket, struct job, outcome.ticket);

    job_trace_end_part(job, ticket->outcome == GROUP_COMMITTED);
    if (ticket->outcome != GROUP_COMMITTED)
        on_refused(job, &ticket->fault, submit_outcome);
    else if (!job->outcome.row.is_written)
        read_again(job);
    else
        take_effect(job, &job->outcome.row.change);
}

static void on_reserved(struct group_ticket *ticket)
{
    struct job *job = container_of(ticket, struct job, reserve.ticket);
    const struct claim_order *order = &job->claim.order;

    job_trace_end_part(job, ticket->outcome == GROUP_COMMITTED);
    if (ticket->outcome != GROUP_COMMITTED) {
        on_refused(job, &ticket->fault, job_reserve);
        return;
    }
    if (!job->reserve.row.is_written) { /* nothing was taken now; perhaps it was before */
        read_again(job);
        return;
    }
    job->has_lesson = false;
    for (int i = 0; job->reserve.is_granted && i < order->line_count; i++)
        job->claim.facts.held += order->lines[i].quantity;
    take_effect(job, &job->reserve.row.change);
}

static void on_twins_found(struct group_ticket *ticket)
{
    struct job *job = container_of(ticket, struct job, twins.ticket);

    job_trace_end_part(job, ticket->outcome == GROUP_COMMITTED);
    if (ticket->outcome != GROUP_COMMITTED) {
        on_refused(job, &ticket->fault, job_find_twins);
        return;
    }
    twins_note(&job->twins);
    if (job->twins.is_flagged)
        read_again(job);
    else if (job->twins.is_unsure)
        rest(job, job_find_twins);
    else
        proceed(job);
}

static void end_job(struct job *job)
{
    struct runner *runner = job->runner;

    amqp_consumer_ack(job->source->consumer, job->link, job->tag);
    job_trace_end(job);
    leave(job);
    if (job->has_call)
        enter(job, LEFT);
    else
        free_job(job);
    job_claim_held(runner);
    start_ready_jobs(runner);
}

/* Without an ack: its message comes again, here or elsewhere. */
void job_forget(struct job *job)
{
    leave(job);
    free_job(job);
}

static void free_job(struct job *job)
{
    if (job->source->step->finish)
        job->source->step->finish(job);
    claim_order_finish(&job->claim.order);
    TAILQ_REMOVE(&job->runner->lists[job->state], job, by_state);
    free(job);
}

/* --- for steps ---------------------------------------------------------------------------------
 */

const struct order_facts *job_facts(const struct job *job)
{
    return &job->claim.facts;
}

const struct claim_order *job_order(const struct job *job)
{
    return &job->claim.order;
}

const char *job_public_id(const struct job *job)
{
    return job->public_id;
}

const struct order_policy *job_policy(const struct job *job)
{
    return &job->runner->options.policy;
}

void *job_work(struct job *job)
{
    return job->work;
}

void *job_outside(const struct job *job)
{
    return job->runner->options.outside;
}

void job_add_pass(const struct job *job, char *key, size_t size)
{
    size_t length = strlen(key);

    if (job->claim.pass > 0)
        snprintf(key + length, size - length, "-p%lld", (long long)job->claim.pass);
}

bool job_may_send(const struct job *job)
{
    return !job->is_interrupted && worker_session_may_send(job->source->session, job->claim.epoch);
}

bool job_is_fresh(const struct job *job)
{
    return (int64_t)(clock_monotonic_ms() - job->asked_ms) < job_policy(job)->longest_call_ms;
}

static void learn_held(struct job *job)
{
    const struct outside *outside = outside_of(job->source->step->stage);
    struct order_lesson lesson = {.verdict = VERDICT_HELD, .retry_after_ms = -1};

    fail_as(&lesson.fault, job->claim.facts.is_unknown ? FAULT_UNKNOWN : FAULT_TRANSIENT,
            outside->unavailable, "not called: %s is held back (docket status)", outside->name);
    job_learn(job, &lesson);
}

/* Several calls between two outcomes are one hop. */
static void begin_hop(struct job *job)
{
    struct hop *calls = &job->outcome.row.calls;
    int64_t now_us = database_now_us(job->runner->options.database);

    calls->from_us = calls->from_us ? calls->from_us : now_us;
    calls->to_us = now_us;
}

bool job_begin_call(struct job *job, const char *name)
{
    if (!breaker_begin_call(job->runner->breaker, job->claim.pass, &job->doubt)) {
        learn_held(job);
        return false;
    }
    job->has_call = true;
    begin_hop(job);
    job_trace_begin_call(job, name);
    enter(job, CALLING);
    return true;
}

bool job_end_call(struct job *job, enum breaker_evidence evidence)
{
    job->has_call = false;
    job->outcome.row.calls.to_us = database_now_us(job->runner->options.database);
    job_trace_end_call(job, breaker_is_failure(evidence));
    breaker_end_call(job->runner->breaker, &job->doubt, evidence);
    if (!job->is_interrupted) {
        enter(job, RUNNING);
        return true;
    }
    if (job->state == LEFT)
        free_job(job);
    return false;
}
