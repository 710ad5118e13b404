/* POST /admin/orphans/{id}/close: a difference between the books that a person has settled */
#include "api/admin/admin.h"
#include "schema/statements.h"

static void on_closed(struct admin_errand *errand, const PGresult *rows)
{
    if (PQntuples(rows) == 0)
        problem_reply(errand->request,
                      &(struct problem){.code = "not_found", .detail = "there is no such orphan"});
    else
        admin_reply_json(errand->request, 200, pg_text(rows, 0, 0));
}

void admin_orphan_close(struct http_request *request)
{
    struct admin_errand *errand =
        admin_act_create(request, &sql_orphan_close, on_closed, REASON_REQUIRED);
    int64_t id;

    if (errand == NULL)
        return;
    if (!admin_param_number(request, &id)) {
        admin_errand_free(errand);
        return;
    }
    pg_add_i64(&errand->ticket.params, id);
    admin_act_send(errand);
}
