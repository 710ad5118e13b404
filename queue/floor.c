#include "queue/floor.h"

void floor_reset(struct floor *floor)
{
    *floor = (struct floor){0};
}

static bool has_covered(const struct floor *floor, const struct floor_poll *poll)
{
    return poll->is_exhausted || poll->last_id + 1 >= floor->candidate;
}

/* Of those who may have drawn an id below the candidate. */
static bool nobody_is_left(const struct floor *floor, const struct floor_poll *poll)
{
    return poll->xmin >= floor->candidate_xmax || poll->settled >= floor->candidate_poll;
}

void floor_polled(struct floor *floor, const struct floor_poll *poll)
{
    if (poll->last_id >= floor->next)
        floor->next = poll->last_id + 1;
    if (floor->candidate != 0 && nobody_is_left(floor, poll) && has_covered(floor, poll)) {
        floor->safe =
            floor->candidate < poll->lowest_in_hand ? floor->candidate : poll->lowest_in_hand;
        floor->candidate = 0;
    }
    if (floor->candidate == 0 && floor->next > floor->safe) {
        floor->candidate = floor->next;
        floor->candidate_xmax = poll->xmax;
        floor->candidate_poll = poll->number;
    }
}
