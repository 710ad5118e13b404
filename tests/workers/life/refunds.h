/* tests/workers/life/refunds.h - what the provider of a world has given back */
#pragma once

#include "tests/workers/life/world.h"
#include "workers/providers/provider.h"

void refunds_begin(void);
/* Gives back, if as much is left of the intent; `ours` is our name for it. */
void refunds_make(const struct payment_intent *intent, int order, int64_t amount, const char *ours,
                  enum behaviour behaviour, struct payment_result *result);
void refunds_list(const struct payment_intent *intent, const char *ours, enum behaviour behaviour,
                  struct payment_result *result);
int64_t refunds_given_back(int order); /* pending ones included */
int refunds_named(const char *ours);   /* that did not fail */
bool refunds_failed(const char *ours); /* the provider could not give it back */
/* A refund is about to be asked for under this key: the one of before, unless the provider has
 * answered that with a failure, which it would repeat for ever. */
void refunds_note_key(const char *ours, const char *key);
void refunds_note_failure(const char *key);
