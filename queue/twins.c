#include "queue/twins.h"

#include <string.h>

#include "base/memory.h"
#include "base/metrics.h"
#include "schema/statements.h"

enum { TICKETS_MAX = 200 };
enum statement { LOCK, CHECK };

static struct metric flagged =
    METRIC(METRIC_COUNTER, "docket_duplicates_total",
           "Orders that look like an earlier one of the same customer, by no key the same.");

static struct twins_ticket *ticket_of(struct group_ticket *ticket)
{
    return container_of(ticket, struct twins_ticket, ticket);
}

static void add_ids(struct pg_params *params, const struct group_batch *batch)
{
    struct group_ticket *ticket;

    pg_array_begin(params, PG_UUID);
    TAILQ_FOREACH (ticket, &batch->tickets, next)
        pg_array_uuid(params, ticket_of(ticket)->order_id.bytes);
    pg_array_end(params);
}

/* Two statements: the second one's snapshot is taken when the locks are held. */
static bool send_batch(struct group_batch *batch)
{
    const struct twins_context *context = group_owner(batch);
    struct group_ticket *ticket;
    struct pg_params params;

    pg_params_init(&params);
    add_ids(&params, batch);
    group_send(batch, &sql_twin_lock, &params);
    pg_params_clear(&params);
    add_ids(&params, batch);
    pg_add_i64(&params, context->window_ms);
    pg_add_bool(&params, context->holds);
    pg_add_text(&params, context->process);
    group_send(batch, &sql_twin_check, &params);
    pg_params_finish(&params);
    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        ticket_of(ticket)->is_flagged = ticket_of(ticket)->is_unsure = false;
        ticket_of(ticket)->flagged = 0;
    }
    return true;
}

static void on_rows(struct group_batch *batch, int nth, const PGresult *result)
{
    struct group_ticket *ticket;
    size_t length;

    if (nth != CHECK)
        return;
    for (int row = 0; row < PQntuples(result); row++) {
        const uint8_t *id = pg_bytes(result, row, 0, &length);

        bool is_unsure = pg_bool(result, row, 1);

        ticket_of(TAILQ_FIRST(&batch->tickets))->flagged += !is_unsure;
        TAILQ_FOREACH (ticket, &batch->tickets, next) {
            struct twins_ticket *twins = ticket_of(ticket);

            if (memcmp(twins->order_id.bytes, id, ORDER_ID_BYTES) != 0)
                continue;
            twins->is_unsure |= is_unsure;
            twins->is_flagged |= !is_unsure;
        }
    }
}

void twins_note(const struct twins_ticket *ticket)
{
    metric_add(&flagged, ticket->flagged);
}

static const struct pg_statement *const statements[] = {&sql_twin_lock, &sql_twin_check, NULL};

static struct group_metrics metrics = GROUP_METRICS("twins");

void twins_register_metrics(void)
{
    metric_register(&flagged);
    group_metrics_register(&metrics);
}

const struct group_work twins_work = {
    .name = "twins",
    .statements = statements,
    .tickets_max = TICKETS_MAX,
    .waiting_max = 1000000, /* bounded by the prefetch */
    .send = send_batch,
    .on_rows = on_rows,
    .metrics = &metrics,
};
