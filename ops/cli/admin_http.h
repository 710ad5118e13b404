/* ops/cli/admin_http.h - one request to the operators' listener, and what came of it
 *
 * Says nothing on stderr: admin_call does, and docket doctor has findings of its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "schema/settings.h"

struct admin_answer {
    long status; /* 0: there was none, and `why` says why */
    struct text url, body;
    char why[300];
    bool was_sent;         /* connected: what was asked may be done */
    int64_t date_s;        /* its Date field, unix; -1: none */
    int64_t certificate_s; /* until when its certificate is valid, unix; -1: no TLS */
};

/* body may be NULL; admin_answer_finish frees the answer. */
void admin_http(const struct settings *settings, const char *method, const char *path,
                const char *body, long timeout_ms, struct admin_answer *answer);
void admin_answer_finish(struct admin_answer *answer);
