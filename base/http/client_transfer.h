/* base/http/client_transfer.h - one call on one libcurl handle, and the evidence of what left
 *
 *     on_ready (may it go?) ─► head and body are written ─► the answer is read ─► judged
 *
 * on_ready is libcurl's pre-request callback: it comes directly before the first byte, and again
 * before each silent repetition, which is where a POST is kept from being sent twice.  (The missing
 * SEEKFUNCTION alone does not do it: 7.88 repeats a POST of which no body byte was written yet, and
 * so each one without a body.)  What was written is counted from libcurl's debug callback, which
 * it calls with the bytes that the kernel (or TLS) took.
 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/http/client.h"
#include "base/http/client_sockets.h"
#include "base/text.h"

TAILQ_HEAD(http_transfers, http_transfer);

struct http_transfer {
    TAILQ_ENTRY(http_transfer) entry; /* of those that wait, or of those that are over */
    struct http_call *call;
    struct http_origin *origin; /* NULL: the URL names none */
    uint64_t started_ns;

    CURL *easy; /* NULL while it waits */
    struct curl_slist *headers, *resolve;
    size_t body_given; /* to libcurl */
    uint64_t head_sent, body_sent;
    bool was_withheld, was_repeat;
    struct text answer;
    char detail[CURL_ERROR_SIZE];
};

struct http_transfer *http_transfer_create(struct http_call *call);
/* Makes the handle, with what is left of the call's deadlines. */
void http_transfer_prepare(struct http_transfer *transfer, const char *resolve,
                           struct http_sockets *sockets, const char *ca_file);
uint64_t http_transfer_age_ms(const struct http_transfer *transfer);
/* Fills the answer part of the call.  A transfer that was never prepared gives `detail`. */
void http_transfer_conclude(struct http_transfer *transfer, CURLcode result);
void http_transfer_destroy(struct http_transfer *transfer);
