/* GET /v1/orders?idempotency_key=…: the order of a key, after a reload; without it, a list.  Looked
 * up like a replay: what it finds has reached the standby. */
#include <stdlib.h>

#include "api/fields.h"
#include "api/list.h"
#include "api/read.h"
#include "api/receipts.h"

struct finding {
    struct http_request *request;
    struct principal principal;
    struct intake_ticket ticket;
    char key[ORDER_KEY_LENGTH_MAX + 1];
};

static void on_settled(struct intake_ticket *ticket)
{
    struct finding *finding = container_of(ticket, struct finding, ticket);

    /* Without a content every order is another's.  A browser that reloaded before its 202 came has
     * nothing but the key, and could have repeated the POST with it: it is given the same body. */
    bool is_found = ticket->verdict == INTAKE_KEY_REUSED;
    bool may_read = (finding->principal.scopes & SCOPE_ORDERS_READ) != 0 ||
                    read_client_token(finding->request) != NULL;

    if (is_found && !may_read)
        receipt_reply(finding->request, ticket, 200);
    else if (is_found)
        read_begin(finding->request, &finding->principal, &ticket->id);
    else if (ticket->verdict == INTAKE_NOTHING || ticket->verdict == INTAKE_KEY_ABANDONED)
        problem_reply(finding->request, &(struct problem){.code = "order_not_found"});
    else
        problem_reply(finding->request, &(struct problem){.code = "temporarily_unavailable"});
}

static void on_released(struct intake_ticket *ticket)
{
    free(container_of(ticket, struct finding, ticket));
}

void orders_find(struct http_request *request)
{
    const char *value = http_query(request, "idempotency_key");
    struct principal principal;
    struct finding *finding;
    char key[ORDER_KEY_LENGTH_MAX + 1];

    if (!api_admit_read(request, SCOPE_CHECKOUT | SCOPE_ORDERS_READ, &principal))
        return;
    if (value == NULL && (principal.scopes & SCOPE_ORDERS_READ)) {
        list_begin(request, &principal);
        return;
    }
    if (value == NULL || !field_key(value, key)) {
        problem_reply(request, &(struct problem){.code = "invalid_query",
                                                 .detail = "name an order by ?idempotency_key=… "
                                                           "(a list needs scope orders:read)"});
        return;
    }
    finding = xcalloc(1, sizeof(*finding));
    finding->request = request;
    finding->principal = principal;
    snprintf(finding->key, sizeof(finding->key), "%s", key);
    finding->ticket = (struct intake_ticket){
        .account_id = principal.account_id,
        .key = finding->key,
        .deadline_ms = deadline_of(request),
        .on_settled = on_settled,
        .on_released = on_released,
    };
    if (!intake_look_up(api_of(request)->intake, &finding->ticket)) {
        problem_reply(request, &(struct problem){.code = "overloaded"});
        free(finding);
    }
}
