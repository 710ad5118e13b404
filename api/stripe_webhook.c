/* POST /v1/webhooks/stripe: the provider tells that something has happened
 *
 *     raw body ─► signature ─► read ─► inbox ┄┄ (commit) ┄┄► 200
 *
 * 2xx means kept; anything else makes the provider send the event again.  Nothing of a body whose
 * signature is not right is parsed, kept or logged. */
#include <stdlib.h>

#include "api/api.h"
#include "api/fields.h"
#include "api/receipts.h"
#include "api/webhook_event.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

struct notice {
    struct http_request *request;
    struct inbox_ticket ticket;
};

#define COUNTER(variable, word)                                                                    \
    static struct metric variable = {                                                              \
        .type = METRIC_COUNTER,                                                                    \
        .name = "docket_webhooks_total",                                                           \
        .help = "Answers to POST /v1/webhooks/stripe, by what became of the event.",               \
        .labels = "outcome=\"" word "\"",                                                          \
    }
COUNTER(kept, "kept");
COUNTER(duplicate, "duplicate");
COUNTER(wrongly_signed, "bad_signature");
COUNTER(unread, "unreadable");
COUNTER(not_kept, "not_kept");

void stripe_webhook_register_metrics(void)
{
    static struct metric *const all[] = {&kept, &duplicate, &wrongly_signed, &unread, &not_kept};

    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        metric_register(all[i]);
    inbox_register_metrics();
}

static void refuse(struct http_request *request, struct metric *counter, const char *code,
                   const char *detail)
{
    metric_add(counter, 1);
    problem_reply(request, &(struct problem){.code = code, .detail = detail});
}

static void reply_kept(struct http_request *request, bool is_new)
{
    static const char first[] = "{\"received\":true,\"duplicate\":false}";
    static const char again[] = "{\"received\":true,\"duplicate\":true}";

    metric_add(is_new ? &kept : &duplicate, 1);
    if (is_new)
        http_reply(request, 200, "application/json", first, sizeof(first) - 1);
    else
        http_reply(request, 200, "application/json", again, sizeof(again) - 1);
}

static void on_settled(struct group_ticket *group_ticket)
{
    struct notice *notice = container_of(group_ticket, struct notice, ticket.ticket);

    switch (group_ticket->outcome) {
    case GROUP_COMMITTED:
        reply_kept(notice->request, notice->ticket.is_new);
        break;
    case GROUP_REFUSED:
        log_error("webhook_refused", "event %s: %s", notice->ticket.event.id,
                  group_ticket->fault.text);
        refuse(notice->request, &not_kept, "internal_error", group_ticket->fault.text);
        break;
    case GROUP_UNSENT:
    case GROUP_UNKNOWN: /* sent again, it is there already, or not */
        refuse(notice->request, &not_kept, "temporarily_unavailable",
               "the event could not be kept; send it again");
        break;
    }
    notice->request = NULL;
}

static void on_released(struct group_ticket *group_ticket)
{
    free(container_of(group_ticket, struct notice, ticket.ticket));
}

static void keep(struct http_request *request, const struct inbox_event *event)
{
    struct notice *notice = xcalloc(1, sizeof(*notice));

    notice->request = request;
    notice->ticket.event = *event;
    notice->ticket.ticket = (struct group_ticket){
        .on_settled = on_settled,
        .on_released = on_released,
        .deadline_ms = deadline_of(request),
    };
    if (group_submit(api_of(request)->inbox, &notice->ticket.ticket))
        return;
    refuse(request, &not_kept, "overloaded", "too many events wait; send it again");
    free(notice);
}

void stripe_webhook_post(struct http_request *request)
{
    const struct webhook_secrets *secrets = &api_of(request)->webhook_secrets;
    struct inbox_event event;
    struct fault fault;
    size_t length;
    const char *body = http_body(request, &length), *why;

    if (secrets->count == 0) {
        problem_reply(request,
                      &(struct problem){.code = "not_found",
                                        .detail = "DOCKET_STRIPE_WEBHOOK_SECRETS is not set"});
        return;
    }
    why = webhook_signature_check(secrets, http_header(request, "Stripe-Signature"), body, length,
                                  clock_wall_us() / 1000000);
    if (why)
        refuse(request, &wrongly_signed, "webhook_signature_invalid", why);
    else if (!webhook_event_read(body, length, &event, &fault))
        refuse(request, &unread, "webhook_event_invalid", fault.text);
    else
        keep(request, &event);
}
