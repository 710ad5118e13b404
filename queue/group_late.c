#include "queue/group_inside.h"

#include <stdlib.h>

bool group_is_late(const struct group_ticket *ticket, uint64_t now)
{
    return ticket->deadline_ms != 0 && now >= ticket->deadline_ms && !ticket->is_settled;
}

/* Moves what is late out of a list in which nothing is in flight. */
static int take_late(struct group_tickets *from, struct group_tickets *late, uint64_t now)
{
    struct group_ticket *ticket, *following;
    int taken = 0;

    for (ticket = TAILQ_FIRST(from); ticket; ticket = following) {
        following = TAILQ_NEXT(ticket, next);
        if (group_is_late(ticket, now)) {
            TAILQ_REMOVE(from, ticket, next);
            TAILQ_INSERT_TAIL(late, ticket, next);
            taken++;
        }
    }
    return taken;
}

static void take_late_again(struct group *group, struct group_tickets *late, uint64_t now)
{
    struct group_batch *batch, *following;

    for (batch = TAILQ_FIRST(&group->again); batch; batch = following) {
        following = TAILQ_NEXT(batch, next);
        batch->count -= take_late(&batch->tickets, late, now);
        if (batch->count == 0) {
            TAILQ_REMOVE(&group->again, batch, next);
            free(batch);
        }
    }
}

/* First moved, then told: who is told may submit, and change every list. */
void group_expire_resting(struct group *group, uint64_t now)
{
    struct group_tickets late = TAILQ_HEAD_INITIALIZER(late);
    struct group_ticket *ticket;

    TAILQ_CONCAT(&late, &group->late, next);
    group->waiting_count -= take_late(&group->waiting, &late, now);
    group_note_waiting(group);
    take_late_again(group, &late, now);
    while ((ticket = TAILQ_FIRST(&late)) != NULL) {
        TAILQ_REMOVE(&late, ticket, next);
        group_settle(ticket, ticket->was_sent ? GROUP_UNKNOWN : GROUP_UNSENT);
    }
}

/* In flight: told now, let go of when the batch is over. */
void group_expire_sent(struct group_batch *batch, uint64_t now)
{
    struct group_ticket *ticket;

    TAILQ_FOREACH (ticket, &batch->tickets, next) {
        if (group_is_late(ticket, now)) {
            ticket->is_settled = true;
            ticket->outcome = GROUP_UNKNOWN;
            ticket->on_settled(ticket);
        }
    }
}
