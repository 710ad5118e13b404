#include "queue/reserve.h"

#include "base/memory.h"
#include "schema/statements.h"

enum { ROWS_MAX = 100 };

/* The batch's orders; only_current: whose version is the expected one. */
static int gather_wants(struct group_batch *batch, struct shelf_want **wants, bool only_current)
{
    struct group_ticket *ticket;
    int count = 0;

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        struct reserve_ticket *reserve = container_of(ticket, struct reserve_ticket, ticket);

        reserve->want.id = &reserve->row.facts->id;
        reserve->want.order = reserve->order;
        if (reserve->is_current || !only_current)
            wants[count++] = &reserve->want;
    }
    return count;
}

static const struct order_id *id_of(struct group_ticket *ticket)
{
    return &container_of(ticket, struct reserve_ticket, ticket)->row.facts->id;
}

static bool send_batch(struct group_batch *batch)
{
    const struct order_span span = group_span(batch, id_of);
    struct shelf_want *wants[ROWS_MAX];
    struct group_ticket *ticket;
    struct pg_params params;

    pg_params_init(&params);
    pg_array_begin(&params, PG_UUID);
    TAILQ_FOREACH (ticket, &batch->tickets, next)
        pg_array_uuid(&params,
                      container_of(ticket, struct reserve_ticket, ticket)->row.facts->id.bytes);
    pg_array_end(&params);
    pg_array_begin(&params, PG_INT4);
    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        struct reserve_ticket *reserve = container_of(ticket, struct reserve_ticket, ticket);

        /* It may be sent again, after an answer whose commit was in doubt. */
        reserve->is_current = reserve->want.is_granted = reserve->row.is_written = false;
        pg_array_i32(&params, reserve->row.facts->version);
    }
    pg_array_end(&params);
    group_send_month(batch, &sql_reserve_lock, &span, &params);

    shelf_send_lock(batch, wants, gather_wants(batch, wants, false));
    pg_params_finish(&params);
    return false;
}

static void note_current(struct group_batch *batch, const PGresult *result)
{
    struct group_ticket *ticket;
    int n = 0;

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        struct reserve_ticket *reserve = container_of(ticket, struct reserve_ticket, ticket);

        n++;
        for (int row = 0; row < PQntuples(result); row++)
            reserve->is_current |= pg_i32(result, row, 0) == n;
    }
}

static int gather(struct group_batch *batch, struct outcome_row **rows)
{
    struct group_ticket *ticket;
    int count = 0;

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        struct reserve_ticket *reserve = container_of(ticket, struct reserve_ticket, ticket);

        if (reserve->is_current)
            rows[count++] = &reserve->row;
    }
    return count;
}

static bool send_more(struct group_batch *batch)
{
    const struct order_span span = group_span(batch, id_of);
    struct shelf_want *wants[ROWS_MAX];
    struct outcome_row *rows[ROWS_MAX];
    struct group_ticket *ticket;

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        struct reserve_ticket *reserve = container_of(ticket, struct reserve_ticket, ticket);
        struct order_lesson lesson = {
            .verdict = reserve->want.is_granted ? VERDICT_RESERVED : VERDICT_OUT_OF_STOCK,
            .retry_after_ms = -1,
        };

        order_decide(reserve->row.facts, &lesson, reserve->policy, 0, &reserve->row.change);
    }
    shelf_send_takings(batch, &span, wants, gather_wants(batch, wants, true));
    outcome_send(batch, rows, gather(batch, rows), group_owner(batch));
    return true;
}

enum statement {
    LOCK_ORDERS,
    LOCK_STOCK,
    TAKE_STOCK,
    ADD_RESERVATIONS,
    WRITE_OUTCOMES, /* and what is rare */
};

static void on_rows(struct group_batch *batch, int nth, const PGresult *result)
{
    struct shelf_want *wants[ROWS_MAX];
    struct outcome_row *rows[ROWS_MAX];

    switch ((enum statement)nth) {
    case LOCK_ORDERS:
        note_current(batch, result);
        break;
    case LOCK_STOCK:
        shelf_grant(wants, gather_wants(batch, wants, true), result);
        break;
    case WRITE_OUTCOMES:
        outcome_read(rows, gather(batch, rows), result);
        break;
    default:
        break;
    }
}

static const struct pg_statement *const statements[] = {
    &sql_reserve_lock.all, &sql_stock_lock,
    &sql_stock_take,       &sql_reservation_add.all,
    &sql_outcome.all,      &sql_outcome_attempts,
    &sql_outcome_restock,  &sql_outcome_letters,
    &sql_outcome_undo,     NULL,
};

static struct group_metrics metrics = GROUP_METRICS("reserve");

void reserve_register_metrics(void)
{
    group_metrics_register(&metrics);
}

const struct group_work reserve_work = {
    .name = "reserve",
    .statements = statements,
    .tickets_max = ROWS_MAX,
    .waiting_max = 1000000, /* bounded by the prefetch */
    .send = send_batch,
    .send_more = send_more,
    .on_rows = on_rows,
    .metrics = &metrics,
};
