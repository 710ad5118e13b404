/* api/webhook_event.h - what of a Stripe event is kept (https://docs.stripe.com/api/events/object)
 *
 * Its id, its type, the intent it is about and the order that the intent's metadata names.  All
 * else is passed over: a worker asks the provider.  Pure.
 */
#pragma once

#include "queue/inbox.h"

bool webhook_event_read(const char *body, size_t length, struct inbox_event *event,
                        struct fault *fault) __attribute__((warn_unused_result));
