#include "api/admin/admin.h"

#include <stdlib.h>
#include <string.h>

#include "api/fields.h"
#include "base/clock.h"
#include "schema/json_fields.h"

enum { DEADLINE_MS = 10000, REASON_CHARACTERS_MAX = 500 };

static void on_settled(struct ask_ticket *ticket);
static void on_released(struct ask_ticket *ticket);

static const char *actor_of(struct arena *arena, const struct principal *principal)
{
    return principal->key_id
               ? arena_print(arena, "key %lld (%s)", (long long)principal->key_id, principal->name)
               : arena_print(arena, "%s", principal->name);
}

struct admin_errand *admin_errand_create(struct http_request *request,
                                         const struct pg_statement *statement,
                                         void (*on_rows)(struct admin_errand *errand,
                                                         const PGresult *rows))
{
    struct principal principal;
    struct admin_errand *errand;

    if (!api_admit(request, SCOPE_OPERATOR, &principal))
        return NULL;
    errand = xcalloc(1, sizeof(*errand));
    errand->request = request;
    errand->on_rows = on_rows;
    errand->ticket.statement = statement;
    errand->ticket.on_settled = on_settled;
    errand->ticket.on_released = on_released;
    errand->ticket.deadline_ms = clock_monotonic_ms() + DEADLINE_MS;
    arena_init(&errand->arena);
    errand->actor = actor_of(&errand->arena, &principal);
    pg_params_init(&errand->ticket.params);
    return errand;
}

void admin_errand_free(struct admin_errand *errand)
{
    pg_params_finish(&errand->ticket.params);
    arena_finish(&errand->arena);
    json_decref(errand->body);
    free(errand);
}

/* The reason leaves the body, so that what is left is only what the act itself is about. */
static bool take_reason(struct admin_errand *errand, bool is_required, const char **reason)
{
    struct problem_items problems = {.arena = &errand->arena};
    const struct json_field fields[] = {
        {"reason", FIELD_TEXT, is_required, 1, REASON_CHARACTERS_MAX, NULL, NULL, 0},
        {.name = NULL},
    };
    CLEANUP(json_release) json_t *part = json_object();
    const char *text = "";

    if (json_object_get(errand->body, "reason"))
        json_object_set(part, "reason", json_object_get(errand->body, "reason"));
    json_fields_read(part, "", fields, &text, &problems);
    if (problems.count > 0) {
        admin_refuse(errand->request, &problems);
        return false;
    }
    *reason = arena_copy(&errand->arena, text, strlen(text));
    json_object_del(errand->body, "reason");
    return true;
}

static bool read_act(struct admin_errand *errand, const struct admin_act *act)
{
    const char *reason;

    if (!admin_read_body(errand->request, &errand->body) ||
        !take_reason(errand, act->reason == REASON_REQUIRED, &reason))
        return false;
    pg_add_text(&errand->ticket.params, errand->actor);
    pg_add_text(&errand->ticket.params, reason);
    return true;
}

void admin_act_begin(struct http_request *request, const struct admin_act *act)
{
    struct admin_errand *errand = admin_errand_create(request, act->statement, act->on_rows);
    struct problem_items problems = {.count = 0};

    if (errand == NULL)
        return;
    problems.arena = &errand->arena;
    if (!read_act(errand, act) || !act->fill(errand, &problems)) {
        admin_errand_free(errand);
    } else if (problems.count > 0) {
        admin_refuse(request, &problems);
        admin_errand_free(errand);
    } else {
        admin_errand_send(errand, api_of(request)->acts);
    }
}

bool admin_fill_id(struct admin_errand *errand, struct problem_items *problems)
{
    int64_t id;

    (void)problems;
    if (!admin_param_number(errand->request, &id))
        return false;
    pg_add_i64(&errand->ticket.params, id);
    return true;
}

void admin_on_json(struct admin_errand *errand, const PGresult *rows)
{
    admin_reply_json(errand->request, 200, pg_text(rows, 0, 0));
}

void admin_errand_send(struct admin_errand *errand, struct ask *ask)
{
    if (ask_submit(ask, &errand->ticket))
        return;
    problem_reply(errand->request, &(struct problem){.code = "overloaded"});
    admin_errand_free(errand);
}

/* What somebody else held too long may be had a moment later; the rest is a bug. */
static void refuse(struct http_request *request, const struct fault *fault)
{
    bool is_passing = fault->kind == FAULT_TRANSIENT;

    problem_reply(request, &(struct problem){.code = is_passing ? "temporarily_unavailable"
                                                                : "internal_error",
                                             .detail = fault->text});
}

static void on_settled(struct ask_ticket *ticket)
{
    struct admin_errand *errand = container_of(ticket, struct admin_errand, ticket);

    switch (ticket->group_ticket.outcome) {
    case GROUP_COMMITTED:
        errand->on_rows(errand, ticket->rows);
        break;
    case GROUP_REFUSED:
        refuse(errand->request, &ticket->group_ticket.fault);
        break;
    case GROUP_UNSENT:
        problem_reply(errand->request, &(struct problem){.code = "temporarily_unavailable",
                                                         .detail = "nothing was done"});
        break;
    case GROUP_UNKNOWN:
        problem_reply(errand->request,
                      &(struct problem){.code = "outcome_unknown",
                                        .detail = "it may be done, or become so yet: look"});
        break;
    }
}

static void on_released(struct ask_ticket *ticket)
{
    admin_errand_free(container_of(ticket, struct admin_errand, ticket));
}

bool admin_read_body(struct http_request *request, json_t **body)
{
    struct fault fault;
    size_t length;
    const char *bytes = http_body(request, &length);

    *body = json_read(bytes, length, &fault);
    if (*body == NULL)
        problem_reply(request, &(struct problem){.code = "invalid_json", .detail = fault.text});
    return *body != NULL;
}

void admin_reply_json(struct http_request *request, int status, const char *json)
{
    http_reply(request, status, "application/json", json, strlen(json));
}

void admin_refuse(struct http_request *request, const struct problem_items *items)
{
    problem_reply(request, &(struct problem){.code = "validation_failed",
                                             .detail = "`errors` says what is wrong, and where",
                                             .items = items});
}

bool admin_param_order(struct http_request *request, struct order_id *id)
{
    const char *text = http_param(request, "id");

    if (order_id_parse(id, text) || order_id_parse_uuid(id, text))
        return true;
    problem_reply(request, &(struct problem){.code = "order_not_found",
                                             .detail = "that is no id of an order"});
    return false;
}

bool admin_param_number(struct http_request *request, int64_t *number)
{
    if (field_number(http_param(request, "id"), 1, INT64_MAX, number))
        return true;
    problem_reply(request, &(struct problem){.code = "not_found"});
    return false;
}

bool admin_query_number(struct admin_errand *errand, const char *name, int64_t least, int64_t most,
                        int64_t *number)
{
    const char *text = http_query(errand->request, name);

    if (text == NULL || field_number(text, least, most, number))
        return true;
    problem_reply(
        errand->request,
        &(struct problem){.code = "invalid_query",
                          .detail = arena_print(&errand->arena, "%s is a number from %lld to %lld",
                                                name, (long long)least, (long long)most)});
    return false;
}
