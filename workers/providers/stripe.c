#include "workers/providers/stripe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "workers/answer.h"

enum { FORM_BYTES_MAX = 4096 };

/* Pinned, so that the shape of an answer does not change with a setting of the account. */
static const char version_header[] = "Stripe-Version: 2022-11-15";

struct stripe {
    struct provider provider;
    struct outside_endpoint endpoint;
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
    case PAYMENT_REFUNDS:
        return "payment_refunds";
    }
    return NULL;
}

static void start(struct provider *provider, struct payment_call *call)
{
    struct stripe *stripe = container_of(provider, struct stripe, provider);
    bool is_read = stripe_is_read(call->operation);

    call->provider = provider;
    call->result = (struct payment_result){.retry_after_ms = -1};
    call->outside.http = (struct http_call){
        .method = is_read ? "GET" : "POST",
        .may_send = call->may_send ? may_send : NULL,
        .on_done = on_answered,
        .point = point_of(call->operation),
        .headers = {stripe->endpoint.authorization, version_header},
    };
    outside_call_begin(&call->outside, &stripe->endpoint, FORM_BYTES_MAX);
    outside_call_send(&call->outside, &stripe->endpoint,
                      prepare(stripe, call, &call->result.fault));
}

static bool prepare(const struct stripe *stripe, struct payment_call *call, struct fault *fault)
{
    char what[128];

    snprintf(what, sizeof(what), "%s of order %s", payment_operation_name(call->operation),
             call->order ? call->order : "?");
    stripe_add_path(&call->outside.url, call);
    if (!stripe_add_form(&call->outside.body, call, stripe->manual_capture, fault) ||
        !outside_call_fits(&call->outside, what, fault))
        return false;
    return stripe_is_read(call->operation) ||
           outside_call_add_post(&call->outside, "Content-Type: application/x-www-form-urlencoded",
                                 call->key, what, fault);
}

static bool may_send(struct http_call *http)
{
    struct payment_call *call = container_of(http, struct payment_call, outside.http);

    return call->may_send(call);
}

static void read_answer(struct payment_call *call)
{
    const struct http_call *http = &call->outside.http;
    const struct stripe_answer answer = {
        .operation = call->operation,
        .intent = call->intent,
        .refund = call->refund,
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

    outside_call_fault(&call->outside, stripe_is_read(call->operation), &result->fault);
    result->verdict = result->fault.kind == FAULT_UNKNOWN  ? PAYMENT_UNKNOWN
                      : result->fault.kind == FAULT_BROKEN ? PAYMENT_BROKEN
                                                           : PAYMENT_TRANSIENT;
}

static void on_answered(struct http_call *http)
{
    struct payment_call *call = container_of(http, struct payment_call, outside.http);

    if (http->outcome == HTTP_CALL_ANSWERED)
        read_answer(call);
    else
        read_outcome(call);
    outside_call_end(&call->outside);
    payment_note(call);
    call->on_done(call);
}

/* --- the list: page ─► http_client_send ┄┄► on_listed ─► on_done -------------------------------
 */

static void read_page(struct payment_page *page)
{
    const struct http_call *http = &page->outside.http;

    if (http->outcome != HTTP_CALL_ANSWERED)
        outside_call_fault(&page->outside, true, &page->fault);
    else if (http->status != 200)
        fail_as(&page->fault, FAULT_TRANSIENT, "list_refused",
                "the provider answered its list of intents with %d", http->status);
    else if (!stripe_read_page(http->answer, http->answer_length, page))
        fail_as(&page->fault, FAULT_TRANSIENT, "answer_unreadable",
                "the provider's list of intents cannot be understood");
}

static void on_listed(struct http_call *http)
{
    struct payment_page *page = container_of(http, struct payment_page, outside.http);

    read_page(page);
    outside_call_end(&page->outside);
    page->on_done(page);
}

static void list(struct provider *provider, struct payment_page *page)
{
    struct stripe *stripe = container_of(provider, struct stripe, provider);

    page->provider = provider;
    page->fault = (struct fault){.kind = FAULT_NONE};
    page->outside.http = (struct http_call){
        .method = "GET",
        .on_done = on_listed,
        .point = "payment_list",
        .headers = {stripe->endpoint.authorization, version_header},
    };
    outside_call_begin(&page->outside, &stripe->endpoint, FORM_BYTES_MAX);
    stripe_add_page_path(&page->outside.url, page);
    outside_call_send(&page->outside, &stripe->endpoint,
                      outside_call_fits(&page->outside, "the list of intents", &page->fault));
}

static void destroy(struct provider *provider)
{
    struct stripe *stripe = container_of(provider, struct stripe, provider);

    outside_endpoint_finish(&stripe->endpoint);
    free(stripe);
}

struct provider *stripe_create(struct http_client *client, const struct stripe_options *options)
{
    struct stripe *stripe = xcalloc(1, sizeof(*stripe));

    stripe->provider =
        (struct provider){.name = STRIPE_NAME, .start = start, .list = list, .destroy = destroy};
    outside_endpoint_init(&stripe->endpoint, client, options->base_url, options->key);
    stripe->endpoint.connect_ms = options->connect_ms;
    stripe->endpoint.total_ms = options->total_ms;
    stripe->manual_capture = options->manual_capture;
    return &stripe->provider;
}
