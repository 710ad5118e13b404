/* The operators' listener: its routes, and the statements that they ask. */
#include "api/admin/admin.h"
#include "api/pages.h"
#include "schema/statements.h"

enum { ACTS_WAITING_MAX = 200 };

const struct http_route admin_routes[] = {
    {"GET", "/openapi.json", openapi_get},
    {"GET", "/docs/errors.md", errors_get},
    {"GET", "/livez", livez_get},
    {"GET", "/readyz", readyz_get},
    {"GET", "/metrics", metrics_get},
    {"GET", "/admin/status", admin_status_get},
    {"GET", "/admin/accounts", admin_accounts_get},
    {"PUT", "/admin/accounts/{name}/quota", admin_quota_put},
    {"GET", "/admin/audit", admin_audit_list},
    {"GET", "/admin/audit/chain", admin_audit_chain},
    {"GET", "/admin/keys", admin_keys_get},
    {"POST", "/admin/keys", admin_keys_post},
    {"POST", "/admin/keys/{id}/revoke", admin_key_revoke},
    {"GET", "/admin/catalogue", admin_catalogue_get},
    {"PUT", "/admin/catalogue", admin_catalogue_put},
    {"POST", "/admin/stock", admin_stock_post},
    {"GET", "/admin/orders", admin_orders_find},
    {"GET", "/admin/orders/{id}", admin_order_get},
    {"POST", "/admin/orders/{id}/cancel", admin_order_cancel},
    {"POST", "/admin/orders/{id}/release", admin_order_release},
    {"POST", "/admin/orders/{id}/refund", admin_order_refund},
    {"POST", "/admin/orders/{id}/resolve_payment", admin_payment_resolve},
    {"GET", "/admin/incidents", admin_incidents_list},
    {"GET", "/admin/incidents/{id}", admin_incident_get},
    {"GET", "/admin/dead", admin_dead_list},
    {"GET", "/admin/dead/count", admin_dead_count},
    {"GET", "/admin/dead/plan", admin_dead_plan},
    {"POST", "/admin/dead/discard", admin_dead_discard},
    {"GET", "/admin/dead/{id}", admin_dead_get},
    {"POST", "/admin/dead/{id}/replay", admin_dead_replay},
    {"GET", "/admin/runs", admin_runs_list},
    {"POST", "/admin/runs", admin_runs_post},
    {"GET", "/admin/runs/{id}", admin_run_get},
    {"POST", "/admin/runs/{id}/pause", admin_run_pause},
    {"POST", "/admin/runs/{id}/resume", admin_run_resume},
    {"POST", "/admin/runs/{id}/cancel", admin_run_cancel},
    {"POST", "/admin/runs/{id}/rate", admin_run_rate},
    {"POST", "/admin/orphans/{id}/close", admin_orphan_close},
    {"POST", "/admin/holds/{id}/pause", admin_pause},
    {"POST", "/admin/holds/{id}/resume", admin_resume},
    {NULL, NULL, NULL},
};

static const struct pg_statement *const operator_statements[] = {
    &sql_status,
    &sql_account_list,
    &sql_audit_list,
    &sql_catalogue_page,
    &sql_order_by_key,
    &sql_audit_chain,
    &sql_key_list,
    &sql_order_show,
    &sql_dead_list,
    &sql_dead_show,
    &sql_dead_count,
    &sql_incident_list,
    &sql_replay_list,
    &sql_incident_show,
    &sql_dead_plan,
    &sql_order_search,
    NULL,
};
/* What changes something: each calls audit_append. */
static const struct pg_statement *const act_statements[] = {
    &sql_audit_lock,
    &sql_breaker_hold,
    &sql_quota_set,
    &sql_key_create,
    &sql_key_revoke,
    &sql_dead_replay,
    &sql_dead_discard,
    &sql_catalogue_put,
    &sql_stock_change,
    &sql_replay_create,
    &sql_replay_act,
    &sql_orphan_close,
    &sql_order_cancel,
    &sql_order_refund,
    &sql_payment_resolve,
    &sql_order_release,
    NULL,
};

void admin_open(struct api *api)
{
    struct ask_options options = {
        .name = "operator",
        .database = &api->service.database,
        .statements = operator_statements,
        .waiting_max = ACTS_WAITING_MAX,
    };

    api->operators = ask_create(&api->service.loop, &options);
    options.name = "act";
    options.statements = act_statements;
    options.first = &sql_audit_lock;
    api->acts = ask_create(&api->service.loop, &options);
}

void admin_close(struct api *api)
{
    ask_destroy(api->operators);
    ask_destroy(api->acts);
}
