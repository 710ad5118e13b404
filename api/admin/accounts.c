/* Accounts and their quotas: GET /admin/accounts, PUT /admin/accounts/{name}/quota */
#include <string.h>

#include "api/admin/admin.h"
#include "schema/statements.h"

enum { TOKENS_MAX = 10000000 };

void admin_accounts_get(struct http_request *request)
{
    struct admin_errand *errand = admin_errand_create(request, &sql_account_list, admin_on_json);

    if (errand)
        admin_errand_send(errand, api_of(request)->operators);
}

static void on_changed(struct admin_errand *errand, const PGresult *rows)
{
    if (PQntuples(rows) == 0)
        problem_reply(errand->request,
                      &(struct problem){.code = "not_found", .detail = "there is no such account"});
    else
        admin_on_json(errand, rows);
}

/* A number changes the quota, null leaves it to the setting, nothing leaves it as it is. */
static void add_quota(struct pg_params *params, const json_t *body, const char *name,
                      struct problem_items *problems)
{
    const json_t *value = json_object_get(body, name);
    json_int_t tokens = json_integer_value(value);

    pg_add_bool(params, value != NULL);
    if (!json_is_integer(value))
        pg_add_text(params, NULL);
    else
        pg_add_i64(params, tokens);
    if (value && !json_is_null(value) &&
        (!json_is_integer(value) || tokens < 0 || tokens > TOKENS_MAX))
        problem_note(problems, arena_print(problems->arena, "/%s", name), "out_of_range",
                     "must be 0 (none) to %d a minute, or null for the setting", TOKENS_MAX);
}

static bool fill(struct admin_errand *errand, struct problem_items *problems)
{
    struct pg_params *params = &errand->ticket.params;
    const json_t *body = errand->body;
    size_t known = (json_object_get(body, "orders") != NULL) +
                   (size_t)(json_object_get(body, "reads") != NULL);

    pg_add_text(params, http_param(errand->request, "name"));
    add_quota(params, body, "orders", problems);
    add_quota(params, body, "reads", problems);
    if (known == 0 || known != json_object_size(body))
        problem_note(problems, "", "invalid_value", "has orders, reads, or both, and nothing else");
    return true;
}

void admin_quota_put(struct http_request *request)
{
    admin_act_begin(request,
                    &(struct admin_act){&sql_quota_set, REASON_REQUIRED, fill, on_changed});
}
