#include "api/catalogue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "schema/json_pointer.h"

/* The columns of catalogue_load.sql, and its kinds. */
enum { VERSION, KIND, CODE, NAME, PRICE, CURRENCY };
enum kind { PRODUCT = 1, SHIPPING_METHOD = 2 };

struct item {
    enum kind kind;
    const char *code, *name;
    struct money price;
    struct item *next; /* in its bucket */
};

struct catalogue {
    int64_t version; /* 0: not loaded */
    struct arena arena;
    struct item **buckets;
    size_t bucket_count; /* a power of two */
};

static struct item **bucket_of(const struct catalogue *catalogue, enum kind kind, const char *code)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)kind;

    for (; *code; code++)
        hash = (hash ^ (unsigned char)*code) * UINT64_C(0x100000001b3);
    return &catalogue->buckets[(hash ^ hash >> 32) & (catalogue->bucket_count - 1)];
}

static const struct item *find(const struct catalogue *catalogue, enum kind kind, const char *code)
{
    const struct item *item = catalogue->bucket_count ? *bucket_of(catalogue, kind, code) : NULL;

    while (item && (item->kind != kind || strcmp(item->code, code) != 0))
        item = item->next;
    return item;
}

bool catalogue_ask(void *owner, struct pg_params *params)
{
    const struct catalogue *catalogue = owner;

    pg_add_i64(params, catalogue->version);
    return true;
}

static struct item *read_item(struct arena *arena, const PGresult *result, int row)
{
    struct item *item = arena_alloc(arena, sizeof(*item));

    item->kind = (enum kind)pg_i16(result, row, KIND);
    item->code = arena_print(arena, "%s", pg_text(result, row, CODE));
    item->name = arena_print(arena, "%s", pg_text(result, row, NAME));
    item->price.amount = pg_i64(result, row, PRICE);
    snprintf(item->price.currency, CURRENCY_SIZE, "%s", pg_text(result, row, CURRENCY));
    return item;
}

void catalogue_on_answer(void *owner, const PGresult *result)
{
    struct catalogue *catalogue = owner;
    int count = PQntuples(result);

    if (count == 0) /* unchanged (or empty, which is asked again) */
        return;
    arena_finish(&catalogue->arena);
    free(catalogue->buckets);
    for (catalogue->bucket_count = 16; catalogue->bucket_count < (size_t)count;)
        catalogue->bucket_count *= 2;
    catalogue->buckets = xcalloc(catalogue->bucket_count, sizeof(struct item *));
    for (int row = 0; row < count; row++) {
        struct item *item = read_item(&catalogue->arena, result, row);
        struct item **bucket = bucket_of(catalogue, item->kind, item->code);

        item->next = *bucket;
        *bucket = item;
    }
    catalogue->version = pg_i64(result, 0, VERSION);
    log_info("catalogue_loaded", "version %lld, %d items", (long long)catalogue->version, count);
}

static const char *line_pointer(struct arena *arena, int index, const char *field)
{
    return json_pointer_key(arena, json_pointer_index(arena, "/lines", (size_t)index), field);
}

/* The first line's currency is the order's. */
static void price_line(const struct catalogue *catalogue, struct order *order, int index,
                       struct problem_items *problems)
{
    struct order_line *line = &order->lines[index];
    const struct item *item = find(catalogue, PRODUCT, line->sku);

    if (item == NULL) {
        problem_note(problems, line_pointer(problems->arena, index, "sku"), "unknown_sku",
                     "the catalogue has no such product, or it is not sold now");
        return;
    }
    if (order->currency[0] == '\0')
        memcpy(order->currency, item->price.currency, CURRENCY_SIZE);
    if (strcmp(order->currency, item->price.currency) != 0)
        problem_note(problems, line_pointer(problems->arena, index, "sku"), "mixed_currencies",
                     "is sold in %s, other lines in %s: order them apart", item->price.currency,
                     order->currency);
    line->name = arena_print(problems->arena, "%s", item->name);
    line->price = item->price.amount;
    if (!money_add_times(&order->items_total, line->price, line->quantity))
        problem_note(problems, line_pointer(problems->arena, index, "quantity"), "out_of_range",
                     "the order's total would be too large");
}

static void price_shipping(const struct catalogue *catalogue, struct order *order,
                           struct problem_items *problems)
{
    const struct item *item = find(catalogue, SHIPPING_METHOD, order->shipping_method);

    if (item == NULL) {
        problem_note(problems, "/shipping/method", "unknown_shipping_method",
                     "there is no such shipping method now");
        return;
    }
    if (order->currency[0] != '\0' && strcmp(order->currency, item->price.currency) != 0)
        problem_note(problems, "/shipping/method", "mixed_currencies",
                     "is priced in %s, the lines in %s", item->price.currency, order->currency);
    order->shipping_total = item->price.amount;
}

bool catalogue_price(const struct catalogue *catalogue, struct order *order,
                     struct problem_items *problems)
{
    order->currency[0] = '\0';
    order->items_total = order->shipping_total = 0;
    for (int i = 0; i < order->line_count; i++)
        price_line(catalogue, order, i, problems);
    price_shipping(catalogue, order, problems);
    if (problems->count == 0 && order->expected_total.currency[0] != '\0' &&
        strcmp(order->currency, order->expected_total.currency) != 0)
        problem_note(problems, "/expected_total/currency", "currency_differs",
                     "the lines are sold in %s", order->currency);
    order->total = order->items_total;
    if (!money_add(&order->total, order->shipping_total))
        problem_note(problems, "/lines", "out_of_range", "the order's total would be too large");
    if (problems->count == 0 && order->total == 0)
        problem_note(problems, "/lines", "out_of_range",
                     "the total is 0, and what costs nothing cannot be paid");
    return problems->count == 0;
}

struct catalogue *catalogue_create(void)
{
    struct catalogue *catalogue = xcalloc(1, sizeof(*catalogue));

    arena_init(&catalogue->arena);
    return catalogue;
}

void catalogue_destroy(struct catalogue *catalogue)
{
    if (catalogue == NULL)
        return;
    arena_finish(&catalogue->arena);
    free(catalogue->buckets);
    free(catalogue);
}
