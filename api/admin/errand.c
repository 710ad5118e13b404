#include "api/admin/admin.h"

#include <stdlib.h>
#include <string.h>

#include "api/fields.h"
#include "base/clock.h"

enum { DEADLINE_MS = 10000 };

static void on_settled(struct ask_ticket *ticket);
static void on_released(struct ask_ticket *ticket);

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
    errand->key_id = principal.key_id;
    errand->on_rows = on_rows;
    errand->ticket.statement = statement;
    errand->ticket.on_settled = on_settled;
    errand->ticket.on_released = on_released;
    errand->ticket.deadline_ms = clock_monotonic_ms() + DEADLINE_MS;
    arena_init(&errand->arena);
    pg_params_init(&errand->ticket.params);
    return errand;
}

void admin_errand_free(struct admin_errand *errand)
{
    pg_params_finish(&errand->ticket.params);
    arena_finish(&errand->arena);
    free(errand);
}

void admin_errand_send(struct admin_errand *errand, struct ask *ask)
{
    if (ask_submit(ask, &errand->ticket))
        return;
    problem_reply(errand->request, &(struct problem){.code = "overloaded"});
    admin_errand_free(errand);
}

static void on_settled(struct ask_ticket *ticket)
{
    struct admin_errand *errand = container_of(ticket, struct admin_errand, ticket);

    switch (ticket->group_ticket.outcome) {
    case GROUP_COMMITTED:
        errand->on_rows(errand, ticket->rows);
        break;
    case GROUP_REFUSED:
        problem_reply(
            errand->request,
            &(struct problem){.code = "internal_error", .detail = ticket->group_ticket.fault.text});
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

bool admin_param_number(struct http_request *request, int64_t *number)
{
    if (field_number(http_param(request, "id"), 1, INT64_MAX, number))
        return true;
    problem_reply(request, &(struct problem){.code = "not_found"});
    return false;
}
