/* schema/settings.h - every setting of every program, in one table (settings.c) */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"

enum program {
    PROGRAM_API = 1 << 0,
    PROGRAM_RELAY = 1 << 1,
    PROGRAM_WORKER = 1 << 2,
    PROGRAM_DOCKET = 1 << 3,  /* the operator's command */
    PROGRAM_MIGRATE = 1 << 4, /* `docket migrate` and */
    PROGRAM_DOCTOR = 1 << 5,  /* `docket doctor`, which alone go to Postgres */
};

struct settings {
    const char *pg, *amqp, *log_level, *otlp_endpoint, *otlp_header;
    bool single_node;
    int64_t retention_months;

    /* API */
    const char *api_listen, *operator_listen, *operator_key, *token_keys;
    int64_t body_bytes_max, connections_max, accept_waiting_max, accept_deadline_ms;
    int64_t accept_batch_max, accept_delay_ms;
    int64_t streams_max, streams_account_max;
    int64_t quota_orders, quota_reads, trace_percent;
    const char *tls_cert, *tls_key, *cors_origins;
    bool operator_tls;
    const char *webhook_secrets;

    /* relay and workers */
    const char *metrics_listen;
    int64_t sweep_s, inflight_max, breaker_pause_ms, breaker_pause_max_ms;

    /* workers */
    const char *provider_url, *provider_key, *carrier_url, *carrier_key;
    int64_t provider_timeout_ms, provider_longest_ms, carrier_timeout_ms, prefetch;
    int64_t retry_base_ms, retry_max_ms, attempts_max, customer_wait_s, unknown_sla_s;
    bool start_paused, duplicate_hold;
    int64_t duplicate_window_s;
    int64_t payment_attempts_max;
    int64_t orphan_hours, orphan_age_s, orphan_every_s;
    int64_t breaker_failures, breaker_percent, breaker_window_s;

    /* the operator's command */
    const char *operator_url, *operator_ca, *management_url;
};

extern const struct config_entry settings_entries[];
extern const size_t settings_count;
extern const char *const settings_programs[]; /* names of the bits above, NULL ends */
