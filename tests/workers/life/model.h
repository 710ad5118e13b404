/* tests/workers/life/model.h - the provider and the carrier of a world, and what they did */
#pragma once

#include "tests/workers/life/world.h"
#include "workers/carriers/carrier.h"
#include "workers/providers/provider.h"

struct job;

void model_begin(void);
struct provider *model_provider(void);
struct carrier *model_carrier(void);

/* Calls on their way, by a number that is taken modulo their count. */
void model_deliver(unsigned which, enum behaviour behaviour);
void model_answer(unsigned which);
void model_lose(unsigned which);
void model_hold_up(
    bool are_held); /* calls that are on their way now arrive later, or: may arrive */
bool model_has_calls(void);
void model_forget_job(const struct job *job); /* nobody waits for its call any more */
/* By an operator, at the provider itself.  False: it is paid. */
bool model_cancel_all(int order);
bool model_is_at_work(int order); /* the bank has not decided: nobody can cancel it */
void model_end_work(void);        /* … and now it has */
/* Any intent there is, known to the books or not.  False: there is none. */
bool model_intent(unsigned which, int *order, char id[PROVIDER_ID_SIZE]);
void model_customer(unsigned which, unsigned how);

/* What the outside's books hold of an order. */
int model_charges(int order); /* intents that took money */
int model_shipments(int order);
bool model_is_canceled(const char *intent);
bool model_was_declined(const char *intent); /* at some time */
bool model_can_be_paid(int order);  /* by an intent that is open, and was or may yet be confirmed */
bool model_owes_nothing(int order); /* no money of it is kept */
int64_t model_kept(int order);      /* what was taken and not given back */
