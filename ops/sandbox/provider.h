/* ops/sandbox/provider.h - Stripe's PaymentIntents over HTTP: create, confirm, capture, cancel,
 * retrieve, list, refund
 *
 * Form in, JSON out, errors as Stripe words them; parameters that Stripe does not know are refused,
 * so that a misspelling shows.  Any `Authorization: Bearer sk_…` is let in.  An order is told by
 * metadata[order_id]; nothing makes it unique: a second intent for one order charges again.
 */
#pragma once

#include <sys/queue.h>

#include "ops/sandbox/exchange.h"
#include "ops/sandbox/intent.h"
#include "ops/sandbox/webhooks.h"

struct provider {
    struct side side;
    struct exchanges *exchanges;
    struct webhooks *webhooks;
    struct table intents, charges, refunds; /* by id; charges lead to their intents */
    TAILQ_HEAD(, intent) newest_first;
};

bool provider_open(struct provider *provider, struct exchanges *exchanges,
                   struct webhooks *webhooks, struct ledger *ledger, struct fault *fault)
    __attribute__((warn_unused_result));
void provider_close(struct provider *provider);

struct intent *provider_find(const struct provider *provider, const char *id); /* NULL: none */
/* What the customer or the bank decides, outside of any call; recorded, not yet durable. */
bool provider_finish_action(struct provider *provider, struct intent *intent, bool agreed,
                            struct refusal *refusal);

void provider_on_create(struct http_request *request);
void provider_on_list(struct http_request *request);
void provider_on_retrieve(struct http_request *request);
void provider_on_confirm(struct http_request *request);
void provider_on_capture(struct http_request *request);
void provider_on_cancel(struct http_request *request);
void provider_on_refund(struct http_request *request);
void provider_on_list_refunds(struct http_request *request);
void provider_on_retrieve_refund(struct http_request *request);
