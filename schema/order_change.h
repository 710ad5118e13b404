/* schema/order_change.h - what the rules of order_state.c do to a change: inside of order_decide()
 */
#pragma once

#include "schema/order_state.h"

/* A failure of which nobody can say yet whose it was is counted too, on account. */
void order_change_count(struct order_change *change, const struct order_facts *facts,
                        const struct order_lesson *lesson);
/* The task rests until it is due. */
void order_change_wait(struct order_change *change, const char *event, int64_t due_ms);
/* Until the relay lets it out; nothing is counted, and what was counted on account is taken back.
 */
void order_change_park(struct order_change *change, const char *event);
void order_change_finish(struct order_change *change, const char *event);
/* The task is anybody's again, at once. */
void order_change_hand_back(struct order_change *change, const struct order_facts *facts,
                            const char *event);
/* Somebody has to look: the task rests as a dead letter, and the order says so where it can. */
void order_change_give_up(struct order_change *change, const struct order_facts *facts,
                          const struct fault *fault);
/* The payment attempt that is open, or the first one, becomes this. */
void order_change_write_attempt(struct order_change *change, const struct order_facts *facts,
                                const struct order_lesson *lesson, enum attempt_state state);
