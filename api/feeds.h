/* api/feeds.h - who follows which order: one read and one rendering for all streams of an order
 *
 *     feeds_follow ─► (read) ─► on_look ─┬─ it leaves (not its order, too many, already known)
 *                                        └─ follows ─► on_event … ─► on_over
 *                       ▲                                  │
 *                       └── a hint, or the second's question: there is a newer version
 *
 * A follower is given the newest version first, then each later one once, in order, none skipped;
 * one that names the version it has is given those after it (the newest PASSED_MAX at most).
 * While Postgres is away it is given nothing, and afterwards what it has missed.
 */
#pragma once

#include <sys/queue.h>

#include "api/reader.h"
#include "api/waiters.h"

enum { FOLLOWERS_OF_ONE_ORDER_MAX = 32, FOLLOWER_HAS_NOTHING = -1 };

struct feeds;
struct feed;

struct follower {
    struct order_id id;
    int32_t version; /* the newest it has, or FOLLOWER_HAS_NOTHING */
    /* The first look for it: false: it is not to follow, and was left out (feeds_leave was not
     * called, and must not be). */
    bool (*on_look)(struct follower *follower, const struct reading *reading);
    /* False: it is to be left out, as after on_over. */
    bool (*on_event)(struct follower *follower, const struct text *event);
    void (*on_over)(struct follower *follower); /* the order is final, or this process ends */

    /* Private. */
    struct feed *feed;
    bool is_asked; /* the read under way is for it, too */
    bool follows;
    LIST_ENTRY(follower) next;
};

enum feeds_answer { FEEDS_TAKEN, FEEDS_ORDER_FULL, FEEDS_BUSY };

struct feeds_options {
    struct reader *reader;
    struct waiters *waiters;
    int64_t deadline_ms; /* of one read */
};

struct feeds *feeds_create(const struct feeds_options *options);
void feeds_destroy(struct feeds *feeds); /* nobody follows any more */
enum feeds_answer feeds_follow(struct feeds *feeds, struct follower *follower)
    __attribute__((warn_unused_result));
void feeds_leave(struct follower *follower);
/* All that follow are told that it is over, and those that still come once they were given the
 * newest version. */
void feeds_stop(struct feeds *feeds);
