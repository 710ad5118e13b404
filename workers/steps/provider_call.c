#include "workers/steps/provider_call.h"

#include <stdio.h>

#include "base/memory.h"
#include "workers/providers/stripe.h"

enum { CONNECT_MS = 5000 };

struct provider_call *provider_call_of(struct job *job)
{
    return job_work(job);
}

static bool may_send(struct payment_call *call)
{
    return job_may_send(container_of(call, struct provider_call, call)->job);
}

static void on_done(struct payment_call *call)
{
    struct provider_call *self = container_of(call, struct provider_call, call);

    if (job_end_call(self->job, call->outside.evidence))
        self->on_answered(self->job, call);
}

void provider_call_begin(struct job *job, enum payment_operation operation, const char *key,
                         void (*on_answered)(struct job *job, const struct payment_call *call))
{
    const struct order_facts *facts = job_facts(job);
    struct provider_call *self = provider_call_of(job);
    struct provider *provider = job_outside(job);

    self->job = job;
    self->on_answered = on_answered;
    snprintf(self->key, sizeof(self->key), "%s", key ? key : "");
    snprintf(self->refund, sizeof(self->refund), "%s-%d", job_public_id(job),
             (int)facts->refund_number);
    self->call = (struct payment_call){
        .operation = operation,
        .order = job_public_id(job),
        .amount = facts->refund_amount,
        .currency = job_order(job)->currency,
        .intent = facts->intent_id,
        .refund = self->refund,
        .key = self->key,
        .may_send = may_send,
        .on_done = on_done,
    };
    if (job_begin_call(job, payment_operation_name(operation)))
        provider->start(provider, &self->call);
}

void provider_learn(struct job *job, enum verdict verdict)
{
    job_learn(job, &(struct order_lesson){.verdict = verdict, .retry_after_ms = -1});
}

void *provider_open(struct http_client *client, const struct settings *settings)
{
    return stripe_create(client, &(struct stripe_options){
                                     .base_url = settings->provider_url,
                                     .key = settings->provider_key,
                                     .connect_ms = CONNECT_MS,
                                     .total_ms = (uint64_t)settings->provider_timeout_ms,
                                 });
}

void provider_register(void)
{
    payment_register_metrics(STRIPE_NAME);
}
