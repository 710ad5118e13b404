/* workers/health.h - /livez, /readyz and /metrics of a process without an API
 *
 * /livez says that the loop turns, /readyz what is_ready says: 200 {"status":"ready"}, or 503 with
 * the reason.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/fault.h"

struct health;

struct health_options {
    const char *listen; /* "127.0.0.1:0" */
    /* False: fault says what is missing. */
    bool (*is_ready)(void *owner, struct fault *fault);
    void (*before_metrics)(void *owner); /* sets the gauges that are read now; may be NULL */
    void *owner;
};

struct health *health_open(uv_loop_t *loop, const struct health_options *options,
                           struct fault *fault) __attribute__((warn_unused_result));
int health_port(const struct health *health);
/* Then the health is gone.  NULL is fine: on_closed is called at once. */
void health_close(struct health *health, void (*on_closed)(void *owner), void *owner);
