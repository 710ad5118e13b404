#include "queue/ask.h"

#include <stdlib.h>

#include "base/memory.h"

enum { LINKS = 2, TICKETS_MAX = 20 };

struct ask {
    struct group_work work;
    const struct pg_statement *first;
    struct group *group;
};

static struct ask_ticket *ticket_of(struct group_ticket *ticket)
{
    return container_of(ticket, struct ask_ticket, group_ticket);
}

static bool send_statements(struct group_batch *batch)
{
    struct ask *ask = group_owner(batch);
    struct group_ticket *ticket;

    if (ask->first)
        group_send(batch, ask->first, NULL);
    TAILQ_FOREACH (ticket, &batch->tickets, next)
        group_send(batch, ticket_of(ticket)->statement, &ticket_of(ticket)->params);
    return true;
}

static void on_rows(struct group_batch *batch, int nth, const PGresult *result)
{
    struct ask *ask = group_owner(batch);
    struct group_ticket *ticket = TAILQ_FIRST(&batch->tickets);

    if (ask->first && nth-- == 0)
        return;
    while (nth-- > 0)
        ticket = TAILQ_NEXT(ticket, next);
    PQclear(ticket_of(ticket)->rows);
    ticket_of(ticket)->rows = PQcopyResult(result, PG_COPYRES_ATTRS | PG_COPYRES_TUPLES);
}

static void on_settled(struct group_ticket *group_ticket)
{
    struct ask_ticket *ticket = ticket_of(group_ticket);

    ticket->on_settled(ticket);
}

static void on_released(struct group_ticket *group_ticket)
{
    struct ask_ticket *ticket = ticket_of(group_ticket);

    PQclear(ticket->rows);
    ticket->rows = NULL;
    pg_params_finish(&ticket->params);
    ticket->on_released(ticket);
}

bool ask_submit(struct ask *ask, struct ask_ticket *ticket)
{
    ticket->group_ticket = (struct group_ticket){
        .on_settled = on_settled,
        .on_released = on_released,
        .deadline_ms = ticket->deadline_ms,
    };
    ticket->rows = NULL;
    return group_submit(ask->group, &ticket->group_ticket);
}

bool ask_is_idle(const struct ask *ask)
{
    return group_is_idle(ask->group);
}

struct ask *ask_create(uv_loop_t *loop, const struct ask_options *options)
{
    struct ask *ask = xcalloc(1, sizeof(*ask));
    const struct group_options group_options = {
        .server = &options->database->server,
        .links = LINKS,
        .owner = ask,
    };

    ask->work = (struct group_work){
        .name = options->name,
        .statements = options->statements,
        .tickets_max = TICKETS_MAX,
        .waiting_max = options->waiting_max,
        .send = send_statements,
        .on_rows = on_rows,
        .is_answer = options->is_answer,
    };
    ask->first = options->first;
    ask->group = group_create(loop, &ask->work, &group_options);
    return ask;
}

void ask_destroy(struct ask *ask)
{
    if (ask == NULL)
        return;
    group_destroy(ask->group);
    free(ask);
}
