#include "workers/runner_inside.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"

static void decide(struct job *job);
static void on_written(struct group_ticket *ticket);
static void on_reserved(struct group_ticket *ticket);
static void on_twins_found(struct group_ticket *ticket);

void job_await_commits(struct job *job)
{
    job->outcome.ticket.on_settled = on_written;
    job->reserve.ticket.on_settled = on_reserved;
    job->twins.ticket.on_settled = on_twins_found;
}

/* What was learnt is written, unless it is about a payment that is not the newest any more. */
void job_go_on(struct job *job)
{
    if (job->has_lesson && order_lesson_holds(&job->claim.facts, &job->lesson))
        decide(job);
    else
        job_proceed(job);
}

static void submit_outcome(struct job *job)
{
    job_trace_begin_part(job, "commit");
    if (group_submit(job->runner->outcomes, &job->outcome.ticket))
        job_enter(job, WRITING);
    else
        job_rest(job, submit_outcome);
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
        job_enter(job, DOUBTING);
        settle_doubt(job);
    } else {
        job->doubt.is_raised = false;
        decide(job);
    }
}

static void submit_twins(struct job *job)
{
    job_trace_begin_part(job, "twins");
    if (group_submit(job->runner->twins, &job->twins.ticket))
        job_enter(job, WRITING);
    else
        job_rest(job, submit_twins);
}

/* Its claim has mostly looked already. */
void job_find_twins(struct job *job)
{
    const struct claim_begin *begin = &job->claim.begin;

    job->has_lesson = false;
    job->twins.is_noted = begin->is_noted;
    job->twins.look = begin->look;
    if (begin->is_noted && !begin->look.is_alike)
        job_proceed(job);
    else
        submit_twins(job);
}

void job_reserve(struct job *job)
{
    job->has_lesson = false;
    job_trace_begin_part(job, "reserve");
    if (group_submit(job->runner->reserves, &job->reserve.ticket))
        job_enter(job, WRITING);
    else
        job_rest(job, job_reserve);
}

/* The claim was made for the id of its epoch; another one since means that it is not ours. */
static bool is_epoch_current(const struct job *job)
{
    return worker_session_is_alive(job->source->session) &&
           worker_session_epoch(job->source->session) == job->claim.epoch;
}

static void read_again(struct job *job)
{
    metric_add(&job->source->metrics->overtaken, 1);
    job->has_lesson = job->has_lesson && !job->source->step->looks_again;
    if (is_epoch_current(job))
        job_start_claim(job);
    else
        job_end(job); /* somebody else has it, or the sweeper finds it */
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
        job_end(job);
        return;
    }
    order_apply(&job->claim.facts, change);
    if (change->is_halfway)
        job_go_on(job);
    else
        job_proceed(job);
}

/* Postgres will not have it: our bug.  The second time there is nothing left that could be written;
 * the task stays with this worker until it ends, and the log says so. */
static void on_refused(struct job *job, const struct fault *fault, void (*again)(struct job *job))
{
    struct order_lesson broken = {.verdict = VERDICT_FAILED, .retry_after_ms = -1};

    if (fault->kind == FAULT_TRANSIENT) {
        job_rest(job, again);
        return;
    }
    broken.fault = *fault;
    fail_as(&broken.fault, FAULT_BROKEN, "outcome_refused", "%s", fault->text);
    if (job->is_refused) {
        log_error("outcome_lost", "%s: %s", job->public_id, fault->text);
        job_end(job);
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
    if (job->reserve.want.is_granted)
        job->claim.facts.held += claim_order_pieces(&job->claim.order);
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
    if (job->twins.look.is_alike && !job->twins.is_noted) {
        job->twins.is_noted = true;
        submit_twins(job);
    } else if (job->twins.is_flagged) {
        read_again(job);
    } else if (job->twins.is_unsure) {
        job_rest(job, job_find_twins);
    } else {
        job_proceed(job);
    }
}
