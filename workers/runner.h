/* workers/runner.h - from a delivery to its ack: claim, step, outcome
 *
 *     delivery ─► CLAIMING ─► STARTING ─► (reserve, calls to the outside, outcomes …) ─► ack
 *                    └─ nothing to do ──────────────────────────────────────────────────► ack
 *
 * Hundreds of jobs are in flight on one loop; provider latency is waiting, not work.  A message is
 * acked after the commit that makes it superfluous.  What is claimed and not finished when the
 * process dies is taken over by whoever gets the message again.
 *
 * A step is told where the order stands and answers with what it has learnt; what follows from that
 * is decided by order_decide() alone.
 */
#pragma once

#include <uv.h>

#include "base/amqp.h"
#include "base/http/client.h"
#include "queue/breaker.h"
#include "queue/claim.h"
#include "queue/database.h"
#include "queue/hint.h"
#include "queue/outcome.h"
#include "queue/reserve.h"
#include "queue/twins.h"
#include "queue/worker_session.h"
#include "schema/settings.h"

struct job;
struct runner;

/* What a stage does. */
struct step {
    enum stage stage;
    bool reserves_stock;            /* it may call job_reserve() */
    bool looks_again;               /* overtaken, it forgets what it learnt and looks anew */
    bool compares_books;            /* its provider's and ours (workers/orphans.h) */
    size_t work_bytes;              /* zeroed memory of the step's own in each job: job_work() */
    void (*register_metrics)(void); /* of the outside it talks to; may be NULL */
    /* The outside it talks to, for job_outside(); lives as long as the process. */
    void *(*open)(struct http_client *client, const struct settings *settings);
    /* The task is ours and its facts are fresh: look, call, learn.  Called again after each outcome
     * that left the task running. */
    void (*proceed)(struct job *job);
    /* SIGTERM, and time is up while a call to the outside is open: what is to be written down? */
    void (*interrupt)(struct job *job, struct order_lesson *lesson);
    void (*finish)(struct job *job); /* frees what is in the work; may be NULL */
};

struct runner_options {
    const struct pg_server *server;
    const struct database *database; /* for its date */
    const char *amqp, *process, *provider;
    int prefetch;
    bool starts_paused;
    struct order_policy policy;
    struct breaker_policy breaker;
    const struct step *const *steps; /* all of them call the same outside, or nobody */
    int step_count;
    void *outside; /* the provider or carrier: job_outside() */
};

struct runner *runner_create(uv_loop_t *loop, const struct runner_options *options);
bool runner_is_ready(const struct runner *runner); /* has its leases, and each queue or a pause */
int runner_jobs(const struct runner *runner);
/* Stops consuming, ends what is in flight (calls that are open after grace_ms are written down as
 * what they are: unknown), acks, closes; then on_drained, after which the runner is gone. */
void runner_drain(struct runner *runner, uint64_t grace_ms, void (*on_drained)(void *owner),
                  void *owner);

/* --- for steps ------------------------------------------------------------------------------ */

const struct order_facts *job_facts(const struct job *job);
const struct claim_order *job_order(const struct job *job);
const char *job_public_id(const struct job *job); /* "ord_…" */
const struct order_policy *job_policy(const struct job *job);
void *job_work(struct job *job);
void *job_outside(const struct job *job);
/* To a key under which a failure may have been stored: an outage counts no attempt, so the key
 * changes with each time that the task was parked and let out. */
void job_add_pass(const struct job *job, char *key, size_t size);
bool job_may_send(const struct job *job); /* directly before the first byte of a call */
/* Its claim is younger than the outside's longest call: whatever was asked of the order since is
 * not older than that. */
bool job_is_fresh(const struct job *job);
/* A call to the outside begins, and is so called in traces: the job cannot be interrupted but by
 * step->interrupt.  False: the outside is held back; the job has learnt so, and may be gone. */
bool job_begin_call(struct job *job, const char *name) __attribute__((warn_unused_result));
/* False: the answer comes too late, the job may be gone. */
bool job_end_call(struct job *job, enum breaker_evidence evidence)
    __attribute__((warn_unused_result));

/* Each ends proceed(); the job goes on, or is gone, when it was committed.  Texts that the lesson
 * points to must live in the job's work or for ever. */
void job_learn(struct job *job, const struct order_lesson *lesson);
void job_reserve(struct job *job);
/* Is there an order like this one?  proceed() is called again, with facts that say so. */
void job_find_twins(struct job *job);
