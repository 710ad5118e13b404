/* What operators did: GET /admin/audit for people, GET /admin/audit/chain for who checks the chain.
 * Acts are written by audit_append, in the transaction of what they change (migration 0002). */
#include <string.h>

#include "api/admin/admin.h"
#include "schema/statements.h"

enum { LIST_DEFAULT = 100, LIST_MAX = 500, CHAIN_MAX = 1000, FILTER_BYTES_MAX = 200 };

static const int64_t SECONDS_MAX = 253402300799; /* the end of the year 9999 */

static bool add_filter(struct admin_errand *errand, const char *name)
{
    const char *text = http_query(errand->request, name);

    if (text && strlen(text) > FILTER_BYTES_MAX) {
        problem_reply(
            errand->request,
            &(struct problem){.code = "invalid_query",
                              .detail = arena_print(&errand->arena, "%s is too long", name)});
        return false;
    }
    pg_add_text(&errand->ticket.params, text && *text ? text : NULL);
    return true;
}

static bool add_since(struct admin_errand *errand)
{
    int64_t since = 0;

    if (!admin_query_number(errand, "since", 0, SECONDS_MAX, &since))
        return false;
    if (http_query(errand->request, "since"))
        pg_add_i64(&errand->ticket.params, since);
    else
        pg_add_text(&errand->ticket.params, NULL);
    return true;
}

void admin_audit_list(struct http_request *request)
{
    struct admin_errand *errand = admin_errand_create(request, &sql_audit_list, admin_on_json);
    int64_t before = INT64_MAX, limit = LIST_DEFAULT;

    if (errand == NULL)
        return;
    if (!admin_query_number(errand, "before", 1, INT64_MAX, &before) ||
        !admin_query_number(errand, "limit", 1, LIST_MAX, &limit)) {
        admin_errand_free(errand);
        return;
    }
    pg_add_i64(&errand->ticket.params, before);
    if (!add_since(errand) || !add_filter(errand, "actor") || !add_filter(errand, "act") ||
        !add_filter(errand, "target")) {
        admin_errand_free(errand);
        return;
    }
    pg_add_i32(&errand->ticket.params, (int32_t)limit);
    admin_errand_send(errand, api_of(request)->operators);
}

void admin_audit_chain(struct http_request *request)
{
    struct admin_errand *errand = admin_errand_create(request, &sql_audit_chain, admin_on_json);
    int64_t after = 0, limit = CHAIN_MAX;

    if (errand == NULL)
        return;
    if (!admin_query_number(errand, "after", 0, INT64_MAX, &after) ||
        !admin_query_number(errand, "limit", 1, CHAIN_MAX, &limit)) {
        admin_errand_free(errand);
        return;
    }
    pg_add_i64(&errand->ticket.params, after);
    pg_add_i32(&errand->ticket.params, (int32_t)limit);
    admin_errand_send(errand, api_of(request)->operators);
}
