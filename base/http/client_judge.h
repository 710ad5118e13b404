/* base/http/client_judge.h - what became of a call, from the evidence alone
 *
 * Pure: no handle, no clock.
 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/http/client.h"

struct http_evidence {
    CURLcode result;
    uint64_t bytes_sent;   /* of head and body, taken by the kernel or by TLS, over all tries */
    bool was_withheld;     /* may_send said no */
    bool was_repeat;       /* libcurl wanted to send it again and was stopped */
    bool answer_was_cut;   /* at HTTP_CALL_ANSWER_BYTES_MAX */
    bool answer_is_framed; /* by Content-Length, chunks, or a status without a body */
    const char *detail;    /* libcurl's words, or "" */
};

/* Returns the outcome and fills the fault of all but ANSWERED.  `what` names the call ("POST to
 * api.example:443"). */
enum http_call_outcome http_judge(const struct http_evidence *evidence, const char *what,
                                  struct fault *fault);

/* Retry-After (RFC 9110 §10.2.3): seconds or a date; -1 if it is neither.  At most a day. */
int64_t http_retry_after_ms(const char *value, int64_t now_s);
