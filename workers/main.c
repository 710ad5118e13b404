/* docket-worker STAGE - consumes the queue of a stage and performs its step */
#include <stdio.h>
#include <string.h>

#include "base/http/client.h"
#include "base/memory.h"
#include "queue/service.h"
#include "workers/job_metrics.h"
#include "workers/orphans.h"
#include "workers/steps.h"

enum { CRASHES_MAX = 4, DRAIN_MS = 6000 };

struct worker {
    struct service service;
    const struct step *steps[STAGE_COUNT];
    int step_count;
    struct http_client *client;
    struct runner *runner;
    struct orphans *orphans; /* NULL: its step compares no books */
    void *outside;
};

static const struct step *const steps[] = {
#define STAGE(number, NAME, name) &name##_step,
    STAGES(STAGE)
#undef STAGE
};

static struct order_policy policy_of(const struct settings *settings)
{
    return (struct order_policy){
        .retry = {settings->retry_base_ms, settings->retry_max_ms, (int32_t)settings->attempts_max},
        .customer_wait_ms = settings->customer_wait_s * 1000,
        .unknown_sla_ms = settings->unknown_sla_s * 1000,
        .longest_call_ms = settings->provider_longest_ms,
        .duplicate_window_ms = settings->duplicate_window_s * 1000,
        .holds_duplicates = settings->duplicate_hold,
        .crashes_max = CRASHES_MAX,
    };
}

static void on_drained(void *owner)
{
    struct worker *worker = owner;

    orphans_destroy(worker->orphans);
    service_ended(&worker->service);
}

static void on_stop(void *owner)
{
    struct worker *worker = owner;

    if (worker->orphans)
        orphans_stop(worker->orphans);
    runner_drain(worker->runner, DRAIN_MS, on_drained, worker);
}

static bool is_ready(const void *owner, struct text *reason)
{
    const struct worker *worker = owner;

    if (runner_is_ready(worker->runner))
        return true;
    text_add(reason, worker->service.database.fault.kind != FAULT_NONE
                         ? worker->service.database.fault.text
                         : "waits for Postgres (its lease) or RabbitMQ (its queue); see the log");
    text_add(reason, "\n");
    return false;
}

static const struct step *find_step(const char *name)
{
    enum stage stage;

    for (size_t i = 0; name && stage_parse(name, &stage) && i < ARRAY_SIZE(steps); i++) {
        if (steps[i]->stage == stage)
            return steps[i];
    }
    return NULL;
}

/* The stage that was named, and those that it leads: they call the same outside. */
static void choose_steps(struct worker *worker, const struct step *first)
{
    const struct outside *outside = outside_of(first->stage);

    worker->steps[worker->step_count++] = first;
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        if (steps[i] != first && outside && outside->stage == first->stage &&
            outside_of(steps[i]->stage) == outside)
            worker->steps[worker->step_count++] = steps[i];
    }
}

/* The names come from the table, so that a new stage is in the usage, too. */
static int print_usage(void)
{
    fprintf(stderr,
            "usage: docket-worker STAGE [--paused]   (--help lists the settings)\n\nstages:");
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
        fprintf(stderr, " %s", stage_name(steps[i]->stage));
    fprintf(stderr,
            "\n\nA stage that others share their provider with performs theirs, too: payment also\n"
            "cancels and refunds.\n");
    return 2;
}

static bool is_told_to_pause(int argc, char **argv)
{
    return argc > 2 && strcmp(argv[2], "--paused") == 0;
}

static void register_metrics(const struct worker *worker)
{
    amqp_register_metrics();
    claim_register_metrics();
    outcome_register_metrics();
    for (int i = 0; i < worker->step_count; i++) {
        if (worker->steps[i]->reserves_stock) {
            reserve_register_metrics();
            twins_register_metrics();
        }
        if (worker->steps[i]->compares_books)
            orphans_register_metrics();
        job_metrics_of(worker->steps[i]->stage);
    }
    job_metrics_register_ends();
    breaker_register_metrics();
    if (worker->steps[0]->register_metrics)
        worker->steps[0]->register_metrics();
}

int main(int argc, char **argv)
{
    const struct step *step = find_step(argc > 1 ? argv[1] : NULL);
    static struct worker worker; /* lives until the process has ended */
    const struct settings *settings = &worker.service.settings;

    if (step == NULL && !(argc > 1 && strcmp(argv[1], "--help") == 0))
        return print_usage();
    if (step) {
        choose_steps(&worker, step);
        register_metrics(&worker);
    }
    service_begin(&worker.service, argc, argv, PROGRAM_WORKER, step ? stage_name(step->stage) : "");
    if (step == NULL) /* --help has ended the process */
        return print_usage();
    worker.service.owner = &worker;
    worker.service.on_stop = on_stop;
    worker.service.is_ready = is_ready;
    worker.client = http_client_create(
        &worker.service.loop, &(struct http_client_options){(int)settings->prefetch, NULL});
    worker.outside = step->open ? step->open(worker.client, settings) : NULL;
    worker.runner =
        runner_create(&worker.service.loop,
                      &(struct runner_options){
                          .server = &worker.service.database.server,
                          .database = &worker.service.database,
                          .amqp = settings->amqp,
                          .process = worker.service.process,
                          .provider = "stripe",
                          .prefetch = (int)settings->prefetch,
                          .starts_paused = settings->start_paused || is_told_to_pause(argc, argv),
                          .policy = policy_of(settings),
                          .breaker = {settings->breaker_failures, settings->breaker_percent,
                                      settings->breaker_window_s * 1000},
                          .steps = worker.steps,
                          .step_count = worker.step_count,
                          .outside = worker.outside,
                      });
    if (step->compares_books)
        worker.orphans =
            orphans_create(&worker.service.loop, &(struct orphans_options){
                                                     .server = &worker.service.database.server,
                                                     .provider = worker.outside,
                                                     .process = worker.service.process,
                                                     .hours = settings->orphan_hours,
                                                     .age_s = settings->orphan_age_s,
                                                     .every_s = settings->orphan_every_s,
                                                 });
    return service_run(&worker.service);
}
