/* workers/steps/provider_call.h - one call at a time to the payment provider, for the steps that
 * undo
 */
#pragma once

#include "workers/providers/provider.h"
#include "workers/runner.h"

enum { PROVIDER_KEY_SIZE = 96, PROVIDER_REFUND_SIZE = 48 };

/* The first member of a step's work. */
struct provider_call {
    struct job *job;
    struct payment_call call;
    char key[PROVIDER_KEY_SIZE], refund[PROVIDER_REFUND_SIZE];
    void (*on_answered)(struct job *job, const struct payment_call *call);
};

struct provider_call *provider_call_of(struct job *job);

/* About the order's intent and its open refund.  key: NULL for a read. */
void provider_call_begin(struct job *job, enum payment_operation operation, const char *key,
                         void (*on_answered)(struct job *job, const struct payment_call *call));

void provider_learn(struct job *job, enum verdict verdict); /* nothing but that */

/* Of every step that calls the provider. */
void *provider_open(struct http_client *client, const struct settings *settings);
void provider_register(void);
