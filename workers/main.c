/* docket-worker payment|fulfilment - consumes a queue and performs its steps */
#include <stdio.h>
#include <string.h>

#include "base/http/client.h"
#include "base/memory.h"
#include "queue/service.h"
#include "workers/carriers/http_carrier.h"
#include "workers/fulfilment.h"
#include "workers/payment.h"
#include "workers/providers/stripe.h"
#include "workers/runner.h"

enum { CONNECT_MS = 5000, CRASHES_MAX = 4, DRAIN_MS = 6000 };

struct worker {
    struct service service;
    struct http_client *client;
    struct runner *runner;
};

static void *open_provider(struct worker *worker)
{
    const struct settings *settings = &worker->service.settings;

    return stripe_create(worker->client, &(struct stripe_options){
                                             .base_url = settings->provider_url,
                                             .key = settings->provider_key,
                                             .connect_ms = CONNECT_MS,
                                             .total_ms = (uint64_t)settings->provider_timeout_ms,
                                         });
}

static void *open_carrier(struct worker *worker)
{
    const struct settings *settings = &worker->service.settings;

    return http_carrier_create(worker->client,
                               &(struct http_carrier_options){
                                   .base_url = settings->carrier_url,
                                   .key = settings->carrier_key,
                                   .connect_ms = CONNECT_MS,
                                   .total_ms = (uint64_t)settings->carrier_timeout_ms,
                               });
}

/* The stages: to add one is a row here, a file with its step, and its queue in queue/topology.c. */
static const struct {
    const char *name;
    const struct step *step;
    void *(*open_outside)(struct worker *worker);
} stages[] = {
    {"payment", &payment_step, open_provider},
    {"fulfilment", &fulfilment_step, open_carrier},
};

static struct order_policy policy_of(const struct settings *settings)
{
    return (struct order_policy){
        .retry = {settings->retry_base_ms, settings->retry_max_ms, (int32_t)settings->attempts_max},
        .customer_wait_ms = settings->customer_wait_s * 1000,
        .unknown_sla_ms = settings->unknown_sla_s * 1000,
        .longest_call_ms = settings->provider_longest_ms,
        .crashes_max = CRASHES_MAX,
    };
}

static void on_drained(void *owner)
{
    struct worker *worker = owner;

    service_ended(&worker->service);
}

static void on_stop(void *owner)
{
    struct worker *worker = owner;

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

static int find_stage(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_SIZE(stages); i++) {
        if (strcmp(stages[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

int main(int argc, char **argv)
{
    int stage = find_stage(argc > 1 ? argv[1] : NULL);
    struct worker worker = {0};
    const struct settings *settings = &worker.service.settings;

    if (stage < 0 && !(argc > 1 && strcmp(argv[1], "--help") == 0)) {
        fprintf(stderr, "usage: docket-worker payment|fulfilment   (--help lists the settings)\n");
        return 2;
    }
    service_begin(&worker.service, argc, argv, PROGRAM_WORKER, stage < 0 ? "" : stages[stage].name);
    worker.service.owner = &worker;
    worker.service.on_stop = on_stop;
    worker.service.is_ready = is_ready;
    worker.client = http_client_create(
        &worker.service.loop, &(struct http_client_options){(int)settings->prefetch, NULL});
    worker.runner =
        runner_create(&worker.service.loop, &(struct runner_options){
                                                .database = &worker.service.errand_database,
                                                .amqp = settings->amqp,
                                                .process = worker.service.process,
                                                .provider = "stripe",
                                                .prefetch = (int)settings->prefetch,
                                                .policy = policy_of(settings),
                                                .step = stages[stage].step,
                                                .outside = stages[stage].open_outside(&worker),
                                            });
    return service_run(&worker.service);
}
