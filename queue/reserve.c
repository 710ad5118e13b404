#include "queue/reserve.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "schema/statements.h"

enum { ROWS_MAX = 100 };

/* The skus of a batch, each once, found by a hash (open addressing). */
struct shelf {
    int count, slot_count;
    int *slots; /* index + 1, 0: free */
    const char **skus;
    int64_t *available, *taken;
};

static uint32_t hash(const char *sku)
{
    uint32_t h = 2166136261U; /* FNV-1a */

    for (; *sku; sku++)
        h = (h ^ (unsigned char)*sku) * 16777619U;
    return h;
}

static int find_sku(struct shelf *shelf, const char *sku)
{
    uint32_t slot = hash(sku);

    for (;; slot++) {
        int *at = &shelf->slots[slot % (uint32_t)shelf->slot_count];

        if (*at == 0) {
            shelf->skus[shelf->count] = sku;
            *at = ++shelf->count;
        }
        if (strcmp(shelf->skus[*at - 1], sku) == 0)
            return *at - 1;
    }
}

static void shelf_finish(struct shelf *shelf)
{
    free(shelf->slots);
    free(shelf->skus);
    free(shelf->available);
    free(shelf->taken);
}

static void shelf_init(struct shelf *shelf, struct group_batch *batch)
{
    struct group_ticket *ticket;
    size_t lines = 0;

    TAILQ_FOREACH (ticket, &batch->tickets, next)
        lines += (size_t)container_of(ticket, struct reserve_ticket, ticket)->order->line_count;
    *shelf = (struct shelf){
        .slot_count = (int)lines * 2 + 1,
        .slots = xcalloc(lines * 2 + 1, sizeof(*shelf->slots)),
        .skus = xcalloc(lines + 1, sizeof(*shelf->skus)),
        .available = xcalloc(lines + 1, sizeof(*shelf->available)),
        .taken = xcalloc(lines + 1, sizeof(*shelf->taken)),
    };
    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        const struct claim_order *order =
            container_of(ticket, struct reserve_ticket, ticket)->order;

        for (int i = 0; i < order->line_count; i++)
            find_sku(shelf, order->lines[i].sku);
    }
}

static const struct order_id *id_of(struct group_ticket *ticket)
{
    return &container_of(ticket, struct reserve_ticket, ticket)->row.facts->id;
}

static bool send_batch(struct group_batch *batch)
{
    const struct order_span span = group_span(batch, id_of);
    struct group_ticket *ticket;
    struct pg_params params;
    struct shelf shelf;

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
        reserve->is_current = reserve->is_granted = reserve->row.is_written = false;
        pg_array_i32(&params, reserve->row.facts->version);
    }
    pg_array_end(&params);
    group_send_month(batch, &sql_reserve_lock, &span, &params);

    pg_params_clear(&params);
    shelf_init(&shelf, batch);
    pg_array_begin(&params, PG_TEXT);
    for (int i = 0; i < shelf.count; i++)
        pg_array_text(&params, shelf.skus[i]);
    pg_array_end(&params);
    group_send(batch, &sql_stock_lock, &params);
    shelf_finish(&shelf);
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

bool reserve_take(int64_t *available, const struct reserve_want *wants, int count)
{
    for (int i = 0; i < count; i++) {
        available[wants[i].sku] -= wants[i].quantity;
        if (available[wants[i].sku] >= 0)
            continue;
        for (; i >= 0; i--)
            available[wants[i].sku] += wants[i].quantity;
        return false;
    }
    return true;
}

static bool take_order(struct shelf *shelf, const struct claim_order *order)
{
    struct reserve_want wants[CLAIM_LINES_MAX];
    bool is_taken;

    assert(order->line_count <= CLAIM_LINES_MAX);
    for (int i = 0; i < order->line_count; i++)
        wants[i] =
            (struct reserve_want){find_sku(shelf, order->lines[i].sku), order->lines[i].quantity};
    is_taken = reserve_take(shelf->available, wants, order->line_count);
    for (int i = 0; is_taken && i < order->line_count; i++)
        shelf->taken[wants[i].sku] += wants[i].quantity;
    return is_taken;
}

/* Oldest first: ids rise with time. */
static int compare_age(const void *left, const void *right)
{
    const struct reserve_ticket *const *a = left, *const *b = right;

    return memcmp((*a)->row.facts->id.bytes, (*b)->row.facts->id.bytes, ORDER_ID_BYTES);
}

static void grant(struct group_batch *batch, const PGresult *result)
{
    struct reserve_ticket *oldest[ROWS_MAX];
    struct group_ticket *ticket;
    struct shelf shelf;
    int count = 0;

    shelf_init(&shelf, batch);
    for (int row = 0; row < PQntuples(result); row++)
        shelf.available[find_sku(&shelf, pg_text(result, row, 0))] = pg_i64(result, row, 1);
    TAILQ_FOREACH (ticket, &batch->tickets, next)
        oldest[count++] = container_of(ticket, struct reserve_ticket, ticket);
    qsort(oldest, (size_t)count, sizeof(void *), compare_age);
    for (int i = 0; i < count; i++)
        oldest[i]->is_granted = oldest[i]->is_current && take_order(&shelf, oldest[i]->order);
    shelf_finish(&shelf);
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

static void send_takings(struct group_batch *batch)
{
    struct group_ticket *ticket;
    struct pg_params params;
    struct shelf shelf;

    shelf_init(&shelf, batch);
    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        struct reserve_ticket *reserve = container_of(ticket, struct reserve_ticket, ticket);

        for (int i = 0; reserve->is_granted && i < reserve->order->line_count; i++)
            shelf.taken[find_sku(&shelf, reserve->order->lines[i].sku)] +=
                reserve->order->lines[i].quantity;
    }
    pg_params_init(&params);
    pg_array_begin(&params, PG_TEXT);
    for (int i = 0; i < shelf.count; i++) {
        if (shelf.taken[i] > 0)
            pg_array_text(&params, shelf.skus[i]);
    }
    pg_array_end(&params);
    pg_array_begin(&params, PG_INT8);
    for (int i = 0; i < shelf.count; i++) {
        if (shelf.taken[i] > 0)
            pg_array_i64(&params, shelf.taken[i]);
    }
    pg_array_end(&params);
    group_send(batch, &sql_stock_take, &params);
    pg_params_finish(&params);
    shelf_finish(&shelf);
}

/* One column of the granted orders' lines. */
static void put_lines(struct pg_params *params, struct group_batch *batch, enum pg_oid type)
{
    struct group_ticket *ticket;

    pg_array_begin(params, type);
    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        struct reserve_ticket *reserve = container_of(ticket, struct reserve_ticket, ticket);

        for (int i = 0; reserve->is_granted && i < reserve->order->line_count; i++) {
            if (type == PG_UUID)
                pg_array_uuid(params, reserve->row.facts->id.bytes);
            else if (type == PG_TEXT)
                pg_array_text(params, reserve->order->lines[i].sku);
            else
                pg_array_i32(params, reserve->order->lines[i].quantity);
        }
    }
    pg_array_end(params);
}

static void send_reservations(struct group_batch *batch)
{
    const struct order_span span = group_span(batch, id_of);
    struct pg_params params;

    pg_params_init(&params);
    put_lines(&params, batch, PG_UUID);
    put_lines(&params, batch, PG_TEXT);
    put_lines(&params, batch, PG_INT4);
    group_send_month(batch, &sql_reservation_add, &span, &params);
    pg_params_finish(&params);
}

static bool send_more(struct group_batch *batch)
{
    struct outcome_row *rows[ROWS_MAX];
    struct group_ticket *ticket;

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        struct reserve_ticket *reserve = container_of(ticket, struct reserve_ticket, ticket);
        struct order_lesson lesson = {
            .verdict = reserve->is_granted ? VERDICT_RESERVED : VERDICT_OUT_OF_STOCK,
            .retry_after_ms = -1,
        };

        order_decide(reserve->row.facts, &lesson, reserve->policy, 0, &reserve->row.change);
    }
    send_takings(batch);
    send_reservations(batch);
    outcome_send(batch, rows, gather(batch, rows), group_owner(batch));
    return true;
}

enum statement {
    LOCK_ORDERS,
    LOCK_STOCK,
    TAKE_STOCK,
    ADD_RESERVATIONS,
    WRITE_OUTCOMES,
    WRITE_LETTERS,
    WRITE_UNDO
};

static void on_rows(struct group_batch *batch, int nth, const PGresult *result)
{
    struct outcome_row *rows[ROWS_MAX];

    switch ((enum statement)nth) {
    case LOCK_ORDERS:
        note_current(batch, result);
        break;
    case LOCK_STOCK:
        grant(batch, result);
        break;
    case WRITE_OUTCOMES:
        outcome_read(rows, gather(batch, rows), result);
        break;
    case TAKE_STOCK:
    case ADD_RESERVATIONS:
    case WRITE_LETTERS:
    case WRITE_UNDO:
        break;
    }
}

static const struct pg_statement *const statements[] = {
    &sql_reserve_lock.all, &sql_stock_lock,      &sql_stock_take,   &sql_reservation_add.all,
    &sql_outcome.all,      &sql_outcome_letters, &sql_outcome_undo, NULL,
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
