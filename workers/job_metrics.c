#include "workers/job_metrics.h"

#include <stdio.h>

#include "base/memory.h"

static const struct job_metrics blank = {
    .deliveries =
        METRIC(METRIC_COUNTER, "docket_worker_deliveries_total", "Messages that the broker gave."),
    .redeliveries = METRIC(METRIC_COUNTER, "docket_worker_redeliveries_total",
                           "Of them, those that somebody had before."),
    .malformed =
        METRIC(METRIC_COUNTER, "docket_worker_malformed_total", "Messages that could not be read."),
    .claims = METRIC(METRIC_COUNTER, "docket_worker_claims_total", "Tasks claimed."),
    .claims_refused = METRIC(METRIC_COUNTER, "docket_worker_claims_refused_total",
                             "Messages that found nothing to do."),
    .takeovers = METRIC(METRIC_COUNTER, "docket_worker_takeovers_total",
                        "Tasks taken over from a worker that was gone."),
    .overtaken = METRIC(METRIC_COUNTER, "docket_worker_overtaken_total",
                        "Outcomes that lost against another writer."),
    .dead_letters = METRIC(METRIC_COUNTER, "docket_worker_dead_letters_total",
                           "Tasks that became dead letters."),
    .retries = METRIC(METRIC_COUNTER, "docket_worker_retries_total",
                      "Outcomes that made a task wait for its next attempt or look-up."),
    .parked = METRIC(METRIC_COUNTER, "docket_worker_parked_total",
                     "Tasks that were parked, since a provider or carrier is held back."),
    .jobs = METRIC(METRIC_GAUGE, "docket_worker_jobs", "Tasks in flight."),
    .handover_seconds = {.type = METRIC_HISTOGRAM,
                         .name = "docket_worker_handover_seconds",
                         .help = "From the publishing of a message to the claim of its task.",
                         .range = METRIC_OUTSIDE},
    .task_seconds = {.type = METRIC_HISTOGRAM,
                     .name = "docket_worker_task_seconds",
                     .help = "From the claim of a task to the end of this worker's work on it.",
                     .range = METRIC_OUTSIDE},
};

/* An order ends in one of these. */
static struct {
    enum order_status status;
    struct metric seconds;
    char labels[64];
} ends[] = {{.status = ORDER_FULFILLED}, {.status = ORDER_CANCELED}, {.status = ORDER_REFUNDED}};

static struct {
    struct job_metrics metrics;
    char label[64];
    bool is_registered;
} stages[STAGE_COUNT];

static void register_of(struct job_metrics *metrics, const char *label)
{
    struct metric *const all[] = {
        &metrics->deliveries, &metrics->redeliveries,     &metrics->malformed,
        &metrics->claims,     &metrics->claims_refused,   &metrics->takeovers,
        &metrics->overtaken,  &metrics->dead_letters,     &metrics->retries,
        &metrics->jobs,       &metrics->handover_seconds, &metrics->task_seconds,
        &metrics->parked,
    };

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        all[i]->labels = label;
        metric_register(all[i]);
    }
}

struct job_metrics *job_metrics_of(enum stage stage)
{
    if (!stages[stage].is_registered) {
        stages[stage].is_registered = true;
        stages[stage].metrics = blank;
        snprintf(stages[stage].label, sizeof(stages[stage].label), "stage=\"%s\"",
                 stage_name(stage));
        register_of(&stages[stage].metrics, stages[stage].label);
    }
    return &stages[stage].metrics;
}

void job_metrics_register_ends(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        snprintf(ends[i].labels, sizeof(ends[i].labels), "status=\"%s\"",
                 order_status_name(ends[i].status));
        ends[i].seconds = (struct metric){
            .type = METRIC_HISTOGRAM,
            .name = "docket_order_seconds",
            .help = "From the acceptance of an order to its end, written by this worker.",
            .labels = ends[i].labels,
            .range = METRIC_LIFE,
        };
        metric_register(&ends[i].seconds);
    }
}

void job_metrics_note_final(enum order_status status, int64_t took_us)
{
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        if (ends[i].status == status)
            metric_observe_us(&ends[i].seconds, took_us);
    }
}
