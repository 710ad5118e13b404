/* queue/webhooks.h - a provider's events make the tasks they are about look at the provider now
 *
 *     inbox row ─► the order waits ─► its task is ready + outbox row + event `webhook`
 *          ▲   └─► nothing to do ──► done, with a word that says why
 *          └────── its task is in a worker's hands: later
 *
 * An event is a hint and no more: what happened is asked of the provider, by the stored intent id,
 * and written by the one transition.  So it may be late, doubled, out of order or forged by
 * whoever has the secret, and changes nothing that the provider does not say itself.
 *
 * Outcomes: looked_up (it is looked up now); late (the books say so already); parked, dead_letter
 * (its task waits for the provider, or for an operator, and looks up first when it goes on);
 * unknown_intent (no attempt of ours has this intent: see the orphans); not_needed.
 */
#pragma once

#include <stdint.h>
#include <uv.h>

#include "queue/duty.h"

enum { WEBHOOKS_MAX = 200, WEBHOOKS_MS_LEAST = 50, WEBHOOKS_MS_MOST = 250 };

struct webhooks;

struct webhooks *webhooks_create(uv_loop_t *loop, const struct duty_world *world);
void webhooks_destroy(struct webhooks *webhooks); /* NULL is fine */
void webhooks_begin(struct webhooks *webhooks, int64_t fence);
void webhooks_end(struct webhooks *webhooks);
void webhooks_register_metrics(void);
