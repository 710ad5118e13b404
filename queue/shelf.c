#include "queue/shelf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "schema/statements.h"

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

/* Its slot, or the free one where it would be. */
static int *seek_sku(const struct shelf *shelf, const char *sku)
{
    uint32_t slot = hash(sku);

    for (;; slot++) {
        int *at = &shelf->slots[slot % (uint32_t)shelf->slot_count];

        if (*at == 0 || strcmp(shelf->skus[*at - 1], sku) == 0)
            return at;
    }
}

static int find_sku(struct shelf *shelf, const char *sku)
{
    int *at = seek_sku(shelf, sku);

    if (*at == 0) {
        shelf->skus[shelf->count] = sku;
        *at = ++shelf->count;
    }
    return *at - 1;
}

static void shelf_finish(struct shelf *shelf)
{
    free(shelf->slots);
    free(shelf->skus);
    free(shelf->available);
    free(shelf->taken);
}

static void shelf_init(struct shelf *shelf, struct shelf_want *const *wants, int count)
{
    size_t lines = 0;

    for (int i = 0; i < count; i++)
        lines += (size_t)wants[i]->order->line_count;
    *shelf = (struct shelf){
        .slot_count = (int)lines * 2 + 1,
        .slots = xcalloc(lines * 2 + 1, sizeof(*shelf->slots)),
        .skus = xcalloc(lines + 1, sizeof(*shelf->skus)),
        .available = xcalloc(lines + 1, sizeof(*shelf->available)),
        .taken = xcalloc(lines + 1, sizeof(*shelf->taken)),
    };
    for (int i = 0; i < count; i++) {
        for (int n = 0; n < wants[i]->order->line_count; n++)
            find_sku(shelf, wants[i]->order->lines[n].sku);
    }
}

void shelf_send_lock(struct group_batch *batch, struct shelf_want *const *wants, int count)
{
    struct pg_params params;
    struct shelf shelf;

    shelf_init(&shelf, wants, count);
    pg_params_init(&params);
    pg_array_begin(&params, PG_TEXT);
    for (int i = 0; i < shelf.count; i++)
        pg_array_text(&params, shelf.skus[i]);
    pg_array_end(&params);
    group_send(batch, &sql_stock_lock, &params);
    pg_params_finish(&params);
    shelf_finish(&shelf);
}

bool shelf_take(int64_t *available, const struct shelf_line *lines, int count)
{
    for (int i = 0; i < count; i++) {
        available[lines[i].sku] -= lines[i].quantity;
        if (available[lines[i].sku] >= 0)
            continue;
        for (; i >= 0; i--)
            available[lines[i].sku] += lines[i].quantity;
        return false;
    }
    return true;
}

static bool take_order(struct shelf *shelf, const struct claim_order *order)
{
    struct shelf_line lines[CLAIM_LINES_MAX];

    assert(order->line_count <= CLAIM_LINES_MAX);
    for (int i = 0; i < order->line_count; i++)
        lines[i] =
            (struct shelf_line){find_sku(shelf, order->lines[i].sku), order->lines[i].quantity};
    return shelf_take(shelf->available, lines, order->line_count);
}

/* Oldest first: ids rise with time. */
static int compare_age(const void *left, const void *right)
{
    const struct shelf_want *const *a = left, *const *b = right;

    return memcmp((*a)->id->bytes, (*b)->id->bytes, ORDER_ID_BYTES);
}

void shelf_grant(struct shelf_want *const *wants, int count, const PGresult *locked)
{
    struct shelf_want *oldest[SHELF_WANTS_MAX];
    struct shelf shelf;

    assert(count <= SHELF_WANTS_MAX);
    shelf_init(&shelf, wants, count);
    for (int row = 0; row < PQntuples(locked); row++) {
        const int *at = seek_sku(&shelf, pg_text(locked, row, 0));

        if (*at != 0) /* 0: of somebody who has fallen out since */
            shelf.available[*at - 1] = pg_i64(locked, row, 1);
    }
    for (int i = 0; i < count; i++)
        oldest[i] = wants[i];
    qsort(oldest, (size_t)count, sizeof(void *), compare_age);
    for (int i = 0; i < count; i++)
        oldest[i]->is_granted = take_order(&shelf, oldest[i]->order);
    shelf_finish(&shelf);
}

static void send_stock(struct group_batch *batch, struct shelf_want *const *wants, int count)
{
    struct pg_params params;
    struct shelf shelf;

    shelf_init(&shelf, wants, count);
    for (int i = 0; i < count; i++) {
        for (int n = 0; wants[i]->is_granted && n < wants[i]->order->line_count; n++)
            shelf.taken[find_sku(&shelf, wants[i]->order->lines[n].sku)] +=
                wants[i]->order->lines[n].quantity;
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
static void put_lines(struct pg_params *params, struct shelf_want *const *wants, int count,
                      enum pg_oid type)
{
    pg_array_begin(params, type);
    for (int i = 0; i < count; i++) {
        const struct claim_order *order = wants[i]->order;

        for (int n = 0; wants[i]->is_granted && n < order->line_count; n++) {
            if (type == PG_UUID)
                pg_array_uuid(params, wants[i]->id->bytes);
            else if (type == PG_TEXT)
                pg_array_text(params, order->lines[n].sku);
            else
                pg_array_i32(params, order->lines[n].quantity);
        }
    }
    pg_array_end(params);
}

void shelf_send_takings(struct group_batch *batch, const struct order_span *span,
                        struct shelf_want *const *wants, int count)
{
    struct pg_params params;

    send_stock(batch, wants, count);
    pg_params_init(&params);
    put_lines(&params, wants, count, PG_UUID);
    put_lines(&params, wants, count, PG_TEXT);
    put_lines(&params, wants, count, PG_INT4);
    group_send_month(batch, &sql_reservation_add, span, &params);
    pg_params_finish(&params);
}
