/* The operators' listener: its routes, and the statements that they ask. */
#include "api/admin/admin.h"
#include "schema/statements.h"

enum { ACTS_WAITING_MAX = 200 };

const struct http_route admin_routes[] = {
    {"GET", "/livez", livez_get},
    {"GET", "/readyz", readyz_get},
    {"GET", "/metrics", metrics_get},
    {"GET", "/admin/keys", admin_keys_get},
    {"POST", "/admin/keys", admin_keys_post},
    {"POST", "/admin/keys/{id}/revoke", admin_key_revoke},
    {"PUT", "/admin/catalogue", admin_catalogue_put},
    {"GET", "/admin/orders/{id}", admin_order_get},
    {"GET", "/admin/dead", admin_dead_list},
    {"GET", "/admin/dead/{id}", admin_dead_get},
    {"POST", "/admin/dead/{id}/replay", admin_dead_replay},
    {NULL, NULL, NULL},
};

static const struct pg_statement *const operator_statements[] = {
    &sql_key_create, &sql_key_list,  &sql_key_revoke, &sql_catalogue_put,
    &sql_order_show, &sql_dead_list, &sql_dead_show,  NULL,
};
static const struct pg_statement *const replay_statements[] = {&sql_audit_lock, &sql_dead_replay,
                                                               NULL};

void admin_open(struct api *api)
{
    struct ask_options options = {
        .name = "operator",
        .database = &api->service.database,
        .statements = operator_statements,
        .waiting_max = ACTS_WAITING_MAX,
    };

    api->operators = ask_create(&api->service.loop, &options);
    options.name = "replay";
    options.statements = replay_statements;
    options.first = &sql_audit_lock;
    api->replays = ask_create(&api->service.loop, &options);
}

void admin_close(struct api *api)
{
    ask_destroy(api->operators);
    ask_destroy(api->replays);
}
