#include "base/http/client_transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/http/client_judge.h"
#include "base/http/client_origin.h"
#include "base/memory.h"
#include "base/point.h"

enum {
    BUFFER_BYTES = 16 * 1024, /* of a handle, each way: hundreds of them are open at once */
    IDLE_S_MAX = 15,          /* less than a server waits before it closes an idle connection */
    CONNECTION_S_MAX = 300,   /* so that a name that moved is followed */
};

/* A failing option would silently drop a promise. */
static void must(CURLcode result)
{
    if (result == CURLE_OK)
        return;
    fprintf(stderr, "libcurl: %s\n", curl_easy_strerror(result));
    abort();
}
#define SET(easy, option, value) must(curl_easy_setopt(easy, option, value))

static void reach_point(const struct http_call *call, const char *moment)
{
    if (call->point)
        POINT(call->point, moment);
}

static bool is_read(const struct http_call *call)
{
    return strcmp(call->method, "GET") == 0;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libcurl's */
static int on_ready(void *data, char *peer, char *local, int peer_port, int local_port)
{
    struct http_transfer *transfer = data;
    struct http_call *call = transfer->call;

    (void)peer, (void)local, (void)peer_port, (void)local_port;
    if (transfer->head_sent > 0 && !is_read(call)) {
        transfer->was_repeat = true;
        return CURL_PREREQFUNC_ABORT;
    }
    if (call->may_send && !call->may_send(call)) {
        transfer->was_withheld = true;
        return CURL_PREREQFUNC_ABORT;
    }
    reach_point(call, "call_before");
    return CURL_PREREQFUNC_OK;
}

static size_t on_body_wanted(char *buffer, size_t size, size_t count, void *data)
{
    struct http_transfer *transfer = data;
    size_t left = transfer->call->body_length - transfer->body_given;
    size_t length = size * count < left ? size * count : left;

    memcpy(buffer, transfer->call->body + transfer->body_given, length);
    transfer->body_given += length;
    return length;
}

static int on_written(CURL *easy, curl_infotype type, char *bytes, size_t length, void *data)
{
    struct http_transfer *transfer = data;
    const struct http_call *call = transfer->call;
    bool head_ends;

    (void)easy;
    if (type != CURLINFO_HEADER_OUT && type != CURLINFO_DATA_OUT)
        return 0;
    if (type == CURLINFO_DATA_OUT) {
        transfer->body_sent += length;
        if (transfer->body_sent == call->body_length)
            reach_point(call, "call_sent");
        return 0;
    }
    transfer->head_sent += length;
    head_ends = length >= 4 && memcmp(bytes + length - 4, "\r\n\r\n", 4) == 0;
    if (head_ends && call->body_length == 0)
        reach_point(call, "call_sent");
    return 0;
}

static size_t on_answer(char *bytes, size_t size, size_t count, void *data)
{
    struct http_transfer *transfer = data;

    text_add_bytes(&transfer->answer, bytes, size * count);
    return transfer->answer.cut ? 0 : size * count;
}

struct http_transfer *http_transfer_create(struct http_call *call)
{
    struct http_transfer *transfer = xcalloc(1, sizeof(*transfer));

    transfer->call = call;
    transfer->started_ns = clock_monotonic_ns();
    text_init(&transfer->answer, HTTP_CALL_ANSWER_BYTES_MAX);
    return transfer;
}

uint64_t http_transfer_age_ms(const struct http_transfer *transfer)
{
    return (clock_monotonic_ns() - transfer->started_ns) / 1000000;
}

static void set_callbacks(struct http_transfer *transfer, struct http_sockets *sockets)
{
    CURL *easy = transfer->easy;

    SET(easy, CURLOPT_PRIVATE, transfer);
    SET(easy, CURLOPT_ERRORBUFFER, transfer->detail);
    SET(easy, CURLOPT_PREREQFUNCTION, on_ready);
    SET(easy, CURLOPT_PREREQDATA, transfer);
    SET(easy, CURLOPT_WRITEFUNCTION, on_answer);
    SET(easy, CURLOPT_WRITEDATA, transfer);
    SET(easy, CURLOPT_VERBOSE, 1L); /* no on_written without it; nothing is printed */
    SET(easy, CURLOPT_DEBUGFUNCTION, on_written);
    SET(easy, CURLOPT_DEBUGDATA, transfer);
    SET(easy, CURLOPT_OPENSOCKETFUNCTION, http_sockets_open);
    SET(easy, CURLOPT_OPENSOCKETDATA, sockets);
    SET(easy, CURLOPT_CLOSESOCKETFUNCTION, http_sockets_close);
    SET(easy, CURLOPT_CLOSESOCKETDATA, sockets);
}

static void set_manners(struct http_transfer *transfer, const char *ca_file)
{
    CURL *easy = transfer->easy;

    SET(easy, CURLOPT_NOSIGNAL, 1L);
    SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(easy, CURLOPT_PROXY, ""); /* whatever the environment says: a proxy may repeat a POST */
    SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
    SET(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (ca_file)
        SET(easy, CURLOPT_CAINFO, ca_file);
    SET(easy, CURLOPT_TCP_NODELAY, 1L);
    SET(easy, CURLOPT_MAXAGE_CONN, (long)IDLE_S_MAX);
    SET(easy, CURLOPT_MAXLIFETIME_CONN, (long)CONNECTION_S_MAX);
    SET(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
    SET(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)BUFFER_BYTES);
    SET(easy, CURLOPT_USERAGENT, "docket");
}

static void set_deadlines(struct http_transfer *transfer)
{
    const struct http_call *call = transfer->call;
    uint64_t age_ms = http_transfer_age_ms(transfer);

    /* 0 would mean "none". */
    SET(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS,
        call->connect_ms > age_ms ? (long)(call->connect_ms - age_ms) : 1L);
    SET(transfer->easy, CURLOPT_TIMEOUT_MS,
        call->total_ms > age_ms ? (long)(call->total_ms - age_ms) : 1L);
}

static void set_request(struct http_transfer *transfer, const char *resolve)
{
    const struct http_call *call = transfer->call;
    CURL *easy = transfer->easy;

    SET(easy, CURLOPT_URL, call->url);
    if (call->body || strcmp(call->method, "POST") == 0) {
        SET(easy, CURLOPT_POST, 1L);
        SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_length);
        SET(easy, CURLOPT_READFUNCTION, on_body_wanted);
        SET(easy, CURLOPT_READDATA, transfer);
    }
    if (!is_read(call) && strcmp(call->method, "POST") != 0)
        SET(easy, CURLOPT_CUSTOMREQUEST, call->method);
    for (int i = 0; i < HTTP_CALL_HEADERS_MAX && call->headers[i]; i++)
        transfer->headers = curl_slist_append(transfer->headers, call->headers[i]);
    transfer->headers = curl_slist_append(transfer->headers, "Expect:");
    SET(easy, CURLOPT_HTTPHEADER, transfer->headers);
    if (resolve) {
        transfer->resolve = curl_slist_append(NULL, resolve);
        SET(easy, CURLOPT_RESOLVE, transfer->resolve);
    }
}

void http_transfer_prepare(struct http_transfer *transfer, const char *resolve,
                           struct http_sockets *sockets, const char *ca_file)
{
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL)
        must(CURLE_OUT_OF_MEMORY);
    set_callbacks(transfer, sockets);
    set_manners(transfer, ca_file);
    set_deadlines(transfer);
    set_request(transfer, resolve);
}

/* The value of an answer's header, or NULL. */
static const char *header(const struct http_transfer *transfer, const char *name)
{
    struct curl_header *found;

    if (curl_easy_header(transfer->easy, name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK)
        return NULL;
    return found->value;
}

static bool is_framed(const struct http_transfer *transfer, int status)
{
    return status == 204 || status == 304 || header(transfer, "Content-Length") ||
           header(transfer, "Transfer-Encoding");
}

static void read_headers(const struct http_transfer *transfer, struct http_call *call)
{
    const char *retry_after = header(transfer, "Retry-After");
    const char *should_retry = header(transfer, "Stripe-Should-Retry");
    const char *id = header(transfer, "Request-Id");

    if (retry_after)
        call->retry_after_ms = http_retry_after_ms(retry_after, (int64_t)time(NULL));
    if (should_retry) {
        call->should_retry = strcmp(should_retry, "true") == 0;
        call->should_not_retry = strcmp(should_retry, "false") == 0;
    }
    if (id)
        snprintf(call->request_id, sizeof(call->request_id), "%s", id);
}

static void read_answer(struct http_transfer *transfer, struct http_evidence *evidence)
{
    struct http_call *call = transfer->call;
    long status = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    call->status = (int)status;
    evidence->answer_is_framed = is_framed(transfer, call->status);
    read_headers(transfer, call);
    call->answer = transfer->answer.bytes ? transfer->answer.bytes : "";
    call->answer_length = transfer->answer.length;
}

void http_transfer_conclude(struct http_transfer *transfer, CURLcode result)
{
    struct http_call *call = transfer->call;
    struct http_evidence evidence = {
        .result = result,
        .bytes_sent = transfer->head_sent + transfer->body_sent,
        .was_withheld = transfer->was_withheld,
        .was_repeat = transfer->was_repeat,
        .answer_was_cut = transfer->answer.cut,
        .detail = transfer->detail[0] ? transfer->detail : curl_easy_strerror(result),
    };
    char what[160];

    call->answer = "";
    if (transfer->easy)
        read_answer(transfer, &evidence);
    if (transfer->origin)
        snprintf(what, sizeof(what), "%s to %s:%d", call->method, transfer->origin->host,
                 transfer->origin->port);
    else
        snprintf(what, sizeof(what), "%s to an unusable URL", call->method);
    call->took_us = (clock_monotonic_ns() - transfer->started_ns) / 1000;
    call->outcome = http_judge(&evidence, what, &call->fault);
    if (call->outcome == HTTP_CALL_ANSWERED)
        reach_point(call, "call_after");
}

void http_transfer_destroy(struct http_transfer *transfer)
{
    if (transfer->easy)
        curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    curl_slist_free_all(transfer->resolve);
    text_finish(&transfer->answer);
    free(transfer);
}
