/* ops/cli/status_needs.h - what of GET /admin/status needs a person, and which command mends it */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* [{what, command, check, urgent}]; the caller's. */
json_t *status_needs(const json_t *status) __attribute__((warn_unused_result));
/* How long before the status a time was ("": 0). */
double status_age_s(const json_t *status, const char *stamp);
