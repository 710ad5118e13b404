#include "schema/order_change.h"

void order_change_wait(struct order_change *change, const char *event, int64_t due_ms)
{
    change->task_state = TASK_WAITING;
    change->event = event;
    change->due_ms = due_ms;
    change->keeps_running = false;
}

void order_change_count(struct order_change *change, const struct order_facts *facts,
                        const struct order_lesson *lesson)
{
    change->task_attempt = facts->attempt + 1;
    change->task_doubted = lesson->is_doubtful ? facts->doubted + 1 : 0;
}

void order_change_park(struct order_change *change, const char *event)
{
    int32_t own = change->task_attempt - change->task_doubted;

    change->task_attempt = own > 0 ? own : 0;
    change->task_doubted = 0;
    change->task_state = TASK_PARKED;
    change->event = event;
    change->keeps_running = false;
}

void order_change_finish(struct order_change *change, const char *event)
{
    change->task_state = TASK_DONE;
    change->event = event;
    change->task_attempt = change->task_doubted = 0;
    change->keeps_running = false;
}

void order_change_write_attempt(struct order_change *change, const struct order_facts *facts,
                                const struct order_lesson *lesson, enum attempt_state state)
{
    change->attempt_number = facts->attempt_number;
    if (change->attempt_number == 0)
        change->attempt_number = 1;
    change->attempt_state = state;
    change->confirms = facts->confirms;
    change->intent_id = lesson->intent_id;
}

void order_change_hand_back(struct order_change *change, const struct order_facts *facts,
                            const char *event)
{
    change->task_state = TASK_READY;
    change->event = event;
    change->next = facts->stage;
    change->keeps_running = false;
}

void order_change_give_up(struct order_change *change, const struct order_facts *facts,
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
