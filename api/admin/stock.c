/* What can be sold of each product: GET /admin/catalogue, a page at a time; POST /admin/stock sets
 * it or adds to it. */
#include <string.h>

#include "api/admin/admin.h"
#include "schema/json_fields.h"
#include "schema/statements.h"

enum { PAGE_MAX = 500, SKU_BYTES_MAX = 256 };

struct wish {
    const char *sku;
    int64_t set, add;
};

static const int64_t unsaid = INT64_MIN;

static const struct json_field wish_fields[] = {
    {"sku", FIELD_TEXT, true, 1, 64, NULL, NULL, offsetof(struct wish, sku)},
    {"set", FIELD_INTEGER, false, 0, MONEY_MAX / 2, NULL, NULL, offsetof(struct wish, set)},
    {"add", FIELD_INTEGER, false, -(MONEY_MAX / 2), MONEY_MAX / 2, NULL, NULL,
     offsetof(struct wish, add)},
    {.name = NULL},
};

/* The columns of stock_change.sql. */
enum { IS_KNOWN, IS_CHANGED, JSON };

static void on_changed(struct admin_errand *errand, const PGresult *rows)
{
    if (!pg_bool(rows, 0, IS_KNOWN))
        problem_reply(
            errand->request,
            &(struct problem){.code = "not_found", .detail = "the catalogue has no such sku"});
    else if (!pg_bool(rows, 0, IS_CHANGED))
        problem_reply(errand->request,
                      &(struct problem){.code = "stock_too_low",
                                        .detail = "that many are not there; nothing was changed"});
    else
        admin_reply_json(errand->request, 200, pg_text(rows, 0, JSON));
}

static bool fill(struct admin_errand *errand, struct problem_items *problems)
{
    struct wish wish = {NULL, unsaid, unsaid};

    json_fields_read(errand->body, "", wish_fields, &wish, problems);
    if (problems->count == 0 && (wish.set == unsaid) == (wish.add == unsaid))
        problem_note(problems, "", "invalid_value", "name either set or add");
    if (problems->count > 0)
        return true;
    pg_add_text(&errand->ticket.params, wish.sku);
    pg_add_i64(&errand->ticket.params, wish.set == unsaid ? wish.add : wish.set);
    pg_add_bool(&errand->ticket.params, wish.set == unsaid);
    return true;
}

void admin_stock_post(struct http_request *request)
{
    admin_act_begin(request,
                    &(struct admin_act){&sql_stock_change, REASON_REQUIRED, fill, on_changed});
}

void admin_catalogue_get(struct http_request *request)
{
    const char *after = http_query(request, "after"), *sku = http_query(request, "sku");
    struct admin_errand *errand = admin_errand_create(request, &sql_catalogue_page, admin_on_json);

    if (errand == NULL)
        return;
    pg_add_text(&errand->ticket.params, after && strlen(after) <= SKU_BYTES_MAX ? after : "");
    pg_add_i32(&errand->ticket.params, PAGE_MAX);
    pg_add_text(&errand->ticket.params, sku && *sku ? sku : NULL);
    admin_errand_send(errand, api_of(request)->operators);
}
