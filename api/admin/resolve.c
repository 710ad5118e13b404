/* POST /admin/orders/{id}/resolve_payment: an operator settles a payment that no look-up can
 *
 * It is written down and the payment's task is woken; what follows from it is decided, as always,
 * by the worker that takes the task up. */
#include <string.h>

#include "api/admin/admin.h"
#include "api/admin/names.h"
#include "base/memory.h"
#include "schema/json_fields.h"
#include "schema/statements.h"

enum { EVIDENCE_CHARACTERS_MAX = 500 };

/* The columns of payment_resolve.sql. */
enum { OUTCOME, JSON };

struct resolve_wish {
    const char *as, *evidence;
};

static const char *const resolutions[] = {
    [RESOLUTION_CAPTURED] = "captured",
    [RESOLUTION_DECLINED] = "declined",
    [RESOLUTION_CANCELED] = "canceled",
};

/* RESOLUTION_NONE: it is no such word. */
static enum resolution resolution_of(const char *word)
{
    for (int i = RESOLUTION_CAPTURED; i < (int)ARRAY_SIZE(resolutions); i++)
        if (strcmp(resolutions[i], word) == 0)
            return (enum resolution)i;
    return RESOLUTION_NONE;
}

static bool is_resolution(const char *text)
{
    return resolution_of(text) != RESOLUTION_NONE;
}

static void refuse(struct admin_errand *errand, const char *outcome)
{
    static const struct {
        const char *outcome, *detail;
    } details[] = {
        {"no_payment", "nothing was asked for under it yet: docket order show says why it waits"},
        {"resolved_before", "its payment was resolved already; nothing was changed: docket order "
                            "show says by whom"},
        {"undone", "the order is being canceled or given back: replay its dead letter instead"},
        {"over", "its payment is over, and known: there is nothing to resolve"},
        {"not_unknown", "its payment is under way and is looked up by itself; only one that is "
                        "unknown, differs from ours, or is on hold can be resolved"},
    };
    const char *detail = outcome;

    for (size_t i = 0; i < ARRAY_SIZE(details); i++)
        if (strcmp(outcome, details[i].outcome) == 0)
            detail = details[i].detail;
    problem_reply(errand->request,
                  &(struct problem){.code = "payment_not_resolvable", .detail = detail});
}

static void on_resolved(struct admin_errand *errand, const PGresult *rows)
{
    const char *outcome = pg_text(rows, 0, OUTCOME);

    if (strcmp(outcome, "not_found") == 0) {
        problem_reply(errand->request, &(struct problem){.code = "order_not_found"});
    } else if (strcmp(outcome, "resolved") != 0) {
        refuse(errand, outcome);
    } else {
        hint_work(api_of(errand->request)->hint);
        admin_reply_named(errand->request, pg_text(rows, 0, JSON));
    }
}

static bool fill(struct admin_errand *errand, struct problem_items *problems)
{
    static const struct json_field fields[] = {
        {"as", FIELD_TEXT, true, 1, 16, is_resolution, "captured, declined or canceled",
         offsetof(struct resolve_wish, as)},
        {"evidence", FIELD_TEXT, true, 1, EVIDENCE_CHARACTERS_MAX, NULL, NULL,
         offsetof(struct resolve_wish, evidence)},
        {.name = NULL},
    };
    struct resolve_wish wish = {NULL, NULL};
    struct order_id id;

    if (!admin_param_order(errand->request, &id))
        return false;
    json_fields_read(errand->body, "", fields, &wish, problems);
    pg_add_uuid(&errand->ticket.params, id.bytes);
    pg_add_i16(&errand->ticket.params, (int16_t)(wish.as ? resolution_of(wish.as) : 0));
    pg_add_text(&errand->ticket.params, wish.evidence);
    return true;
}

void admin_payment_resolve(struct http_request *request)
{
    static const struct admin_act act = {&sql_payment_resolve, REASON_REQUIRED, fill, on_resolved};

    admin_act_begin(request, &act);
}
