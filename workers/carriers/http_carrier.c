#include "workers/carriers/http_carrier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "workers/answer.h"

enum { URL_BYTES_MAX = 2048, BODY_BYTES_MAX = 128 * 1024 };

struct http_carrier {
    struct carrier carrier;
    struct http_client *client;
    char *base_url, *authorization;
    uint64_t connect_ms, total_ms;
};

/* call ─► prepare ─► http_client_send ┄┄► on_answered ─► result ─► on_done */

static bool prepare(const struct http_carrier *self, struct carrier_call *call,
                    struct fault *fault);
static bool may_send(struct http_call *http);
static void on_answered(struct http_call *http);

static void start(struct carrier *carrier, struct carrier_call *call)
{
    struct http_carrier *self = container_of(carrier, struct http_carrier, carrier);
    bool ships = call->operation == CARRIER_SHIP;

    call->carrier = carrier;
    call->result = (struct carrier_result){.retry_after_ms = -1};
    call->http = (struct http_call){
        .method = ships ? "POST" : "GET",
        .connect_ms = self->connect_ms,
        .total_ms = self->total_ms,
        .may_send = call->may_send ? may_send : NULL,
        .on_done = on_answered,
        .point = ships ? "carrier_ship" : "carrier_look_up",
        .headers = {self->authorization},
    };
    text_init(&call->url, URL_BYTES_MAX);
    text_init(&call->body, BODY_BYTES_MAX);
    /* What cannot be asked goes to no URL: it comes back unsent, and not from inside this call. */
    call->http.url = prepare(self, call, &call->result.fault) ? call->url.bytes : "";
    http_client_send(self->client, &call->http);
}

static void add_post(struct carrier_call *call)
{
    snprintf(call->key_header, sizeof(call->key_header), "Idempotency-Key: %s", call->key);
    call->http.headers[1] = call->key_header;
    call->http.headers[2] = "Content-Type: application/json";
    call->http.body = call->body.bytes;
    call->http.body_length = call->body.length;
}

static bool prepare(const struct http_carrier *self, struct carrier_call *call, struct fault *fault)
{
    text_add(&call->url, self->base_url);
    http_carrier_add_path(&call->url, call);
    if (!http_carrier_add_body(&call->body, call, fault))
        return false;
    if (call->url.cut || call->body.cut)
        return fail_as(fault, FAULT_BROKEN, "request_too_large",
                       "shipment %s does not fit into its request", call->reference);
    if (call->operation != CARRIER_SHIP)
        return true;
    if (!answer_key_is_sound(call->key))
        return fail_as(fault, FAULT_BROKEN, "idempotency_key_unsound",
                       "shipment %s has no idempotency key of 1 to 255 visible ASCII characters",
                       call->reference);
    add_post(call);
    return true;
}

static bool may_send(struct http_call *http)
{
    struct carrier_call *call = container_of(http, struct carrier_call, http);

    return call->may_send(call);
}

static void read_answer(struct carrier_call *call)
{
    const struct http_carrier_answer answer = {
        .operation = call->operation,
        .reference = call->reference,
        .status = call->http.status,
        .body = call->http.answer,
        .length = call->http.answer_length,
    };

    call->result.retry_after_ms = call->http.retry_after_ms;
    http_carrier_read_answer(&answer, &call->result);
}

/* No whole answer: what the evidence of the network says. */
static void read_outcome(struct carrier_call *call)
{
    struct carrier_result *result = &call->result;

    if (result->fault.kind == FAULT_NONE)
        result->fault = call->http.fault;
    if (result->fault.kind == FAULT_UNKNOWN && call->operation == CARRIER_LOOK_UP)
        result->fault.kind = FAULT_TRANSIENT;
    result->verdict = result->fault.kind == FAULT_UNKNOWN  ? CARRIER_UNKNOWN
                      : result->fault.kind == FAULT_BROKEN ? CARRIER_BROKEN
                                                           : CARRIER_TRANSIENT;
}

static void on_answered(struct http_call *http)
{
    struct carrier_call *call = container_of(http, struct carrier_call, http);

    if (http->outcome == HTTP_CALL_ANSWERED)
        read_answer(call);
    else
        read_outcome(call);
    call->status = http->outcome == HTTP_CALL_ANSWERED ? http->status : 0;
    memcpy(call->request_id, http->request_id, sizeof(call->request_id));
    call->took_us = http->took_us;
    text_finish(&call->url);
    text_finish(&call->body);
    carrier_note(call);
    call->on_done(call);
}

static void destroy(struct carrier *carrier)
{
    struct http_carrier *self = container_of(carrier, struct http_carrier, carrier);

    explicit_bzero(self->authorization, strlen(self->authorization));
    free(self->authorization);
    free(self->base_url);
    free(self);
}

struct carrier *http_carrier_create(struct http_client *client,
                                    const struct http_carrier_options *options)
{
    struct http_carrier *self = xcalloc(1, sizeof(*self));
    size_t length = strlen(options->base_url);
    struct text header;

    self->carrier = (struct carrier){.name = HTTP_CARRIER_NAME, .start = start, .destroy = destroy};
    self->client = client;
    self->base_url = xstrdup(options->base_url);
    while (length > 0 && self->base_url[length - 1] == '/')
        self->base_url[--length] = '\0';
    text_init(&header, URL_BYTES_MAX);
    text_print(&header, "Authorization: Bearer %s", options->key);
    self->authorization = text_take(&header, NULL);
    self->connect_ms = options->connect_ms;
    self->total_ms = options->total_ms;
    return &self->carrier;
}
