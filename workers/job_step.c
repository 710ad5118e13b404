#include "workers/runner_inside.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

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
    job_enter(job, CALLING);
    return true;
}

bool job_end_call(struct job *job, enum breaker_evidence evidence)
{
    job->has_call = false;
    job->outcome.row.calls.to_us = database_now_us(job->runner->options.database);
    job_trace_end_call(job, breaker_is_failure(evidence));
    breaker_end_call(job->runner->breaker, &job->doubt, evidence);
    if (!job->is_interrupted) {
        job_enter(job, RUNNING);
        return true;
    }
    if (job->state == LEFT)
        job_free(job);
    return false;
}
