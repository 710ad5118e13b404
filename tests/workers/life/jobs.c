#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "schema/outsides.h"
#include "tests/workers/life/books.h"
#include "tests/workers/life/inside.h"
#include "tests/workers/life/model.h"

enum { DECIDES_MAX = 40 };

const struct order_policy job_policy_of_all = {
    .retry = {1000, 300000, 6},
    .customer_wait_ms = WORLD_WAIT_MS,
    .unknown_sla_ms = WORLD_SLA_MS,
    .longest_call_ms = WORLD_LONGEST_CALL_MS,
    .duplicate_window_ms = 600000,
    .holds_duplicates = true,
    .crashes_max = 4,
};

const struct step *const job_steps[STAGE_COUNT] = {
#define STAGE(number, NAME, name) [number] = &name##_step,
    STAGES(STAGE)
#undef STAGE
};

/* --- a job's life (workers/job.c) --------------------------------------------------------------
 */

void job_end(struct job *job)
{
    if (job_steps[job->stage]->finish)
        job_steps[job->stage]->finish(job);
    model_forget_job(job);
    job->is_over = true;
}

static void decide(struct job *job)
{
    for (int n = 0; n < DECIDES_MAX; n++) {
        struct order_change change;

        order_decide(&job->facts, &job->lesson, &job_policy_of_all, world.random, &change);
        if (!books_commit(job, &change)) {
            world_see(SAW_OVERTAKEN);
            if (!books_have(job)) {
                job_end(job);
                return;
            }
            books_take(
                job); /* still ours, or nobody's: read again, and decide the same lesson again */
            if (job_steps[job->stage]->looks_again ||
                !order_lesson_holds(&job->facts, &job->lesson)) {
                world_sights[SAW_STALE_LESSON] += !job_steps[job->stage]->looks_again;
                job_go_on(job);
                return;
            }
            continue;
        }
        if (!change.keeps_running) {
            job_end(job);
            return;
        }
        order_apply(&job->facts, &change);
        if (!change.is_halfway) {
            job_go_on(job);
            return;
        }
    }
    world_break("order %d decides for ever", job->order);
}

void job_go_on(struct job *job)
{
    struct order_lesson crashed = {.verdict = VERDICT_FAILED, .retry_after_ms = -1};

    job->has_lesson = false;
    job->asked = -1;
    job->began_given_up = job->facts.is_given_up;
    world.caller = job;
    if (job->facts.crashes < job_policy_of_all.crashes_max) {
        job_steps[job->stage]->proceed(job);
        return;
    }
    fail_as(&crashed.fault, FAULT_BROKEN, "crashes_worker", "workers died of it");
    job_learn(job, &crashed);
}

void job_learn(struct job *job, const struct order_lesson *lesson)
{
    job->lesson = *lesson;
    job->lesson.attempt_number = job->facts.attempt_number;
    job->lesson.resolution = job->facts.resolution;
    job->lesson.is_given_up = job->facts.is_given_up;
    if (world.is_outage && !lesson->is_interrupted &&
        (lesson->verdict == VERDICT_FAILED || lesson->verdict == VERDICT_PAYMENT_UNKNOWN ||
         lesson->verdict == VERDICT_SHIPMENT_UNKNOWN || lesson->verdict == VERDICT_REFUND_UNKNOWN))
        job->lesson.is_outage = true;
    decide(job);
}

/* What is begun in the transaction of its first claim (queue/begin.c). */
void job_begin(struct job *job)
{
    static const struct order_lesson reserved = {.verdict = VERDICT_RESERVED, .retry_after_ms = -1};
    struct book *book = &world.books[job->order];
    struct order_change change;

    if (!order_is_new(&job->facts, &job_policy_of_all) || world.available < PIECES ||
        (world.is_alike && twins_find(job->order)))
        return;
    world_see(SAW_BEGUN);
    job->lesson = reserved;
    order_decide(&job->facts, &reserved, &job_policy_of_all, world.random, &change);
    world.loses_write = false;
    if (!books_commit(job, &change))
        return;
    book->version--; /* the claim's own */
    world.available -= PIECES;
    book->held += PIECES;
    job->facts.held += PIECES;
    order_apply(&job->facts, &change);
    job->facts.version--;
}

/* Whoever is flagged has lost its version, and is read again. */
void job_find_twins(struct job *job)
{
    if (!world.is_alike || !twins_check(job->order)) {
        job_go_on(job);
    } else if (books_have(job)) {
        books_take(job);
        job_go_on(job);
    } else {
        job_end(job);
    }
}

void job_reserve(struct job *job)
{
    struct book *book = &world.books[job->order];
    bool is_granted = world.available >= PIECES;
    struct order_lesson lesson = {.verdict = is_granted ? VERDICT_RESERVED : VERDICT_OUT_OF_STOCK,
                                  .retry_after_ms = -1};
    struct order_change change;

    if (book->version != job->facts.version) {
        world_see(SAW_OVERTAKEN);
        if (book->tasks[job->stage].holder == job &&
            book->tasks[job->stage].state == TASK_RUNNING) {
            books_take(job);
            job_go_on(job);
        } else {
            job_end(job);
        }
        return;
    }
    job->lesson = lesson;
    order_decide(&job->facts, &lesson, &job_policy_of_all, world.random, &change);
    world.loses_write = false; /* the stock is taken in the same transaction */
    books_commit(job, &change);
    if (is_granted) {
        world.available -= PIECES;
        book->held += PIECES;
        job->facts.held += PIECES;
    }
    if (!change.keeps_running) {
        job_end(job);
        return;
    }
    order_apply(&job->facts, &change);
    job_go_on(job);
}

bool job_begin_call(struct job *job, const char *name)
{
    const struct outside *outside = outside_of(job->stage);
    struct order_lesson held = {.verdict = VERDICT_HELD, .retry_after_ms = -1};

    (void)name;
    if (!world.is_outage || job->pass > 0) {
        job->has_call = true;
        world.caller = job;
        return true;
    }
    fail_as(&held.fault, job->facts.is_unknown ? FAULT_UNKNOWN : FAULT_TRANSIENT,
            outside->unavailable, "held back");
    job_learn(job, &held);
    return false;
}

bool job_end_call(struct job *job, enum breaker_evidence evidence)
{
    (void)evidence;
    job->has_call = false;
    world.caller = job;
    return !job->is_over && !job->is_interrupted;
}

bool job_may_send(const struct job *job)
{
    return !job->is_over && !job->is_interrupted;
}

bool job_is_fresh(const struct job *job)
{
    return world.now_ms - job->claimed_ms < WORLD_LONGEST_CALL_MS;
}

const struct order_facts *job_facts(const struct job *job)
{
    return &job->facts;
}

const struct claim_order *job_order(const struct job *job)
{
    return &job->claimed;
}

const char *job_public_id(const struct job *job)
{
    return world.books[job->order].public_id;
}

const struct order_policy *job_policy(const struct job *job)
{
    (void)job;
    return &job_policy_of_all;
}

void *job_work(struct job *job)
{
    return job->work;
}

void *job_outside(const struct job *job)
{
    return job->stage == STAGE_FULFILMENT ? (void *)model_carrier() : (void *)model_provider();
}

void job_add_pass(const struct job *job, char *key, size_t size)
{
    size_t length = strlen(key);

    if (job->pass > 0)
        snprintf(key + length, size - length, "-p%lld", (long long)job->pass);
}
