/* workers/steps/fulfilment.c - ship what was paid: the step behind docket.fulfilment
 *
 *     (first try) ──────────────────────────► ship ─► shipped │ refused │ unknown
 *     (later ones) ─► look the reference up ─┬─ there ─► shipped                │
 *                                            └─ none ─► ship ◄──(later)─────────┘
 *
 * An order that is being canceled is not asked for any more, but looked up until it is sure that
 * the carrier has nothing of it.  The carrier keeps our reference unique for ever, so shipping
 * twice under it makes one shipment.
 */
#include "workers/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "workers/carriers/http_carrier.h"

enum { CONNECT_MS = 5000 };

struct fulfilment {
    struct job *job;
    struct carrier_call call;
    struct carrier_line *lines;
    char reference[ORDER_ID_UUID_SIZE], key[ORDER_ID_UUID_SIZE + 40];
};

/* A carrier may have stored a failure under a key, and repeats it for ever; the reference is what
 * keeps a shipment single, so another key is safe once it was looked up. */
enum { TRIES_A_KEY = 3 };

static void begin_call(struct job *job, enum carrier_operation operation);

static void learn(struct job *job, enum verdict verdict)
{
    job_learn(job, &(struct order_lesson){.verdict = verdict, .retry_after_ms = -1});
}

static void learn_unpaid(struct job *job)
{
    struct order_lesson lesson = {.verdict = VERDICT_FAILED, .retry_after_ms = -1};

    fail_as(&lesson.fault, FAULT_BROKEN, "not_paid",
            "asked to ship an order whose payment is not captured; compare its events");
    job_learn(job, &lesson);
}

static void proceed(struct job *job)
{
    const struct order_facts *facts = job_facts(job);
    bool is_canceling = facts->status == ORDER_CANCELING; /* not to be asked for any more */

    ((struct fulfilment *)job_work(job))->job = job;
    if (facts->is_shipped || (facts->status != ORDER_CONFIRMED && !is_canceling))
        learn(job, VERDICT_NOTHING);
    else if (!is_canceling && facts->attempt_state != ATTEMPT_CAPTURED && facts->total > 0)
        learn_unpaid(job);
    else if (is_canceling || facts->claims > 1) /* somebody may have asked before */
        begin_call(job, CARRIER_LOOK_UP);
    else
        begin_call(job, CARRIER_SHIP);
}

/* Nothing is asked for long after the order was read: by then it may have been taken back, and
 * whoever looks for a shipment before the money is given back waits for just so long
 * (order_undo.c). */
static bool may_send(struct carrier_call *call)
{
    const struct job *job = container_of(call, struct fulfilment, call)->job;

    return job_may_send(job) && (call->operation == CARRIER_LOOK_UP || job_is_fresh(job));
}

static void learn_shipped(struct job *job, const struct carrier_result *result)
{
    job_learn(job, &(struct order_lesson){.verdict = VERDICT_SHIPPED,
                                          .retry_after_ms = -1,
                                          .carrier_id = result->shipment,
                                          .tracking = result->tracking});
}

static void learn_result(struct job *job, const struct carrier_result *result)
{
    struct order_lesson lesson = {.verdict = VERDICT_FAILED,
                                  .fault = result->fault,
                                  .retry_after_ms = result->retry_after_ms};

    switch (result->verdict) {
    case CARRIER_SHIPPED:
        learn_shipped(job, result);
        return;
    case CARRIER_NONE:
        if (job_facts(job)->status == ORDER_CANCELING)
            learn(job, VERDICT_UNSHIPPED);
        else
            begin_call(job, CARRIER_SHIP);
        return;
    case CARRIER_UNKNOWN:
        lesson.verdict = VERDICT_SHIPMENT_UNKNOWN;
        break;
    case CARRIER_TRANSIENT:
        if (strcmp(result->fault.code, "call_withheld") == 0)
            lesson.verdict = VERDICT_INTERRUPTED;
        break;
    case CARRIER_REFUSED:
    case CARRIER_BROKEN:
        break;
    }
    job_learn(job, &lesson);
}

static void on_done(struct carrier_call *call)
{
    struct job *job = container_of(call, struct fulfilment, call)->job;

    if (job_end_call(job, call->outside.evidence))
        learn_result(job, &call->result);
}

static void copy_lines(struct fulfilment *fulfilment, const struct claim_order *order)
{
    if (fulfilment->lines == NULL)
        fulfilment->lines = xcalloc((size_t)order->line_count, sizeof(*fulfilment->lines));
    for (int i = 0; i < order->line_count; i++)
        fulfilment->lines[i] = (struct carrier_line){order->lines[i].sku, order->lines[i].quantity};
}

static void begin_call(struct job *job, enum carrier_operation operation)
{
    const struct claim_order *order = job_order(job);
    struct fulfilment *fulfilment = job_work(job);
    struct carrier *carrier = job_outside(job);

    order_id_format_uuid(&job_facts(job)->id, fulfilment->reference);
    snprintf(fulfilment->key, sizeof(fulfilment->key), "%s-%d", fulfilment->reference,
             (int)(job_facts(job)->attempt / TRIES_A_KEY) + 1);
    job_add_pass(job, fulfilment->key, sizeof(fulfilment->key));
    copy_lines(fulfilment, order);
    fulfilment->call = (struct carrier_call){
        .operation = operation,
        .reference = fulfilment->reference,
        .order = job_public_id(job),
        .key = fulfilment->key,
        .method = order->shipping_method,
        .name = order->name,
        .address = order->address,
        .lines = fulfilment->lines,
        .line_count = (size_t)order->line_count,
        .may_send = may_send,
        .on_done = on_done,
    };
    if (job_begin_call(job, carrier_operation_name(operation)))
        carrier->start(carrier, &fulfilment->call);
}

static void interrupt(struct job *job, struct order_lesson *lesson)
{
    const struct fulfilment *fulfilment = job_work(job);

    if (fulfilment->call.operation == CARRIER_SHIP) {
        lesson->verdict = VERDICT_SHIPMENT_UNKNOWN;
        lesson->is_interrupted = true;
        fail_as(&lesson->fault, FAULT_UNKNOWN, "worker_stopped",
                "the worker was stopped while the carrier had not answered");
    } else {
        lesson->verdict = VERDICT_INTERRUPTED;
    }
}

static void finish(struct job *job)
{
    struct fulfilment *fulfilment = job_work(job);

    free(fulfilment->lines);
}

static void *open_carrier(struct http_client *client, const struct settings *settings)
{
    return http_carrier_create(client, &(struct http_carrier_options){
                                           .base_url = settings->carrier_url,
                                           .key = settings->carrier_key,
                                           .connect_ms = CONNECT_MS,
                                           .total_ms = (uint64_t)settings->carrier_timeout_ms,
                                       });
}

static void register_metrics(void)
{
    carrier_register_metrics(HTTP_CARRIER_NAME);
}

const struct step fulfilment_step = {
    .stage = STAGE_FULFILMENT,
    .looks_again = true, /* that there is no shipment holds for the time of the look only */
    .register_metrics = register_metrics,
    .open = open_carrier,
    .work_bytes = sizeof(struct fulfilment),
    .proceed = proceed,
    .interrupt = interrupt,
    .finish = finish,
};
