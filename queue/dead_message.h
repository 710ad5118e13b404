/* queue/dead_message.h - what a message says, and how one that says nothing is kept
 *
 * A hint is {"order": uuid, "stage": name, …}.  Kept messages are bounded, in printable ASCII, and
 * without secrets.  Pure.
 */
#pragma once

#include <stdbool.h>

#include "base/amqp.h"
#include "base/text.h"
#include "schema/order_id.h"
#include "schema/order_state.h"

enum { DEAD_MESSAGE_BODY_MAX = 2000 };

/* False: it cannot be read, and fault says why. */
bool dead_message_parse(const void *body, size_t length, struct order_id *order, enum stage *stage,
                        struct fault *fault) __attribute__((warn_unused_result));
/* A JSON object. */
void dead_message_describe(const struct amqp_delivery *delivery, struct text *json);
