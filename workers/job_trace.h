/* workers/job_trace.h - the spans of one job: the task, under it its claim, commits and calls */
#pragma once

#include "base/trace.h"

struct job;

struct job_trace {
    struct span task, part, call;
};

void job_trace_begin(struct job *job, const char *traceparent);
void job_trace_end(struct job *job);
/* One transaction: "claim", "twins", "reserve" or "commit". */
void job_trace_begin_part(struct job *job, const char *name);
void job_trace_end_part(struct job *job, bool is_committed);
void job_trace_begin_call(struct job *job, const char *name);
void job_trace_end_call(struct job *job, bool has_failed);
