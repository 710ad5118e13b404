/* GET /admin/orders: of every account, by what is known of an order; or by its idempotency key */
#include <string.h>

#include "api/admin/admin.h"
#include "api/admin/names.h"
#include "api/list_query.h"
#include "schema/reasons.h"
#include "schema/statements.h"

enum { LOOK_MAX = 10000, WORD_BYTES_MAX = 400 };

/* What is asked besides GET /v1/orders' own parameters. */
struct search {
    const char *account, *reason, *email, *currency;
    int64_t least, most;
    struct list_query query;
};

static const char *const own[] = {"account", "reason", "email", "currency", "least", "most"};

static void on_found(struct admin_errand *errand, const PGresult *rows)
{
    admin_reply_named(errand->request, pg_text(rows, 0, 0));
}

static bool is_own(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        if (strcmp(own[i], name) == 0)
            return true;
    }
    return false;
}

/* The parameters that are not ours. */
static bool parameter(const void *owner, int index, const char **name, const char **value)
{
    const struct http_request *request = owner;

    for (int at = 0; (*name = http_query_name(request, at)) != NULL; at++) {
        *value = http_query_value(request, at);
        if (!is_own(*name) && index-- == 0)
            return true;
    }
    return false;
}

static bool refuse(struct admin_errand *errand, const char *detail)
{
    problem_reply(errand->request, &(struct problem){.code = "invalid_query", .detail = detail});
    return false;
}

static bool read_word(struct admin_errand *errand, const char *name, const char **word)
{
    const char *text = http_query(errand->request, name);

    *word = text && *text ? text : NULL;
    return text == NULL || strlen(text) <= WORD_BYTES_MAX ||
           refuse(errand, arena_print(&errand->arena, "%s is too long", name));
}

/* One that no order can have is a slip of the pen, and would list nothing. */
static bool check_reason(struct admin_errand *errand, const char *reason)
{
    return reason == NULL || reason_of("", reason) ||
           refuse(errand, "no order waits for such a reason: docs/api.md lists them, and docket "
                          "order show says it of an order");
}

static bool read_own(struct admin_errand *errand, struct search *search)
{
    search->least = 0;
    search->most = MONEY_MAX;
    if (!read_word(errand, "account", &search->account) ||
        !read_word(errand, "reason", &search->reason) ||
        !read_word(errand, "email", &search->email) ||
        !read_word(errand, "currency", &search->currency) ||
        !check_reason(errand, search->reason) ||
        !admin_query_number(errand, "least", 0, MONEY_MAX, &search->least) ||
        !admin_query_number(errand, "most", 0, MONEY_MAX, &search->most))
        return false;
    return search->currency || (search->least == 0 && search->most == MONEY_MAX) ||
           refuse(errand, "least and most are minor units of a currency: name it");
}

static bool read_query(struct admin_errand *errand, struct search *search)
{
    const struct list_source source = {parameter, errand->request};
    const char *wrong = list_query_read(&search->query, &source, &errand->arena);
    const char *cursor = search->query.cursor;

    if (wrong)
        return refuse(errand, wrong);
    return cursor == NULL || order_id_parse_uuid(&search->query.below, cursor) ||
           refuse(errand, "the cursor is none that an answer had as `next`");
}

static void add(struct admin_errand *errand, const struct search *search)
{
    struct pg_params *params = &errand->ticket.params;
    const struct list_query *query = &search->query;

    pg_add_uuid(params, query->below.bytes);
    pg_add_uuid(params, query->from.bytes);
    list_query_add_statuses(query, params);
    pg_add_text(params, search->reason);
    pg_add_text(params, search->account);
    pg_add_text(params, query->sku);
    pg_add_text(params, search->currency);
    pg_add_i64(params, search->least);
    pg_add_i64(params, search->most);
    pg_add_text(params, search->email);
    pg_add_text(params, query->cart_id);
    pg_add_i64(params, query->limit);
    pg_add_i64(params, LOOK_MAX);
    if (query->has_final)
        pg_add_bool(params, query->is_final);
    else
        pg_add_text(params, NULL);
}

static void search_orders(struct http_request *request)
{
    struct admin_errand *errand = admin_errand_create(request, &sql_order_search, on_found);
    struct search search;

    if (errand == NULL)
        return;
    if (!read_own(errand, &search) || !read_query(errand, &search)) {
        admin_errand_free(errand);
        return;
    }
    add(errand, &search);
    admin_errand_send(errand, api_of(request)->operators);
}

static void find_by_key(struct http_request *request, const char *key)
{
    const char *account = http_query(request, "account");
    struct admin_errand *errand = admin_errand_create(request, &sql_order_by_key, on_found);

    if (errand == NULL)
        return;
    pg_add_text(&errand->ticket.params, key);
    pg_add_text(&errand->ticket.params, account && *account ? account : NULL);
    admin_errand_send(errand, api_of(request)->operators);
}

void admin_orders_find(struct http_request *request)
{
    const char *key = http_query(request, "key");

    if (key && *key)
        find_by_key(request, key);
    else
        search_orders(request);
}
