/* workers/runner_inside.h - what the files of the runner share: runner.c (deliveries, the end),
 * job.c (one job's life), job_outcome.c (what it learns is written), job_step.c (what its step may
 * ask) */
#pragma once

#include <stddef.h>
#include <sys/queue.h>

#include "workers/job_metrics.h"
#include "workers/job_trace.h"
#include "workers/runner.h"

enum job_state {
    HELD,     /* waits for the lease, or until a task that kills workers has run alone */
    CLAIMING, /* its claim is being committed */
    STARTING, /* waits for its turn: a job that kills workers runs alone */
    RUNNING,  /* the step has it */
    CALLING,  /* a call to the outside is open */
    DOUBTING, /* its call failed: was it the task's own failure, or is the outside away? */
    WRITING,  /* an outcome is being committed */
    RESTING,  /* a claim or an outcome failed for no reason of its own; it is tried again soon */
    LEFT,     /* its outcome is written, but SIGTERM left its call open: it waits for the call */
};

struct job {
    struct runner *runner;
    struct source *source; /* of its message */
    enum job_state state;
    TAILQ_ENTRY(job) by_state; /* in runner->lists[state]: what waits is on the list of its state */
    LIST_ENTRY(job) by_id;
    struct order_id id;
    char public_id[ORDER_ID_TEXT_SIZE];
    uint64_t link, tag; /* of its delivery */
    int64_t outbox_id;
    uint64_t claimed_ns;            /* monotonic; 0: it was not */
    uint64_t asked_ms;              /* monotonic; when its claim was last asked for */
    bool is_ours;                   /* it was claimed; a further claim reads it again */
    bool is_solo;                   /* it runs alone */
    bool is_redelivered;            /* whoever had its message before may be dying at this moment */
    bool has_lesson;                /* `lesson` is what is being written */
    bool has_call, is_interrupted;  /* SIGTERM left the call open: its answer is ignored */
    void (*again)(struct job *job); /* of a resting one */
    uint64_t since_ms;              /* of one that rests, or waits for its turn */
    struct breaker_doubt doubt;
    bool is_refused; /* Postgres refused an outcome of it once */
    struct order_lesson lesson;
    struct job_trace trace;
    struct claim_ticket claim;
    struct outcome_ticket outcome;
    struct reserve_ticket reserve;
    struct twins_ticket twins;
    max_align_t work[];
};

enum { BUCKETS = 1024 };

TAILQ_HEAD(job_list, job);
LIST_HEAD(job_bucket, job);

/* One queue that the runner serves, and the lease under which its tasks are claimed. */
struct source {
    struct runner *runner;
    const struct step *step;
    struct claim_context claim_context;
    struct worker_session *session;
    struct group *claims;
    struct amqp_consumer *consumer; /* NULL: paused, or not begun */
    bool is_consuming, is_paused;
    bool is_stopped, is_closing; /* of the consumer: no more deliveries; its end is under way */
    int job_count;
    struct job_metrics *metrics;
};

struct runner {
    uv_loop_t *loop;
    struct runner_options options;
    struct outcome_context outcome_context;
    struct source sources[STAGE_COUNT];
    int source_count;
    struct begin_context begin_context;
    struct twins_context twins_context;
    struct group *outcomes, *reserves, *twins;
    struct breaker *breaker; /* NULL: the steps call nobody */
    struct hint *hint;
    bool is_draining;
    uint64_t drain_until_ms;
    void (*on_drained)(void *owner);
    void *drain_owner;
    uv_timer_t *tick;
    struct job_list lists[LEFT + 1];
    struct job_bucket jobs[BUCKETS];
    int job_count;
    struct job *alone; /* the task that runs alone now; NULL: none */
    uint64_t alone_ended_ms;
};

/* A delivery becomes a job, and waits for the lease or its claim. */
struct job *job_create(struct source *source, const struct order_id *id, int64_t outbox_id,
                       const struct amqp_delivery *delivery);
struct job *job_find(const struct source *source, const struct order_id *id); /* NULL: none */
void job_start_claim(struct job *job);
void job_claim_held(struct runner *runner);
void job_forget(struct job *job); /* without an ack: its message comes again, here or elsewhere */
void job_settle_doubts(struct runner *runner); /* now and then */

/* Among these files.  The only place where a job changes state: */
void job_enter(struct job *job, enum job_state next);
void job_rest(struct job *job, void (*again)(struct job *job)); /* a moment, then again(job) */
void job_await_commits(
    struct job *job);              /* the tickets of a new job are told when they are settled */
void job_go_on(struct job *job);   /* with what it has learnt, if that still holds */
void job_proceed(struct job *job); /* its step has it */
void job_end(struct job *job);     /* acked; gone, but for a call that is open */
void job_free(struct job *job);    /* of one that is counted no more */
