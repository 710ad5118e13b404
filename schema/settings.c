#include "schema/settings.h"

#include <stddef.h>

#include "base/memory.h"

#define ALL         (PROGRAM_API | PROGRAM_RELAY | PROGRAM_WORKER)
#define FIELD(name) offsetof(struct settings, name)

/* name, type, default, least, most, help, programs, field */
const struct config_entry settings_entries[] = {
    {"DOCKET_PG", CONFIG_SECRET, NULL, 0, 0,
     "Postgres: a libpq conninfo (\"host=… port=… dbname=… user=…\").", ALL | PROGRAM_MIGRATE,
     FIELD(pg)},
    {"DOCKET_AMQP", CONFIG_SECRET, NULL, 0, 0, "RabbitMQ: amqp://user:password@host:port/vhost.",
     PROGRAM_RELAY | PROGRAM_WORKER, FIELD(amqp)},
    {"DOCKET_SINGLE_NODE", CONFIG_FLAG, "0", 0, 1,
     "1 accepts a Postgres without a synchronous standby: its disk is then the only copy.", ALL,
     FIELD(single_node)},
    {"DOCKET_LOG_LEVEL", CONFIG_TEXT, "info", 0, 0,
     "debug, info, warn or error; SIGUSR1 makes it debug at run time, SIGUSR2 this again.", ALL,
     FIELD(log_level)},

    {"DOCKET_API_LISTEN", CONFIG_TEXT, "127.0.0.1:8080", 0, 0,
     "Where shops and browsers reach the API: address:port.", PROGRAM_API, FIELD(api_listen)},
    {"DOCKET_OPERATOR_LISTEN", CONFIG_TEXT, "127.0.0.1:8081", 0, 0,
     "Where operators, health checks and metrics reach the API; not for the public.", PROGRAM_API,
     FIELD(operator_listen)},
    {"DOCKET_OPERATOR_KEY", CONFIG_SECRET, "", 0, 0,
     "A key with scope operator that needs no row in api_key: to make the first keys with.",
     PROGRAM_API | PROGRAM_DOCKET, FIELD(operator_key)},
    {"DOCKET_TOKEN_KEYS", CONFIG_SECRET, NULL, 0, 0,
     "Keys that sign client_token: \"1:64 hex digits\", newest first, \"2:…,1:…\" in a rotation.",
     PROGRAM_API, FIELD(token_keys)},
    {"DOCKET_BODY_BYTES_MAX", CONFIG_NUMBER, "65536", 1024, 1048576,
     "Longest request body, in bytes.", PROGRAM_API, FIELD(body_bytes_max)},
    {"DOCKET_CONNECTIONS_MAX", CONFIG_NUMBER, "20000", 16, 1000000,
     "Most connections at once of the public listener.", PROGRAM_API, FIELD(connections_max)},
    {"DOCKET_ACCEPT_WAITING_MAX", CONFIG_NUMBER, "20000", 1, 1000000,
     "Most orders that wait for their commit; more are answered 503.", PROGRAM_API,
     FIELD(accept_waiting_max)},
    {"DOCKET_ACCEPT_DEADLINE_MS", CONFIG_NUMBER, "5000", 100, 60000,
     "How long a request waits for its commit, in ms.", PROGRAM_API, FIELD(accept_deadline_ms)},
    {"DOCKET_QUOTA_ORDERS", CONFIG_NUMBER, "0", 0, 10000000,
     "New orders that one API process takes from an account a minute, where the account has no "
     "quota of its own; 0: no quota.",
     PROGRAM_API, FIELD(quota_orders)},
    {"DOCKET_QUOTA_READS", CONFIG_NUMBER, "0", 0, 10000000,
     "Reads and quotes that one API process answers an account a minute; as above.", PROGRAM_API,
     FIELD(quota_reads)},

    {"DOCKET_METRICS_LISTEN", CONFIG_TEXT, "127.0.0.1:0", 0, 0,
     "Where /livez, /readyz and /metrics are served: address:port; port 0 takes a free one.",
     PROGRAM_RELAY | PROGRAM_WORKER, FIELD(metrics_listen)},
    {"DOCKET_SWEEP_S", CONFIG_NUMBER, "30", 1, 86400,
     "How long after its message was confirmed a task is looked at, in s; doubles per task.",
     PROGRAM_RELAY, FIELD(sweep_s)},
    {"DOCKET_INFLIGHT_MAX", CONFIG_NUMBER, "4000", 1, 100000,
     "Most messages that are published and not yet confirmed.", PROGRAM_RELAY, FIELD(inflight_max)},

    {"DOCKET_PROVIDER_URL", CONFIG_TEXT, "https://api.stripe.com", 0, 0,
     "The payment provider's base URL.", PROGRAM_WORKER, FIELD(provider_url)},
    {"DOCKET_PROVIDER_KEY", CONFIG_SECRET, "", 0, 0, "The payment provider's secret key.",
     PROGRAM_WORKER, FIELD(provider_key)},
    {"DOCKET_CARRIER_URL", CONFIG_TEXT, "", 0, 0, "The carrier's base URL.", PROGRAM_WORKER,
     FIELD(carrier_url)},
    {"DOCKET_CARRIER_KEY", CONFIG_SECRET, "", 0, 0, "The carrier's key.", PROGRAM_WORKER,
     FIELD(carrier_key)},
    {"DOCKET_PROVIDER_TIMEOUT_MS", CONFIG_NUMBER, "30000", 100, 300000,
     "Longest call to the payment provider, in ms; then its outcome is unknown.", PROGRAM_WORKER,
     FIELD(provider_timeout_ms)},
    {"DOCKET_PROVIDER_LONGEST_MS", CONFIG_NUMBER, "80000", 100, 600000,
     "After this long the provider has ended every call on its side, in ms.", PROGRAM_WORKER,
     FIELD(provider_longest_ms)},
    {"DOCKET_CARRIER_TIMEOUT_MS", CONFIG_NUMBER, "30000", 100, 300000,
     "Longest call to the carrier, in ms.", PROGRAM_WORKER, FIELD(carrier_timeout_ms)},
    {"DOCKET_PREFETCH", CONFIG_NUMBER, "500", 1, 10000, "Tasks in flight in one worker process.",
     PROGRAM_WORKER, FIELD(prefetch)},
    {"DOCKET_RETRY_BASE_MS", CONFIG_NUMBER, "1000", 1, 3600000,
     "Longest pause before the second attempt, in ms; doubles with each.", PROGRAM_WORKER,
     FIELD(retry_base_ms)},
    {"DOCKET_RETRY_MAX_MS", CONFIG_NUMBER, "300000", 1, 86400000,
     "Longest pause between two attempts, in ms.", PROGRAM_WORKER, FIELD(retry_max_ms)},
    {"DOCKET_ATTEMPTS_MAX", CONFIG_NUMBER, "12", 1, 1000,
     "Attempts of a task before it becomes a dead letter.", PROGRAM_WORKER, FIELD(attempts_max)},
    {"DOCKET_CUSTOMER_WAIT_S", CONFIG_NUMBER, "1800", 1, 604800,
     "How long an order waits for its customer (3-D Secure, another card), in s.", PROGRAM_WORKER,
     FIELD(customer_wait_s)},
    {"DOCKET_UNKNOWN_SLA_S", CONFIG_NUMBER, "900", 1, 604800,
     "After this long an unknown payment is on hold, while look-ups go on, in s.", PROGRAM_WORKER,
     FIELD(unknown_sla_s)},

    {"DOCKET_OPERATOR_URL", CONFIG_TEXT, "http://127.0.0.1:8081", 0, 0,
     "The API's operators' listener.", PROGRAM_DOCKET, FIELD(operator_url)},
};
const size_t settings_count = ARRAY_SIZE(settings_entries);
const char *const settings_programs[] = {"api",    "relay",          "worker",
                                         "docket", "docket migrate", NULL};
