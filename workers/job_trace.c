#include "workers/job_trace.h"

#include <stdio.h>

#include "schema/outsides.h"
#include "workers/runner_inside.h"

static enum stage stage_of(const struct job *job)
{
    return job->source->step->stage;
}

void job_trace_begin(struct job *job, const char *traceparent)
{
    trace_begin(&job->trace.task, SPAN_CONSUMER, stage_name(stage_of(job)), traceparent);
}

void job_trace_end(struct job *job)
{
    char attempt[16], fence[16];
    const struct span_note notes[] = {{"docket.order", job->public_id},
                                      {"docket.attempt", attempt},
                                      {"docket.claims", fence},
                                      {0}};

    if (!job->trace.task.is_told)
        return;
    snprintf(attempt, sizeof(attempt), "%d", (int)job->claim.facts.attempt);
    snprintf(fence, sizeof(fence), "%d", (int)job->claim.facts.claims);
    trace_end(&job->trace.task, notes, NULL);
}

void job_trace_begin_part(struct job *job, const char *name)
{
    trace_begin_under(&job->trace.part, SPAN_INTERNAL, name, &job->trace.task);
}

void job_trace_end_part(struct job *job, bool is_committed)
{
    trace_end(&job->trace.part, NULL, is_committed ? NULL : "not committed");
}

void job_trace_begin_call(struct job *job, const char *name)
{
    trace_begin_under(&job->trace.call, SPAN_CLIENT, name, &job->trace.task);
}

void job_trace_end_call(struct job *job, bool has_failed)
{
    const struct outside *outside = outside_of(stage_of(job));
    const struct span_note notes[] = {{"peer.service", outside ? outside->name : ""}, {0}};

    trace_end(&job->trace.call, notes, has_failed ? "no good answer" : NULL);
}
