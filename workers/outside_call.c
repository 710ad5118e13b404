#include "workers/outside_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "workers/answer.h"

enum { URL_BYTES_MAX = 2048 };

void outside_endpoint_init(struct outside_endpoint *endpoint, struct http_client *client,
                           const char *base_url, const char *key)
{
    size_t length = strlen(base_url);
    struct text header;

    endpoint->client = client;
    endpoint->base_url = xstrdup(base_url);
    while (length > 0 && endpoint->base_url[length - 1] == '/')
        endpoint->base_url[--length] = '\0';
    text_init(&header, URL_BYTES_MAX);
    text_print(&header, "Authorization: Bearer %s", key);
    endpoint->authorization = text_take(&header, NULL);
}

void outside_endpoint_finish(struct outside_endpoint *endpoint)
{
    explicit_bzero(endpoint->authorization, strlen(endpoint->authorization));
    free(endpoint->authorization);
    free(endpoint->base_url);
}

void outside_call_begin(struct outside_call *call, const struct outside_endpoint *endpoint,
                        size_t body_bytes_max)
{
    call->http.connect_ms = endpoint->connect_ms;
    call->http.total_ms = endpoint->total_ms;
    call->evidence = BREAKER_NOTHING;
    text_init(&call->url, URL_BYTES_MAX);
    text_init(&call->body, body_bytes_max);
    text_add(&call->url, endpoint->base_url);
}

bool outside_call_fits(const struct outside_call *call, const char *what, struct fault *fault)
{
    if (!call->url.cut && !call->body.cut)
        return true;
    return fail_as(fault, FAULT_BROKEN, "request_too_large", "%s does not fit into its request",
                   what);
}

static void add_header(struct http_call *http, const char *header)
{
    size_t n = 0;

    while (http->headers[n])
        n++;
    http->headers[n] = header;
}

bool outside_call_add_post(struct outside_call *call, const char *type, const char *key,
                           const char *what, struct fault *fault)
{
    if (!answer_key_is_sound(key))
        return fail_as(fault, FAULT_BROKEN, "idempotency_key_unsound",
                       "%s has no idempotency key of 1 to 255 visible ASCII characters", what);
    snprintf(call->key_header, sizeof(call->key_header), "Idempotency-Key: %s", key);
    add_header(&call->http, call->key_header);
    add_header(&call->http, type);
    call->http.body = call->body.bytes;
    call->http.body_length = call->body.length;
    return true;
}

void outside_call_send(struct outside_call *call, const struct outside_endpoint *endpoint,
                       bool is_sound)
{
    call->http.url = is_sound ? call->url.bytes : "";
    http_client_send(endpoint->client, &call->http);
}

enum breaker_evidence outside_evidence(enum http_call_outcome outcome, int status,
                                       const struct fault *fault)
{
    if (outcome == HTTP_CALL_ANSWERED)
        return status >= 500   ? BREAKER_SERVER_ERROR
               : status == 429 ? BREAKER_RATE_LIMIT
                               : BREAKER_GOOD;
    if (fault->kind == FAULT_BROKEN || strcmp(fault->code, "abandoned") == 0 ||
        strcmp(fault->code, "call_withheld") == 0 || strcmp(fault->code, "answer_too_large") == 0)
        return BREAKER_NOTHING;
    if (strcmp(fault->code, "timed_out") == 0 || strcmp(fault->code, "connect_timeout") == 0)
        return BREAKER_TIMEOUT;
    return BREAKER_CONNECT;
}

void outside_call_end(struct outside_call *call)
{
    const struct http_call *http = &call->http;

    call->status = http->outcome == HTTP_CALL_ANSWERED ? http->status : 0;
    call->evidence = outside_evidence(http->outcome, http->status, &http->fault);
    text_finish(&call->url);
    text_finish(&call->body);
}

void outside_call_fault(const struct outside_call *call, bool is_read, struct fault *fault)
{
    if (fault->kind == FAULT_NONE)
        *fault = call->http.fault;
    if (fault->kind == FAULT_UNKNOWN && is_read)
        fault->kind = FAULT_TRANSIENT;
}
