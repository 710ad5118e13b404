/* PUT /admin/catalogue: products (with what of each is in stock) and shipping methods are added, or
 * take the place of those of the same code; what is not named stays. */
#include <string.h>

#include "api/admin/admin.h"
#include "schema/json_fields.h"
#include "schema/json_pointer.h"
#include "schema/statements.h"

enum { ITEMS_MAX = 50000, STOCK_UNSAID = -1 };

struct parts {
    const json_t *products, *shipping_methods;
};

struct item {
    const char *code, *name;
    const json_t *price;
    int64_t stock;
    bool is_active;
    struct {
        int64_t amount;
        const char *currency;
    } money;
};

#define AT(type, field) offsetof(struct type, field)

static const struct json_field part_fields[] = {
    {"products", FIELD_LIST, false, 0, ITEMS_MAX, NULL, NULL, AT(parts, products)},
    {"shipping_methods", FIELD_LIST, false, 0, ITEMS_MAX, NULL, NULL, AT(parts, shipping_methods)},
    {.name = NULL},
};
static const struct json_field product_fields[] = {
    {"sku", FIELD_TEXT, true, 1, 64, NULL, NULL, AT(item, code)},
    {"name", FIELD_TEXT, true, 1, 200, NULL, NULL, AT(item, name)},
    {"price", FIELD_OBJECT, true, 0, 0, NULL, NULL, AT(item, price)},
    {"stock", FIELD_INTEGER, false, 0, MONEY_MAX, NULL, NULL, AT(item, stock)},
    {"active", FIELD_FLAG, false, 0, 0, NULL, NULL, AT(item, is_active)},
    {.name = NULL},
};
static const struct json_field method_fields[] = {
    {"code", FIELD_TEXT, true, 1, 64, NULL, NULL, AT(item, code)},
    {"name", FIELD_TEXT, true, 1, 200, NULL, NULL, AT(item, name)},
    {"price", FIELD_OBJECT, true, 0, 0, NULL, NULL, AT(item, price)},
    {"active", FIELD_FLAG, false, 0, 0, NULL, NULL, AT(item, is_active)},
    {.name = NULL},
};
static const struct json_field price_fields[] = {
    {"amount", FIELD_INTEGER, true, 0, MONEY_MAX, NULL, NULL, AT(item, money.amount)},
    {"currency", FIELD_TEXT, true, 3, 3, currency_is_valid, "three upper-case letters (ISO 4217)",
     AT(item, money.currency)},
    {.name = NULL},
};

static struct item *read_items(const json_t *list, const char *name,
                               const struct json_field *fields, struct problem_items *problems)
{
    size_t count = json_array_size(list);
    struct item *items = arena_alloc(problems->arena, (count + 1) * sizeof(*items));

    for (size_t i = 0; i < count && problems->count < PROBLEMS_MAX; i++) {
        const char *at = json_pointer_index(problems->arena, name, i);

        items[i].stock = STOCK_UNSAID;
        items[i].is_active = true;
        json_fields_read(json_array_get(list, i), at, fields, &items[i], problems);
        if (items[i].price)
            json_fields_read(items[i].price, json_pointer_key(problems->arena, at, "price"),
                             price_fields, &items[i], problems);
    }
    return items;
}

static void add_texts(struct pg_params *params, const struct item *items, size_t count,
                      const char *(*text)(const struct item *item))
{
    pg_array_begin(params, PG_TEXT);
    for (size_t i = 0; i < count; i++)
        pg_array_text(params, text(&items[i]));
    pg_array_end(params);
}

static const char *code_of(const struct item *item)
{
    return item->code;
}

static const char *name_of(const struct item *item)
{
    return item->name;
}

static const char *currency_of(const struct item *item)
{
    return item->money.currency;
}

static void add_items(struct pg_params *params, const struct item *items, size_t count)
{
    add_texts(params, items, count, code_of);
    add_texts(params, items, count, name_of);
    pg_array_begin(params, PG_INT8);
    for (size_t i = 0; i < count; i++)
        pg_array_i64(params, items[i].money.amount);
    pg_array_end(params);
    add_texts(params, items, count, currency_of);
    pg_array_begin(params, PG_BOOL);
    for (size_t i = 0; i < count; i++)
        pg_array_bool(params, items[i].is_active);
    pg_array_end(params);
}

static void add_stock(struct pg_params *params, const struct item *items, size_t count)
{
    pg_array_begin(params, PG_INT8);
    for (size_t i = 0; i < count; i++) {
        if (items[i].stock == STOCK_UNSAID)
            pg_array_null(params);
        else
            pg_array_i64(params, items[i].stock);
    }
    pg_array_end(params);
}

static bool fill(struct admin_errand *errand, struct problem_items *problems)
{
    struct pg_params *params = &errand->ticket.params;
    struct parts parts = {NULL, NULL};
    struct item *products, *methods;

    json_fields_read(errand->body, "", part_fields, &parts, problems);
    products = read_items(parts.products, "/products", product_fields, problems);
    methods = read_items(parts.shipping_methods, "/shipping_methods", method_fields, problems);
    if (problems->count > 0)
        return true;
    add_items(params, products, json_array_size(parts.products));
    add_stock(params, products, json_array_size(parts.products));
    add_items(params, methods, json_array_size(parts.shipping_methods));
    return true;
}

struct loaded {
    struct pulse_wait wait;
    struct http_request *request;
    char answer[128];
};

static void on_round(struct pulse_wait *wait, bool is_fresh)
{
    struct loaded *loaded = container_of(wait, struct loaded, wait);

    (void)is_fresh; /* it is stored; this process will see it as the others do */
    admin_reply_json(loaded->request, 200, loaded->answer);
}

/* Answered when this process sells by it; others follow within a second. */
static void on_put(struct admin_errand *errand, const PGresult *rows)
{
    struct loaded *loaded = arena_alloc(http_arena(errand->request), sizeof(*loaded));

    loaded->request = errand->request;
    loaded->wait.on_round = on_round;
    snprintf(loaded->answer, sizeof(loaded->answer),
             "{\"products\":%lld,\"shipping_methods\":%lld}", (long long)pg_i64(rows, 0, 0),
             (long long)pg_i64(rows, 0, 1));
    pulse_wait(api_of(errand->request)->pulse, &loaded->wait);
}

void admin_catalogue_put(struct http_request *request)
{
    admin_act_begin(request,
                    &(struct admin_act){&sql_catalogue_put, REASON_REQUIRED, fill, on_put});
}
