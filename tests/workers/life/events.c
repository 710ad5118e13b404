/* What the provider tells of: kept, and heard by the relay (webhook_store.sql, webhook_apply.sql).
 */
#include <string.h>

#include "base/memory.h"
#include "tests/workers/life/books.h"
#include "tests/workers/life/inside.h"
#include "tests/workers/life/intents.h"
#include "tests/workers/life/model.h"

enum { TRIES_OF_STRANGERS = 5 };

/* Of any intent, and whatever: an event may be true, late, out of order, or a lie. */
void events_tell(unsigned which, unsigned how)
{
    static const enum attempt_state said[] = {ATTEMPT_CAPTURED, ATTEMPT_DECLINED, ATTEMPT_VOIDED,
                                              ATTEMPT_REQUIRES_ACTION, ATTEMPT_NONE};
    struct event *event = &world.inbox[world.inbox_count];
    bool is_of_refund = how % 4 == 0;

    if (world.inbox_count == INBOX_MAX || !intents_find(which, &event->order, event->intent))
        return;
    event->stage = is_of_refund ? STAGE_REFUND : STAGE_PAYMENT;
    event->says = is_of_refund ? ATTEMPT_NONE : said[how / 4 % ARRAY_SIZE(said)];
    event->tries = 0;
    world.inbox_count++;
}

static const struct attempt *find_attempt(const struct event *event)
{
    const struct book *book = &world.books[event->order];

    for (int i = 0; i < book->attempt_count; i++)
        if (strcmp(book->attempts[i].intent, event->intent) == 0)
            return &book->attempts[i];
    return NULL;
}

static bool is_late(const struct event *event, enum attempt_state state)
{
    bool is_over = state == ATTEMPT_DECLINED || state == ATTEMPT_VOIDED;

    return event->stage == STAGE_PAYMENT && (state == ATTEMPT_CAPTURED || state == event->says ||
                                             (is_over && event->says != ATTEMPT_CAPTURED));
}

static void wake(struct book *book, struct task *task)
{
    if (task->state != TASK_WAITING)
        return;
    world_see(SAW_WOKEN);
    task->state = TASK_READY;
    book->version++;
}

/* False: it is kept for later. */
static bool hear(struct event *event)
{
    struct book *book = &world.books[event->order];
    struct task *task = &book->tasks[event->stage];
    const struct attempt *attempt = find_attempt(event);

    if (attempt == NULL) {
        world_see(SAW_STRANGER);
        return event->tries++ >= TRIES_OF_STRANGERS;
    }
    if (is_late(event, attempt->state)) {
        world_see(SAW_EVENT_LATE);
        return true;
    }
    if (!task->exists)
        return true;
    if (task->state == TASK_RUNNING) {
        world_see(SAW_EVENT_KEPT);
        return false;
    }
    wake(book, task);
    return true;
}

void events_hear(void)
{
    for (int i = world.inbox_count - 1; i >= 0; i--)
        if (hear(&world.inbox[i]))
            world.inbox[i] = world.inbox[--world.inbox_count];
}
