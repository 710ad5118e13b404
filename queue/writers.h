/* queue/writers.h - whether all who may have drawn an id of the outbox have ended
 *
 * Who writes into a table holds a lock on it from before its first row until it ends (PostgreSQL
 * 15, 13.3.1; ROW EXCLUSIVE).  So a list of who holds it tells more than the oldest transaction
 * that is open, which may be a stranger's:
 *
 *     poll m: snapshot, then the list       marked = the list.  Whoever drew an id that this
 * snapshot shows, or a lower one, has ended by now or is on it poll q: snapshot, then the list
 * marked = those of them that are on this one, too … none is left                        settled =
 * m: the snapshots of all polls after q see what they have written
 *
 * Not the snapshot of q itself: it is older than q's list.
 *
 * Pure, for queue/floor.h.
 */
#pragma once

#include <stdint.h>

struct writers {
    char *marked; /* ",3/15,7/88,"; NULL: nobody is */
    int64_t marked_poll;
    int64_t settled; /* for polls that are sent from now on */
};

void writers_reset(struct writers *writers); /* after a new connection; also frees */
/* The list of a poll, "3/15,7/88" or empty, as its statement read it; polls are numbered upwards.
 */
void writers_listed(struct writers *writers, int64_t poll, const char *list);
