/* Dead letters: listed, shown, replayed one at a time. */
#include <string.h>

#include "api/admin/admin.h"
#include "api/admin/names.h"
#include "schema/statements.h"

enum { LIST_MAX = 500 };

static void on_json(struct admin_errand *errand, const PGresult *rows)
{
    if (PQntuples(rows) == 0)
        problem_reply(errand->request, &(struct problem){.code = "not_found",
                                                         .detail = "there is no such dead letter"});
    else
        admin_reply_named(errand->request, pg_text(rows, 0, 0));
}

static bool is_state(const char *state)
{
    return strcmp(state, "open") == 0 || strcmp(state, "replaying") == 0 ||
           strcmp(state, "resolved") == 0 || strcmp(state, "discarded") == 0 ||
           strcmp(state, "all") == 0;
}

void admin_dead_list(struct http_request *request)
{
    const char *state = http_query(request, "state");
    struct admin_errand *errand = admin_errand_create(request, &sql_dead_list, on_json);

    if (errand == NULL)
        return;
    if (state && !is_state(state)) {
        problem_reply(
            request, &(struct problem){.code = "invalid_query",
                                       .detail = "state is open, replaying, resolved, discarded or "
                                                 "all"});
        admin_errand_free(errand);
        return;
    }
    pg_add_text(&errand->ticket.params, state ? state : "open");
    pg_add_i32(&errand->ticket.params, LIST_MAX);
    admin_errand_send(errand, api_of(request)->operators);
}

void admin_dead_get(struct http_request *request)
{
    struct admin_errand *errand = admin_errand_create(request, &sql_dead_show, on_json);
    int64_t id;

    if (errand == NULL)
        return;
    if (!admin_param_number(request, &id)) {
        admin_errand_free(errand);
        return;
    }
    pg_add_i64(&errand->ticket.params, id);
    admin_errand_send(errand, api_of(request)->operators);
}

/* The columns of dead_replay.sql. */
enum { REPLAYED, STATE_BEFORE, JSON };

static void on_replayed(struct admin_errand *errand, const PGresult *rows)
{
    const char *detail;

    if (PQntuples(rows) == 0) {
        problem_reply(errand->request, &(struct problem){.code = "not_found",
                                                         .detail = "there is no such dead letter"});
    } else if (pg_bool(rows, 0, REPLAYED)) {
        hint_work(api_of(errand->request)->hint);
        admin_reply_named(errand->request, pg_text(rows, 0, JSON));
    } else {
        detail =
            strcmp(pg_text(rows, 0, STATE_BEFORE), "open") == 0
                ? "its order went on meanwhile, or it names no task of ours; nothing was changed"
                : arena_print(&errand->arena, "it is %s already; nothing was changed",
                              pg_text(rows, 0, STATE_BEFORE));
        problem_reply(errand->request,
                      &(struct problem){.code = "not_replayable", .detail = detail});
    }
}

void admin_dead_replay(struct http_request *request)
{
    struct admin_errand *errand =
        admin_act_create(request, &sql_dead_replay, on_replayed, REASON_REQUIRED);
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
