/* POST /admin/orphans/{id}/close: a difference between the books that a person has settled */
#include "api/admin/admin.h"
#include "schema/statements.h"

static void on_closed(struct admin_errand *errand, const PGresult *rows)
{
    if (PQntuples(rows) == 0)
        problem_reply(errand->request,
                      &(struct problem){.code = "not_found", .detail = "there is no such orphan"});
    else
        admin_on_json(errand, rows);
}

void admin_orphan_close(struct http_request *request)
{
    admin_act_begin(
        request, &(struct admin_act){&sql_orphan_close, REASON_REQUIRED, admin_fill_id, on_closed});
}
