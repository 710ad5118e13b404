/* What an operator takes back, or lets go on: POST /admin/orders/{id}/cancel, …/refund, …/release
 */
#include <string.h>

#include "api/admin/admin.h"
#include "api/admin/names.h"
#include "api/cancel.h"
#include "schema/json_fields.h"
#include "schema/money.h"
#include "schema/statements.h"

/* The columns of order_cancel.sql and of order_refund.sql. */
enum { OUTCOME };
enum { CANCEL_STATUS = 1, CANCEL_VERSION, CANCEL_JSON };
enum { REFUND_REST = 1, REFUND_CURRENCY, REFUND_JSON };

/* --- cancel ------------------------------------------------------------------------------------
 */

static void on_canceled(struct admin_errand *errand, const PGresult *rows)
{
    const char *outcome = pg_text(rows, 0, OUTCOME);

    if (strcmp(outcome, "not_found") == 0)
        problem_reply(errand->request, &(struct problem){.code = "order_not_found"});
    else if (strcmp(outcome, "shipped") == 0)
        problem_reply(errand->request,
                      &(struct problem){.code = "order_shipped",
                                        .detail = "it is shipped; docket order refund gives its "
                                                  "money back"});
    else
        admin_reply_named(errand->request, pg_text(rows, 0, CANCEL_JSON));
    hint_work(api_of(errand->request)->hint);
}

static bool fill_cancel(struct admin_errand *errand, struct problem_items *problems)
{
    static const struct json_field fields[] = {{.name = NULL}};
    struct order_id id;

    if (!admin_param_order(errand->request, &id))
        return false;
    json_fields_read(errand->body, "", fields, NULL, problems);
    cancel_fill(&errand->ticket.params, &id, true);
    return true;
}

void admin_order_cancel(struct http_request *request)
{
    static const struct admin_act act = {&sql_order_cancel, REASON_REQUIRED, fill_cancel,
                                         on_canceled};

    admin_act_begin(request, &act);
}

/* --- release -----------------------------------------------------------------------------------
 */

static void on_released(struct admin_errand *errand, const PGresult *rows)
{
    if (PQntuples(rows) == 0) {
        problem_reply(errand->request, &(struct problem){.code = "order_not_found"});
    } else if (!pg_bool(rows, 0, OUTCOME)) {
        problem_reply(errand->request,
                      &(struct problem){.code = "order_not_held",
                                        .detail = "nothing was done; docket order show says how it "
                                                  "stands"});
    } else {
        hint_work(api_of(errand->request)->hint);
        admin_reply_named(errand->request, pg_text(rows, 0, 1));
    }
}

static bool fill_release(struct admin_errand *errand, struct problem_items *problems)
{
    static const struct json_field fields[] = {{.name = NULL}};
    struct order_id id;

    if (!admin_param_order(errand->request, &id))
        return false;
    json_fields_read(errand->body, "", fields, NULL, problems);
    pg_add_uuid(&errand->ticket.params, id.bytes);
    return true;
}

void admin_order_release(struct http_request *request)
{
    static const struct admin_act act = {&sql_order_release, REASON_REQUIRED, fill_release,
                                         on_released};

    admin_act_begin(request, &act);
}

/* --- refund ------------------------------------------------------------------------------------
 */

static void refuse_refund(struct admin_errand *errand, const PGresult *rows)
{
    static const struct {
        const char *outcome, *detail;
    } details[] = {
        {"nothing_captured", "nothing of it is paid; docket order cancel ends it"},
        {"not_shipped", "before it is shipped, all of its money goes back only with the order: "
                        "docket order cancel"},
        {"undoing", "all of its money is given back already, or on its way"},
    };
    const char *outcome = pg_text(rows, 0, OUTCOME);
    const char *detail =
        arena_print(&errand->arena, "%lld %s in minor units are left to be given back",
                    (long long)pg_i64(rows, 0, REFUND_REST), pg_text(rows, 0, REFUND_CURRENCY));

    for (size_t i = 0; i < ARRAY_SIZE(details); i++) {
        if (strcmp(outcome, details[i].outcome) == 0)
            detail = details[i].detail;
    }
    problem_reply(errand->request,
                  &(struct problem){.code = "order_not_refundable", .detail = detail});
}

static void on_refunded(struct admin_errand *errand, const PGresult *rows)
{
    const char *outcome = pg_text(rows, 0, OUTCOME);

    if (strcmp(outcome, "not_found") == 0) {
        problem_reply(errand->request, &(struct problem){.code = "order_not_found"});
    } else if (strcmp(outcome, "opened") != 0) {
        refuse_refund(errand, rows);
    } else {
        hint_work(api_of(errand->request)->hint);
        admin_reply_named(errand->request, pg_text(rows, 0, REFUND_JSON));
    }
}

static bool fill_refund(struct admin_errand *errand, struct problem_items *problems)
{
    static const struct json_field fields[] = {
        {"amount", FIELD_INTEGER, false, 1, MONEY_MAX, NULL, NULL, 0},
        {.name = NULL},
    };
    struct order_id id;
    int64_t amount = 0;

    if (!admin_param_order(errand->request, &id))
        return false;
    json_fields_read(errand->body, "", fields, &amount, problems);
    pg_add_uuid(&errand->ticket.params, id.bytes);
    if (amount > 0)
        pg_add_i64(&errand->ticket.params, amount);
    else
        pg_add_text(&errand->ticket.params, NULL); /* all that is left */
    return true;
}

void admin_order_refund(struct http_request *request)
{
    static const struct admin_act act = {&sql_order_refund, REASON_REQUIRED, fill_refund,
                                         on_refunded};

    admin_act_begin(request, &act);
}
