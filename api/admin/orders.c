/* GET /admin/orders/{id}: the whole life of an order, as the tables have it (no personal data) */
#include <string.h>

#include "api/admin/admin.h"
#include "api/admin/names.h"
#include "schema/statements.h"

static void on_rows(struct admin_errand *errand, const PGresult *rows)
{
    if (PQntuples(rows) == 0)
        problem_reply(errand->request, &(struct problem){.code = "order_not_found"});
    else
        admin_reply_named(errand->request, pg_text(rows, 0, 0));
}

void admin_order_get(struct http_request *request)
{
    struct admin_errand *errand = admin_errand_create(request, &sql_order_show, on_rows);
    struct order_id id;

    if (errand == NULL)
        return;
    if (!admin_param_order(request, &id)) {
        admin_errand_free(errand);
        return;
    }
    pg_add_uuid(&errand->ticket.params, id.bytes);
    admin_errand_send(errand, api_of(request)->operators);
}
