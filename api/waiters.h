/* api/waiters.h - long polls and feeds: who waits for the next version of which order
 *
 * Told by the hints of workers (NOTIFY docket_orders) and, since a hint may be lost, by one
 * question a second for the versions of all orders that somebody waits for.
 */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/pg_params.h"
#include "schema/order_id.h"

struct waiters;

struct waiter {
    struct order_id id;
    int32_t version;   /* the one it has */
    uint64_t until_ms; /* monotonic */
    /* Once: there may be a newer version, or (is_late) there was none in time. */
    void (*on_woken)(struct waiter *waiter, bool is_late);

    /* Private. */
    bool is_counted;
    LIST_ENTRY(waiter) next;
};

struct waiters *waiters_create(uv_loop_t *loop, int count_max);
void waiters_destroy(struct waiters *waiters);
/* False: too many wait. */
bool waiters_add(struct waiters *waiters, struct waiter *waiter)
    __attribute__((warn_unused_result));
/* One whose number is bounded elsewhere. */
void waiters_add_uncounted(struct waiters *waiters, struct waiter *waiter);
void waiters_remove(struct waiters *waiters, struct waiter *waiter);
void waiters_wake_all(struct waiters *waiters);   /* as if it were too late for all of them */
int waiters_count(const struct waiters *waiters); /* those that are counted */

void waiters_register_metrics(void);

/* A hint's payload: uuids between commas. */
void waiters_on_hint(void *owner, const char *payload);
/* A question of the pulse. */
bool waiters_ask(void *owner, struct pg_params *params);
void waiters_on_answer(void *owner, const PGresult *result);
