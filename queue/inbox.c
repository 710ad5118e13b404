#include "queue/inbox.h"

#include "base/memory.h"
#include "schema/statements.h"

enum { TICKETS_MAX = 200, WAITING_MAX = 10000 };
enum statement { STORE, FENCE };

static struct inbox_ticket *ticket_of(struct group_ticket *ticket)
{
    return container_of(ticket, struct inbox_ticket, ticket);
}

#define EACH(type, add, expression)                                                                \
    do {                                                                                           \
        pg_array_begin(params, type);                                                              \
        TAILQ_FOREACH (ticket, &batch->tickets, next) {                                            \
            const struct inbox_event *event = &ticket_of(ticket)->event;                           \
                                                                                                   \
            add(params, expression);                                                               \
        }                                                                                          \
        pg_array_end(params);                                                                      \
    } while (0)

static void put_uuid(struct pg_params *params, const struct inbox_event *event)
{
    if (event->has_order)
        pg_array_uuid(params, event->order_id.bytes);
    else
        pg_array_null(params);
}

static void put_events(struct pg_params *params, const struct group_batch *batch)
{
    struct group_ticket *ticket;

    EACH(PG_TEXT, pg_array_text, event->id);
    EACH(PG_TEXT, pg_array_text, event->type);
    EACH(PG_INT2, pg_array_i16, (int16_t)event->stage);
    EACH(PG_INT2, pg_array_i16, (int16_t)event->says);
    EACH(PG_TEXT, pg_array_text, event->intent_id);
    EACH(PG_UUID, put_uuid, event);
}

static bool send_batch(struct group_batch *batch)
{
    struct group_ticket *ticket;
    struct pg_params params;

    pg_params_init(&params);
    pg_add_text(&params, group_owner(batch));
    put_events(&params, batch);
    group_send(batch, &sql_webhook_store, &params);
    pg_params_finish(&params);
    group_send(batch, &sql_commit_fence, NULL);
    TAILQ_FOREACH (ticket, &batch->tickets, next)
        ticket_of(ticket)->is_new = false;
    return true;
}

static void on_rows(struct group_batch *batch, int nth, const PGresult *result)
{
    for (int row = 0; nth == STORE && row < PQntuples(result); row++) {
        struct group_ticket *ticket = TAILQ_FIRST(&batch->tickets);

        for (int n = pg_i32(result, row, 0); ticket && n > 1; n--)
            ticket = TAILQ_NEXT(ticket, next);
        if (ticket)
            ticket_of(ticket)->is_new = true;
    }
}

static const struct pg_statement *const statements[] = {&sql_webhook_store, &sql_commit_fence,
                                                        NULL};

static struct group_metrics metrics = GROUP_METRICS("inbox");

void inbox_register_metrics(void)
{
    group_metrics_register(&metrics);
}

const struct group_work inbox_work = {
    .name = "inbox",
    .statements = statements,
    .tickets_max = TICKETS_MAX,
    .waiting_max = WAITING_MAX,
    .send = send_batch,
    .on_rows = on_rows,
    .metrics = &metrics,
};
