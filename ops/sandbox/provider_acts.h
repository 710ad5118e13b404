/* ops/sandbox/provider_acts.h - what each call to the provider does, once it may
 *
 * An act reads the parameters, changes intents and refunds, records it and words the answer; it
 * knows nothing of keys, troubles and connections (ops/sandbox/exchange.h).
 */
#pragma once

#include "ops/sandbox/form.h"
#include "ops/sandbox/provider.h"

/* The exchange's subject. */
struct provider_call {
    struct provider *provider;
    struct form form;      /* of the body, or of the query that the handler has read */
    const char *id;        /* in the path, or "" */
    struct intent *intent; /* that the path or the parameters name, or NULL */
};

void act_create(struct exchange *exchange);
void act_confirm(struct exchange *exchange);
void act_capture(struct exchange *exchange);
void act_cancel(struct exchange *exchange);
void act_retrieve(struct exchange *exchange);
void act_list(struct exchange *exchange);
void act_refund(struct exchange *exchange);
void act_retrieve_refund(struct exchange *exchange);
void act_list_refunds(struct exchange *exchange);

/* Records the intent as it is now; with a fact of that kind if `kind` is set. */
void provider_record(struct provider *provider, struct intent *intent, const char *kind,
                     int64_t amount, const char *key);
