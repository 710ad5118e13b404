/* tests/schema/decisions.h - whatever order_decide can leave behind, for units that go through it
 */
#pragma once

#include "schema/order_state.h"

/* Every verdict in every state, as each kind of fault.  Returns how many decisions were seen. */
int decisions_for_all(void (*see)(const struct order_facts *facts,
                                  const struct order_change *change));
