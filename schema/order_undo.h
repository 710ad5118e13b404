/* schema/order_undo.h - how an order is undone: the rules of order_decide() for canceling and
 * giving back
 */
#pragma once

#include "schema/order_state.h"

/* Canceled, given back, or found to be too late for it.  False: this is no matter of undoing, and
 * nothing was decided. */
bool order_undo_decide(const struct order_facts *facts, const struct order_lesson *lesson,
                       const struct order_policy *policy, uint32_t random,
                       struct order_change *change) __attribute__((warn_unused_result));
