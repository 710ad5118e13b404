/* api/problem.h - how the API says no: application/problem+json (RFC 9457), one table of codes
 *
 * Each code has a paragraph in docs/errors.md, where `type` points to.  Answers to a POST also say
 * what is known of the key: `accepted` yes, no or unknown (DESIGN.md §1.3).
 */
#pragma once

#include <stdbool.h>

#include "base/http/server.h"
#include "schema/order_json.h"

enum accepted { ACCEPTED_UNSAID, ACCEPTED_YES, ACCEPTED_NO, ACCEPTED_UNKNOWN };

struct problem {
    const char *code; /* of the table in problem.c */
    const char *detail;
    enum accepted accepted;
    bool stored_nothing; /* of UNKNOWN: this very request has stored nothing */
    const struct problem_items *items;
    const char *more;  /* further members of the object, as JSON: ",\"total\":…" */
    int retry_after_s; /* 0: some seconds */
};

void problem_reply(struct http_request *request, const struct problem *problem);
int problem_status(const char *code);

/* For http_server_options.on_error. */
void problem_on_error(struct http_request *request, int status, const char *code,
                      const char *detail);
/* The same for what may have been the POST of an order: it was not looked up. */
void problem_on_lost_error(struct http_request *request, int status, const char *code,
                           const char *detail);
/* Counters, one a code. */
void problem_register_metrics(void);
