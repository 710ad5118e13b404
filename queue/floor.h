/* queue/floor.h - from which id on the outbox must be read, so that nothing is ever skipped
 *
 * Ids are drawn before their transactions commit, so a row may appear below ids that were read long
 * ago.  Every poll therefore reads from a floor, `safe`, which only moves to where nothing can
 * appear any more (reference: outbox design `dc`):
 *
 *     a poll has read up to id n        candidate = n+1, with the poll snapshot's xmax
 *     a later poll's xmin ≥ that xmax   whoever drew an id below the candidate had an xid by then,
 *                                       hence < xmax, and has ended: this very snapshot sees the
 * row and it read all of [safe, cand)   safe = candidate
 *
 * A stranger's open transaction keeps xmin; then those count who write into the outbox at all:
 *
 *     all who did at that poll, or a    the same (queue/writers.h)
 *     later one, have ended
 *
 * Each topic has a floor of its own: one that rests for long does not hold up the others.
 *
 * While somebody who has written into the outbox stays open `safe` stands still, and the same
 * (mostly deleted) rows are stepped over again: costs rescans, never a stop.  Rows in hand
 * (published, not yet deleted) are left out by the query, so `safe` never passes the lowest of
 * them.
 *
 * Pure.  In memory only: a relay that starts begins at 0.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct floor {
    int64_t safe;            /* read from here */
    int64_t next;            /* one above the highest id read so far */
    int64_t candidate;       /* 0: none */
    uint64_t candidate_xmax; /* no transaction from here on can have drawn an id below it */
    int64_t candidate_poll;
};

/* What one poll saw of the topic. */
struct floor_poll {
    uint64_t xmin, xmax;    /* of its snapshot */
    int64_t number;         /* polls are numbered from 1 */
    int64_t settled;        /* of queue/writers.h when it was sent; 0: nothing is known */
    int64_t last_id;        /* the highest that was read and taken; 0: none */
    bool is_exhausted;      /* it came to the end: the limit did not cut it short */
    int64_t lowest_in_hand; /* after this poll's rows were taken; INT64_MAX: none */
};

void floor_reset(struct floor *floor); /* back to 0: after a new connection, which may be another
                                          server, and now and then as a belt */
void floor_polled(struct floor *floor, const struct floor_poll *poll);
