/* workers/job_metrics.h - what is measured of a worker's jobs, from delivery to ack */
#pragma once

#include "base/metrics.h"
#include "schema/order_state.h"

struct job_metrics {
    struct metric deliveries, redeliveries, malformed;
    struct metric claims, claims_refused, takeovers, overtaken, dead_letters;
    struct metric jobs;
    struct metric handover_seconds, task_seconds;
    struct metric retries, parked;
};

/* Of one stage, registered by the first call for it. */
struct job_metrics *job_metrics_of(enum stage stage);
void job_metrics_register_ends(void);
/* The order has come to an end, this long after it was accepted. */
void job_metrics_note_final(enum order_status status, int64_t took_us);
