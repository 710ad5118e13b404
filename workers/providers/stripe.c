#include "workers/providers/stripe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "workers/answer.h"

enum { URL_BYTES_MAX = 2048, FORM_BYTES_MAX = 4096 };

/* Pinned, so that the shape of an answer does not change with a setting of the account. */
static const char version_header[] = "Stripe-Version: 2022-11-15";

struct stripe {
    struct provider provider;
    struct http_client *client;
    char *base_url, *authorization;
    uint64_t connect_ms, total_ms;
    bool manual_capture;
};

/* call ─► prepare ─► http_client_send ┄┄► on_answered ─► result ─► on_done */

static bool prepare(const struct stripe *stripe, struct payment_call *call, struct fault *fault);
static bool may_send(struct http_call *http);
static void on_answered(struct http_call *http);

static const char *point_of(enum payment_operation operation)
{
    switch (operation) {
    case PAYMENT_CREATE:
        return "payment_create";
    case PAYMENT_CONFIRM:
        return "payment_confirm";
    case PAYMENT_RETRIEVE:
        return "payment_retrieve";
    case PAYMENT_CANCEL:
        return "payment_cancel";
    case PAYMENT_CAPTURE:
        return "payment_capture";
    case PAYMENT_REFUND:
        return "payment_refund";
    }
    return NULL;
}

static void start(struct provider *provider, struct payment_call *call)
{
    struct stripe *stripe = container_of(provider, struct stripe, provider);
    bool is_read = call->operation == PAYMENT_RETRIEVE;

    call->provider = provider;
    call->result = (struct payment_result){.retry_after_ms = -1};
    call->http = (struct http_call){
        .method = is_read ? "GET" : "POST",
        .connect_ms = stripe->connect_ms,
        .total_ms = stripe->total_ms,
        .may_send = call->may_send ? may_send : NULL,
        .on_done = on_answered,
        .point = point_of(call->operation),
        .headers = {stripe->authorization, version_header},
    };
    text_init(&call->url, URL_BYTES_MAX);
    text_init(&call->body, FORM_BYTES_MAX);
    /* What cannot be asked goes to no URL: it comes back unsent, and not from inside this call. */
    call->http.url = prepare(stripe, call, &call->result.fault) ? call->url.bytes : "";
    http_client_send(stripe->client, &call->http);
}

static void add_post(struct payment_call *call)
{
    snprintf(call->key_header, sizeof(call->key_header), "Idempotency-Key: %s", call->key);
    call->http.headers[2] = call->key_header;
    call->http.headers[3] = "Content-Type: application/x-www-form-urlencoded";
    call->http.body = call->body.bytes;
    call->http.body_length = call->body.length;
}

static bool prepare(const struct stripe *stripe, struct payment_call *call, struct fault *fault)
{
    bool is_read = call->operation == PAYMENT_RETRIEVE;

    text_add(&call->url, stripe->base_url);
    stripe_add_path(&call->url, call);
    if (!stripe_add_form(&call->body, call, stripe->manual_capture, fault))
        return false;
    if (call->url.cut || call->body.cut)
        return fail_as(fault, FAULT_BROKEN, "request_too_large",
                       "%s of order %s does not fit into its request",
                       payment_operation_name(call->operation), call->order ? call->order : "?");
    if (!is_read && !answer_key_is_sound(call->key))
        return fail_as(fault, FAULT_BROKEN, "idempotency_key_unsound",
                       "%s has no idempotency key of 1 to 255 visible ASCII characters",
                       payment_operation_name(call->operation));
    if (!is_read)
        add_post(call);
    return true;
}

static bool may_send(struct http_call *http)
{
    struct payment_call *call = container_of(http, struct payment_call, http);

    return call->may_send(call);
}

static void read_answer(struct payment_call *call)
{
    const struct http_call *http = &call->http;
    const struct stripe_answer answer = {
        .operation = call->operation,
        .intent = call->intent,
        .status = http->status,
        .body = http->answer,
        .length = http->answer_length,
        .should_retry = http->should_retry,
    };

    call->result.retry_after_ms = http->retry_after_ms;
    stripe_read_answer(&answer, &call->result);
}

/* No whole answer: what the evidence of the network says. */
static void read_outcome(struct payment_call *call)
{
    struct payment_result *result = &call->result;

    if (result->fault.kind == FAULT_NONE)
        result->fault = call->http.fault;
    if (result->fault.kind == FAULT_UNKNOWN && call->operation == PAYMENT_RETRIEVE)
        result->fault.kind = FAULT_TRANSIENT;
    result->verdict = result->fault.kind == FAULT_UNKNOWN  ? PAYMENT_UNKNOWN
                      : result->fault.kind == FAULT_BROKEN ? PAYMENT_BROKEN
                                                           : PAYMENT_TRANSIENT;
}

static void on_answered(struct http_call *http)
{
    struct payment_call *call = container_of(http, struct payment_call, http);

    if (http->outcome == HTTP_CALL_ANSWERED)
        read_answer(call);
    else
        read_outcome(call);
    call->status = http->outcome == HTTP_CALL_ANSWERED ? http->status : 0;
    memcpy(call->request_id, http->request_id, sizeof(call->request_id));
    call->took_us = http->took_us;
    text_finish(&call->url);
    text_finish(&call->body);
    payment_note(call);
    call->on_done(call);
}

static void destroy(struct provider *provider)
{
    struct stripe *stripe = container_of(provider, struct stripe, provider);

    explicit_bzero(stripe->authorization, strlen(stripe->authorization));
    free(stripe->authorization);
    free(stripe->base_url);
    free(stripe);
}

struct provider *stripe_create(struct http_client *client, const struct stripe_options *options)
{
    struct stripe *stripe = xcalloc(1, sizeof(*stripe));
    size_t length = strlen(options->base_url);
    struct text header;

    stripe->provider = (struct provider){.name = STRIPE_NAME, .start = start, .destroy = destroy};
    stripe->client = client;
    stripe->base_url = xstrdup(options->base_url);
    while (length > 0 && stripe->base_url[length - 1] == '/')
        stripe->base_url[--length] = '\0';
    text_init(&header, URL_BYTES_MAX);
    text_print(&header, "Authorization: Bearer %s", options->key);
    stripe->authorization = text_take(&header, NULL);
    stripe->connect_ms = options->connect_ms;
    stripe->total_ms = options->total_ms;
    stripe->manual_capture = options->manual_capture;
    return &stripe->provider;
}
