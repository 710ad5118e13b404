/* POST /v1/orders/abandon: no order can arise from this key any more, or the one that exists is
 * named.
 *
 * Whoever knows the key gets the order's id, and no token to read it with. */
#include <stdlib.h>

#include "api/api.h"
#include "api/receipts.h"

enum { ANSWER_BYTES_MAX = 256 };

struct abandonment {
    struct http_request *request;
    struct intake_ticket ticket;
    char key[ORDER_KEY_LENGTH_MAX + 1];
};

static void reply_order(struct http_request *request, const struct order_id *id)
{
    char public_id[ORDER_ID_TEXT_SIZE];
    CLEANUP(text_finish) struct text body;

    order_id_format(id, public_id);
    text_init(&body, ANSWER_BYTES_MAX);
    text_print(&body,
               "{\"accepted\":\"yes\",\"abandoned\":false,\"id\":\"%s\","
               "\"links\":{\"self\":\"/v1/orders/%s\"}}",
               public_id, public_id);
    http_reply_header(request, "Location", "/v1/orders/%s", public_id);
    http_reply(request, 200, "application/json", body.bytes, body.length);
}

static void on_settled(struct intake_ticket *ticket)
{
    struct abandonment *abandonment = container_of(ticket, struct abandonment, ticket);
    static const char abandoned[] = "{\"accepted\":\"no\",\"abandoned\":true}";

    if (ticket->verdict == INTAKE_KEY_ABANDONED)
        http_reply(abandonment->request, 200, "application/json", abandoned, sizeof(abandoned) - 1);
    else if (ticket->verdict == INTAKE_REPLAYED)
        reply_order(abandonment->request, &ticket->id);
    else
        verdict_reply(abandonment->request, ticket->verdict);
}

static void on_released(struct intake_ticket *ticket)
{
    free(container_of(ticket, struct abandonment, ticket));
}

void orders_abandon(struct http_request *request)
{
    struct abandonment *abandonment;
    char key[ORDER_KEY_LENGTH_MAX + 1];
    struct principal principal;

    if (!api_admit(request, SCOPE_CHECKOUT, &principal) || !key_read(request, key) ||
        !api_admit_post(request, &principal))
        return;
    abandonment = xcalloc(1, sizeof(*abandonment));
    abandonment->request = request;
    snprintf(abandonment->key, sizeof(abandonment->key), "%s", key);
    abandonment->ticket = (struct intake_ticket){
        .account_id = principal.account_id,
        .key = abandonment->key,
        .deadline_ms = deadline_of(request),
        .on_settled = on_settled,
        .on_released = on_released,
    };
    if (!intake_abandon(api_of(request)->intake, &abandonment->ticket)) {
        shed_reply(request);
        free(abandonment);
    }
}
