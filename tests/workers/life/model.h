/* tests/workers/life/model.h - the outside of a world: calls on their way, the carrier, and the
 * provider (intents.h, refunds.h) that they reach */
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

int model_shipments(int order); /* that the carrier has of an order */
