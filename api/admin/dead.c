/* Dead letters: found by a filter, shown, counted, discarded, replayed one at a time. */
#include <string.h>

#include "api/admin/admin.h"
#include "api/admin/dead_advice.h"
#include "api/admin/dead_query.h"
#include "api/admin/names.h"
#include "schema/json_fields.h"
#include "schema/statements.h"

/* What one page looks at, and how many rows it has at most: each is answered in about 100 ms
 * (tests/bench/dead). */
enum {
    LIST_DEFAULT = 50,
    LIST_MAX = 1000,
    SEARCH_MAX = 10000,
    COUNT_MAX = 5000,
    PLAN_MAX = 1000,
    DISCARD_MAX = 500
};

static void on_page(struct admin_errand *errand, const PGresult *rows)
{
    admin_reply_named(errand->request, pg_text(rows, 0, 0));
}

/* Adds filter, cursor and how much is looked at.  NULL: answered. */
static struct admin_errand *begin_page(struct http_request *request,
                                       const struct pg_statement *statement, int64_t limit,
                                       int64_t limit_max)
{
    struct admin_errand *errand = admin_errand_create(request, statement, on_page);

    if (errand == NULL)
        return NULL;
    if (!dead_query_add(errand, http_query(request, "filter"), http_query(request, "cursor")) ||
        !admin_query_number(errand, "limit", 1, limit_max, &limit)) {
        admin_errand_free(errand);
        return NULL;
    }
    pg_add_i32(&errand->ticket.params, SEARCH_MAX);
    pg_add_i32(&errand->ticket.params, (int32_t)limit);
    return errand;
}

static void send_page(struct http_request *request, const struct pg_statement *statement,
                      int64_t limit, int64_t limit_max)
{
    struct admin_errand *errand = begin_page(request, statement, limit, limit_max);

    if (errand)
        admin_errand_send(errand, api_of(request)->operators);
}

void admin_dead_list(struct http_request *request)
{
    send_page(request, &sql_dead_list, LIST_DEFAULT, LIST_MAX);
}

void admin_dead_count(struct http_request *request)
{
    send_page(request, &sql_dead_count, COUNT_MAX, COUNT_MAX);
}

/* What a replay would do; letter by letter with ?letters=1. */
void admin_dead_plan(struct http_request *request)
{
    const char *letters = http_query(request, "letters");
    struct admin_errand *errand = begin_page(request, &sql_dead_plan, PLAN_MAX, PLAN_MAX);

    if (errand == NULL)
        return;
    pg_add_bool(&errand->ticket.params, letters && strcmp(letters, "1") == 0);
    admin_errand_send(errand, api_of(request)->operators);
}

static void on_letter(struct admin_errand *errand, const PGresult *rows)
{
    json_t *letter;

    if (PQntuples(rows) == 0) {
        problem_reply(errand->request, &(struct problem){.code = "not_found",
                                                         .detail = "there is no such dead letter"});
        return;
    }
    letter = json_loads(pg_text(rows, 0, 0), 0, NULL);
    dead_advice_add(letter);
    admin_reply_value(errand->request, letter);
}

void admin_dead_get(struct http_request *request)
{
    struct admin_errand *errand = admin_errand_create(request, &sql_dead_show, on_letter);
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

/* --- discard ---------------------------------------------------------------------------------- */

struct discard_wish {
    const char *filter, *cursor;
    bool all;
};

static const struct json_field discard_fields[] = {
    {"filter", FIELD_TEXT, true, 0, DEAD_FILTER_TEXT_MAX, NULL, NULL,
     offsetof(struct discard_wish, filter)},
    {"cursor", FIELD_TEXT, false, 1, DEAD_CURSOR_LENGTH_MAX, NULL, NULL,
     offsetof(struct discard_wish, cursor)},
    {"all", FIELD_FLAG, false, 0, 0, NULL, NULL, offsetof(struct discard_wish, all)},
    {.name = NULL},
};

static bool fill_discard(struct admin_errand *errand, struct problem_items *problems)
{
    struct discard_wish wish = {NULL, NULL, false};

    json_fields_read(errand->body, "", discard_fields, &wish, problems);
    if (problems->count > 0)
        return true;
    if (!dead_query_add_act(errand, wish.filter, wish.cursor, wish.all))
        return false;
    pg_add_i32(&errand->ticket.params, SEARCH_MAX);
    pg_add_i32(&errand->ticket.params, DISCARD_MAX);
    return true;
}

/* One page; who has more to discard asks again with its cursor. */
void admin_dead_discard(struct http_request *request)
{
    admin_act_begin(request,
                    &(struct admin_act){&sql_dead_discard, REASON_REQUIRED, fill_discard, on_page});
}

/* --- replay ------------------------------------------------------------------------------------
 */

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
    admin_act_begin(request, &(struct admin_act){&sql_dead_replay, REASON_REQUIRED, admin_fill_id,
                                                 on_replayed});
}
