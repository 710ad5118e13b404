#include "workers/carriers/http_carrier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "workers/answer.h"

enum { BODY_BYTES_MAX = 128 * 1024 };

struct http_carrier {
    struct carrier carrier;
    struct outside_endpoint endpoint;
};

/* call ─► prepare ─► http_client_send ┄┄► on_answered ─► result ─► on_done */

static bool prepare(struct carrier_call *call, struct fault *fault);
static bool may_send(struct http_call *http);
static void on_answered(struct http_call *http);

static void start(struct carrier *carrier, struct carrier_call *call)
{
    struct http_carrier *self = container_of(carrier, struct http_carrier, carrier);
    bool ships = call->operation == CARRIER_SHIP;

    call->carrier = carrier;
    call->result = (struct carrier_result){.retry_after_ms = -1};
    call->outside.http = (struct http_call){
        .method = ships ? "POST" : "GET",
        .may_send = call->may_send ? may_send : NULL,
        .on_done = on_answered,
        .point = ships ? "carrier_ship" : "carrier_look_up",
        .headers = {self->endpoint.authorization},
    };
    outside_call_begin(&call->outside, &self->endpoint, BODY_BYTES_MAX);
    outside_call_send(&call->outside, &self->endpoint, prepare(call, &call->result.fault));
}

static bool prepare(struct carrier_call *call, struct fault *fault)
{
    char what[96];

    snprintf(what, sizeof(what), "shipment %s", call->reference);
    http_carrier_add_path(&call->outside.url, call);
    if (!http_carrier_add_body(&call->outside.body, call, fault) ||
        !outside_call_fits(&call->outside, what, fault))
        return false;
    return call->operation != CARRIER_SHIP ||
           outside_call_add_post(&call->outside, "Content-Type: application/json", call->key, what,
                                 fault);
}

static bool may_send(struct http_call *http)
{
    struct carrier_call *call = container_of(http, struct carrier_call, outside.http);

    return call->may_send(call);
}

static void read_answer(struct carrier_call *call)
{
    const struct http_carrier_answer answer = {
        .operation = call->operation,
        .reference = call->reference,
        .status = call->outside.http.status,
        .body = call->outside.http.answer,
        .length = call->outside.http.answer_length,
    };

    call->result.retry_after_ms = call->outside.http.retry_after_ms;
    http_carrier_read_answer(&answer, &call->result);
}

/* No whole answer: what the evidence of the network says. */
static void read_outcome(struct carrier_call *call)
{
    struct carrier_result *result = &call->result;

    outside_call_fault(&call->outside, call->operation == CARRIER_LOOK_UP, &result->fault);
    result->verdict = result->fault.kind == FAULT_UNKNOWN  ? CARRIER_UNKNOWN
                      : result->fault.kind == FAULT_BROKEN ? CARRIER_BROKEN
                                                           : CARRIER_TRANSIENT;
}

static void on_answered(struct http_call *http)
{
    struct carrier_call *call = container_of(http, struct carrier_call, outside.http);

    if (http->outcome == HTTP_CALL_ANSWERED)
        read_answer(call);
    else
        read_outcome(call);
    outside_call_end(&call->outside);
    carrier_note(call);
    call->on_done(call);
}

static void destroy(struct carrier *carrier)
{
    struct http_carrier *self = container_of(carrier, struct http_carrier, carrier);

    outside_endpoint_finish(&self->endpoint);
    free(self);
}

struct carrier *http_carrier_create(struct http_client *client,
                                    const struct http_carrier_options *options)
{
    struct http_carrier *self = xcalloc(1, sizeof(*self));

    self->carrier = (struct carrier){.name = HTTP_CARRIER_NAME, .start = start, .destroy = destroy};
    outside_endpoint_init(&self->endpoint, client, options->base_url, options->key);
    self->endpoint.connect_ms = options->connect_ms;
    self->endpoint.total_ms = options->total_ms;
    return &self->carrier;
}
