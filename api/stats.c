#include "api/api.h"
#include "api/tls.h"
#include "base/metrics.h"
#include "queue/vitals.h"

#define COUNTER(variable, outcome)                                                                 \
    static struct metric variable = {                                                              \
        .type = METRIC_COUNTER,                                                                    \
        .name = "docket_orders_total",                                                             \
        .help = "Answers to POST /v1/orders, by what became of the order.",                        \
        .labels = "outcome=\"" outcome "\"",                                                       \
    }
COUNTER(accepted, "accepted");
COUNTER(replayed, "replayed");
COUNTER(refused, "refused");
COUNTER(unknown, "unknown");

static struct metric latency = {
    .type = METRIC_HISTOGRAM,
    .name = "docket_accept_seconds",
    .help = "From the request's head to the known fate of the order.",
};

static struct metric waiting =
    METRIC(METRIC_GAUGE, "docket_accept_waiting", "Orders and look-ups that wait for their batch.");
static struct metric polls =
    METRIC(METRIC_GAUGE, "docket_long_polls", "Long polls that wait for a change.");
static struct metric connections =
    METRIC(METRIC_GAUGE, "docket_api_connections", "Open connections of the public listener.");
static struct metric single_node =
    METRIC(METRIC_GAUGE, "docket_single_node", "1: Postgres has no synchronous standby.");
void stats_register(void)
{
    static struct metric *const all[] = {&accepted, &replayed, &refused,     &unknown,    &latency,
                                         &waiting,  &polls,    &connections, &single_node};

    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        metric_register(all[i]);
    tls_register_metrics();
    problem_register_metrics();
    events_register_metrics();
    waiters_register_metrics();
    intake_register_metrics();
    shed_register_metrics();
    reader_register_metrics();
    glances_register_metrics();
    stripe_webhook_register_metrics();
}

static struct metric *counter_of(enum intake_verdict verdict)
{
    switch (verdict) {
    case INTAKE_ACCEPTED:
        return &accepted;
    case INTAKE_REPLAYED:
    case INTAKE_CART_REPLAYED:
        return &replayed;
    case INTAKE_KEY_REUSED:
    case INTAKE_KEY_ABANDONED:
    case INTAKE_CART_TAKEN:
    case INTAKE_CART_CLOSED:
    case INTAKE_NOTHING:
        return &refused;
    case INTAKE_IN_FLIGHT:
    case INTAKE_UNSENT:
    case INTAKE_UNKNOWN:
    case INTAKE_BROKEN:
        return &unknown;
    }
    return &unknown;
}

const char *stats_outcome(enum intake_verdict verdict)
{
    const struct metric *counter = counter_of(verdict);

    if (counter == &accepted)
        return "accepted";
    if (counter == &replayed)
        return "replayed";
    return counter == &refused ? "refused" : "unknown";
}

void stats_note_accept(enum intake_verdict verdict, uint64_t microseconds)
{
    metric_add(counter_of(verdict), 1);
    metric_observe_us(&latency, (int64_t)microseconds);
}

static void refresh(void *owner)
{
    const struct api *api = owner;

    metric_set(&waiting, intake_waiting(api->intake));
    tls_refresh(api);
    metric_set(&polls, waiters_count(api->waiters));
    events_refresh_metrics(api->events);
    metric_set(&connections, api->public_server ? http_server_connections(api->public_server) : 0);
    metric_set(&single_node, api->service.database.is_single_node);
}

struct load stats_load(const struct api *api)
{
    return (struct load){
        .waiting = intake_waiting(api->intake) + reader_waiting(api->reader) +
                   glances_waiting(api->glances),
        .lag_us = vitals_lag_us(),
    };
}

void stats_watch(struct api *api)
{
    metrics_before_render(refresh, api);
}
