#include "base/http/client_judge.h"

#include <ctype.h>
#include <stdlib.h>

enum { RETRY_AFTER_S_MAX = 24 * 60 * 60 };

/* Nothing left: why, and is it for a person to mend? */
static const char *not_sent_code(CURLcode result, enum fault_kind *kind)
{
    *kind = FAULT_TRANSIENT;
    switch ((int)result) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        *kind = FAULT_BROKEN;
        return "url_invalid";
    case CURLE_SSL_CACERT_BADFILE:
        *kind = FAULT_BROKEN;
        return "ca_file_unusable";
    case CURLE_ABORTED_BY_CALLBACK:
        return "abandoned";
    case CURLE_COULDNT_RESOLVE_HOST:
        return "name_not_found";
    case CURLE_OPERATION_TIMEDOUT:
        return "connect_timeout";
    case CURLE_PEER_FAILED_VERIFICATION:
        return "certificate_refused";
    case CURLE_SSL_CONNECT_ERROR:
        return "tls_failed";
    default:
        return "connect_failed";
    }
}

static const char *unknown_code(const struct http_evidence *evidence)
{
    if (evidence->answer_was_cut)
        return "answer_too_large";
    if (evidence->was_repeat || evidence->was_withheld)
        return "connection_lost";
    switch ((int)evidence->result) {
    case CURLE_OK:
        return "answer_unframed";
    case CURLE_ABORTED_BY_CALLBACK:
        return "abandoned";
    case CURLE_OPERATION_TIMEDOUT:
        return "timed_out";
    case CURLE_PARTIAL_FILE:
        return "answer_torn";
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* an answer without a status line */
    case CURLE_BAD_CONTENT_ENCODING:
        return "answer_malformed";
    default:
        return "connection_lost";
    }
}

enum http_call_outcome http_judge(const struct http_evidence *evidence, const char *what,
                                  struct fault *fault)
{
    enum fault_kind kind;
    const char *code;

    *fault = (struct fault){0};
    if (evidence->result == CURLE_OK && evidence->answer_is_framed && !evidence->answer_was_cut)
        return HTTP_CALL_ANSWERED;
    if (evidence->bytes_sent > 0 || evidence->result == CURLE_OK) {
        fail_as(fault, FAULT_UNKNOWN, unknown_code(evidence),
                "%s was sent and no whole answer came: %s", what,
                evidence->was_repeat ? "the connection died before it" : evidence->detail);
        return HTTP_CALL_UNKNOWN;
    }
    if (evidence->was_withheld) {
        fail_as(fault, FAULT_TRANSIENT, "call_withheld",
                "%s was not sent: its sender may not any more", what);
        return HTTP_CALL_NOT_SENT;
    }
    code = not_sent_code(evidence->result, &kind);
    fail_as(fault, kind, code, "%s was not sent: %s", what, evidence->detail);
    return HTTP_CALL_NOT_SENT;
}

int64_t http_retry_after_ms(const char *value, int64_t now_s)
{
    int64_t seconds;
    char *end;

    if (isdigit((unsigned char)*value)) {
        seconds = strtoll(value, &end, 10);
        while (*end == ' ' || *end == '\t')
            end++;
        if (*end != '\0')
            return -1;
    } else {
        time_t when = curl_getdate(value, NULL);

        if (when == (time_t)-1)
            return -1;
        seconds = when > now_s ? (int64_t)when - now_s : 0;
    }
    return (seconds < RETRY_AFTER_S_MAX ? seconds : RETRY_AFTER_S_MAX) * 1000;
}
