/* queue/ask.h - any one statement as a ticket of a group: for what is asked too seldom to be a
 * batch of its own kind (operators' reads and acts)
 *
 * Several tickets share a transaction, as everywhere; each is one statement, and its rows come back
 * as a copy.
 */
#pragma once

#include "queue/database.h"
#include "queue/group.h"

struct ask_ticket {
    const struct pg_statement *statement; /* one of the options' */
    struct pg_params params;              /* pg_params_init()ed and filled by the caller */
    void (*on_settled)(struct ask_ticket *ticket);
    void (*on_released)(struct ask_ticket *ticket); /* the memory is the caller's again */
    uint64_t deadline_ms;

    struct group_ticket group_ticket; /* its outcome, fault, constraint */
    PGresult *rows;                   /* COMMITTED: freed after on_released */
};

struct ask_options {
    const char *name; /* of its kill points */
    struct database *database;
    const struct pg_statement *const *statements; /* NULL ends */
    const struct pg_statement *first; /* sent before the tickets' own (a lock); NULL: none */
    bool (*is_answer)(const char *sqlstate, const char *constraint); /* see group_work */
    int waiting_max;
};

struct ask *ask_create(uv_loop_t *loop, const struct ask_options *options);
void ask_destroy(struct ask *ask);
/* False: too many are waiting; it was not taken. */
bool ask_submit(struct ask *ask, struct ask_ticket *ticket) __attribute__((warn_unused_result));
bool ask_is_idle(const struct ask *ask);
