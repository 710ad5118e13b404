/* schema/order_change.h - the parts of a change that several decisions share: order_state.c decides
 * how an order goes on, order_undo.c how it is undone
 */
#pragma once

#include "schema/order_state.h"

static inline void wait(struct order_change *change, const char *event, int64_t due_ms)
{
    change->task_state = TASK_WAITING;
    change->event = event;
    change->due_ms = due_ms;
    change->keeps_running = false;
}

/* Until the relay lets it out; nothing is counted. */
static inline void park(struct order_change *change, const char *event)
{
    change->task_state = TASK_PARKED;
    change->event = event;
    change->keeps_running = false;
}

static inline void finish(struct order_change *change, const char *event)
{
    change->task_state = TASK_DONE;
    change->event = event;
    change->task_attempt = 0;
    change->keeps_running = false;
}

static inline void write_attempt(struct order_change *change, const struct order_facts *facts,
                          const struct order_lesson *lesson, enum attempt_state state)
{
    change->attempt_number = facts->attempt_number;
    if (change->attempt_number == 0)
        change->attempt_number = 1;
    change->attempt_state = state;
    change->confirms = facts->confirms;
    change->intent_id = lesson->intent_id;
}

/* The task is anybody's again, at once. */
static inline void hand_back(struct order_change *change, const struct order_facts *facts,
                      const char *event)
{
    change->task_state = TASK_READY;
    change->event = event;
    change->next = facts->stage;
    change->keeps_running = false;
}

/* Somebody has to look: the task rests as a dead letter, and the order says so where it can. */
static inline void give_up(struct order_change *change, const struct order_facts *facts,
                    const struct fault *fault)
{
    change->task_state = TASK_DEAD;
    change->event = "dead_letter";
    change->is_dead = true;
    change->fault = fault;
    change->keeps_running = false;
    change->reason = "needs_operator";
    if ((facts->stage != STAGE_FULFILMENT || change->status == ORDER_CANCELING) &&
        order_status_is_edge(change->status, ORDER_ON_HOLD))
        change->status = ORDER_ON_HOLD;
}

/* How an order is undone (order_undo.c): canceled, given back, or found to be too late for it.
 * False: it is no matter of undoing, and nothing was decided. */
bool order_undo_decide(const struct order_facts *facts, const struct order_lesson *lesson,
                       const struct order_policy *policy, uint32_t random,
                       struct order_change *change) __attribute__((warn_unused_result));
