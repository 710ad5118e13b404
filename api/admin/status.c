/* GET /admin/status: how everything stands, for `docket status` */
#include "api/admin/admin.h"
#include "api/admin/names.h"
#include "schema/statements.h"

enum { COUNT_MAX = 10000 };

static void on_rows(struct admin_errand *errand, const PGresult *rows)
{
    admin_reply_named(errand->request, pg_text(rows, 0, 0));
}

void admin_status_get(struct http_request *request)
{
    struct admin_errand *errand = admin_errand_create(request, &sql_status, on_rows);

    if (errand == NULL)
        return;
    pg_add_i64(&errand->ticket.params, COUNT_MAX);
    admin_errand_send(errand, api_of(request)->operators);
}
