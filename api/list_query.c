#include "api/list_query.h"

#include <stdio.h>
#include <string.h>

#include "api/cursor.h"
#include "api/fields.h"
#include "schema/order_state.h"

enum { FILTERS_BYTES_MAX = 32 * 1024, CART_LENGTH_MAX = 128, SKU_LENGTH_MAX = 64, MS_US = 1000 };

static bool read_status(struct list_query *query, const char *name, size_t length)
{
    for (int status = ORDER_ACCEPTED; status <= ORDER_REFUNDED; status++) {
        const char *known = order_status_name((enum order_status)status);

        if (strlen(known) != length || strncmp(known, name, length) != 0)
            continue;
        if (query->status_count == LIST_STATUSES_MAX)
            return false;
        query->statuses[query->status_count++] = (int16_t)status;
        return true;
    }
    return false;
}

static bool read_statuses(struct list_query *query, const char *value)
{
    for (;;) {
        size_t length = strcspn(value, ",");

        if (!read_status(query, value, length))
            return false;
        if (value[length] == '\0')
            return true;
        value += length + 1;
    }
}

static bool read_final(struct list_query *query, const char *value)
{
    query->has_final = true;
    query->is_final = strcmp(value, "true") == 0;
    return query->is_final || strcmp(value, "false") == 0;
}

/* The first id of the first millisecond that is not before the time. */
static bool read_time(const char *value, struct order_id *id)
{
    int64_t us, ms;

    if (!field_time(value, &us))
        return false;
    ms = (us + MS_US - 1) / MS_US;
    *id = (struct order_id){{0}};
    for (int i = 0; i < 6; i++)
        id->bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    return true;
}

static bool read_after(struct list_query *query, const char *value)
{
    return read_time(value, &query->from);
}

static bool read_before(struct list_query *query, const char *value)
{
    return read_time(value, &query->below);
}

static bool read_sku(struct list_query *query, const char *value)
{
    query->sku = value;
    return *value && strlen(value) <= (size_t)4 * SKU_LENGTH_MAX;
}

static bool read_cart(struct list_query *query, const char *value)
{
    query->cart_id = value;
    return *value && strlen(value) <= CART_LENGTH_MAX;
}

static bool read_limit(struct list_query *query, const char *value)
{
    return field_number(value, 1, LIST_LIMIT_MAX, &query->limit);
}

static bool read_cursor(struct list_query *query, const char *value)
{
    query->cursor = value;
    return true;
}

/* The filters first: they, in this order, are what a cursor belongs to. */
static const struct parameter {
    const char *name;
    bool (*read)(struct list_query *query, const char *value);
    bool is_filter;
    const char *allowed;
} parameters[] = {
    {"status", read_statuses, true,
     "one or more of accepted, processing, confirmed, fulfilled, requires_action, payment_failed, "
     "out_of_stock, on_hold, canceling, canceled, refunding, refunded, with commas between them"},
    {"final", read_final, true, "true or false"},
    {"created_after", read_after, true,
     "a time like 2026-11-23T14:00:00Z (a + of its zone is written %2B)"},
    {"created_before", read_before, true,
     "a time like 2026-11-23T14:00:00Z (a + of its zone is written %2B)"},
    {"sku", read_sku, true, "a product's sku"},
    {"cart_id", read_cart, true, "1 to 128 characters"},
    {"limit", read_limit, false, "1 to 100"},
    {"cursor", read_cursor, false, "the next_cursor of the page before"},
};
enum { PARAMETER_COUNT = ARRAY_SIZE(parameters), NOWHERE = -1 };

static int find(const char *name)
{
    for (int i = 0; i < PARAMETER_COUNT; i++) {
        if (strcmp(parameters[i].name, name) == 0)
            return i;
    }
    return NOWHERE;
}

static const char *name_unknown(const char *name, struct arena *arena)
{
    CLEANUP(text_finish) struct text told;

    text_init(&told, FILTERS_BYTES_MAX);
    text_print(&told, "there is no parameter \"%.64s\": idempotency_key alone, or any of", name);
    for (int i = 0; i < PARAMETER_COUNT; i++)
        text_print(&told, "%s %s", i ? "," : "", parameters[i].name);
    return arena_copy(arena, told.bytes, told.length);
}

static const char *read_one(struct list_query *query, const char *name, const char *value,
                            const char *values[PARAMETER_COUNT], struct arena *arena)
{
    int at = find(name);

    if (at == NOWHERE)
        return name_unknown(name, arena);
    if (values[at])
        return arena_print(arena, "%s is given twice", name);
    if (!parameters[at].read(query, value))
        return arena_print(arena, "%s is %s", name, parameters[at].allowed);
    values[at] = value;
    return NULL;
}

static const char *write_filters(const char *const values[PARAMETER_COUNT], struct arena *arena)
{
    CLEANUP(text_finish) struct text filters;

    text_init(&filters, FILTERS_BYTES_MAX);
    for (int i = 0; i < PARAMETER_COUNT; i++) {
        if (!parameters[i].is_filter || values[i] == NULL)
            continue;
        text_print(&filters, "%s%s=", filters.length ? "&" : "", parameters[i].name);
        text_add_urlencoded(&filters, values[i]);
    }
    return arena_copy(arena, filters.length ? filters.bytes : "", filters.length);
}

const char *list_query_read(struct list_query *query, const struct list_source *source,
                            struct arena *arena)
{
    const char *values[PARAMETER_COUNT] = {NULL}, *name, *value, *wrong = NULL;

    *query = (struct list_query){.limit = LIST_LIMIT};
    memset(query->below.bytes, 0xff, ORDER_ID_BYTES);
    for (int i = 0; wrong == NULL && source->parameter(source->owner, i, &name, &value); i++)
        wrong = read_one(query, name, value, values, arena);
    query->filters = write_filters(values, arena);
    return wrong;
}

bool list_query_go_on(struct list_query *query, const struct token_keys *keys, int64_t account_id)
{
    struct order_id last;

    if (query->cursor == NULL)
        return true;
    if (!cursor_read(keys, account_id, query->filters, query->cursor, &last))
        return false;
    query->below = last;
    return true;
}

void list_query_add_statuses(const struct list_query *query, struct pg_params *params)
{
    if (query->status_count == 0) {
        pg_add_text(params, NULL);
        return;
    }
    pg_array_begin(params, PG_INT2);
    for (int i = 0; i < query->status_count; i++)
        pg_array_i16(params, query->statuses[i]);
    pg_array_end(params);
}

bool list_query_fits(const struct list_query *query, int16_t status, bool is_final)
{
    bool has_status = query->status_count == 0;

    for (int i = 0; i < query->status_count; i++)
        has_status |= query->statuses[i] == status;
    return has_status && (!query->has_final || query->is_final == is_final);
}
