/* tests/workers/life/intents.h - the provider of a world: its intents, what customers and banks do
 * with them, and what it then has in its books */
#pragma once

#include "tests/workers/life/call.h"

void intents_begin(void);
void intents_deliver(struct call *call, enum behaviour behaviour);

/* By an operator, at the provider itself.  False: it is paid. */
bool intents_cancel_all(int order);
bool intents_is_at_work(int order); /* the bank has not decided: nobody can cancel it */
void intents_end_work(void);        /* … and now it has */
/* Any intent there is, known to the books or not.  False: there is none. */
bool intents_find(unsigned which, int *order, char id[PROVIDER_ID_SIZE]);
void intents_customer(unsigned which, unsigned how);

/* What its books hold of an order. */
int intents_charges(int order); /* intents that took money */
bool intents_is_canceled(const char *intent);
bool intents_was_declined(const char *intent); /* at some time */
bool intents_can_be_paid(
    int order); /* by an intent that is open, and was or may yet be confirmed */
bool intents_owes_nothing(int order); /* no money of it is kept */
int64_t intents_kept(int order);      /* what was taken and not given back */
