/* ops/sandbox/ledger.h - what really happened, in a file, before anybody is told
 *
 * One JSON line a fact, appended to FILE and synced before the answer that tells of it goes out:
 *
 *     {"seq","at","kind","order","intent","key","amount","currency",…,"state":{…}}
 *
 * kind is intent, charge, cancel, refund or shipment: an act with an effect.  kind "state" is no
 * fact: only what has to be known again after a restart (a decline, a kept answer), never shown.
 * `state` holds whole objects; replaying the lines in their order rebuilds the side's memory.
 *
 * Lines that arrive while one sync is under way wait together for the next one (one write, one
 * fdatasync on the thread pool), so thousands of calls cost a handful of syncs.  A crash leaves at
 * most a torn last line, which nobody was told of and which the next start cuts off.  A ledger that
 * cannot be written ends the process: a witness that forgets is worse than none.
 *
 * Without a directory all is kept in memory, and everything is durable at once.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/fault.h"
#include "base/text.h"

struct ledger;

struct ledger_fact {
    const char *kind;
    const char *order, *intent, *key, *currency;        /* NULL reads "" */
    int64_t amount;                                     /* minor units */
    const char *charge, *refund, *shipment, *reference; /* NULL: left out */
};

struct ledger_wait {
    TAILQ_ENTRY(ledger_wait) link;
    void (*on_durable)(struct ledger_wait *wait);
};

/* Restores from the file, giving each line's state to `restore`.  directory "": in memory.
 * sequence, shared by all ledgers of the process, is raised above every line that was read. */
struct ledger *ledger_open(uv_loop_t *loop, const char *directory, const char *name,
                           uint64_t *sequence, struct fault *fault)
    __attribute__((warn_unused_result));
bool ledger_restore(struct ledger *ledger, void (*restore)(void *owner, const json_t *state),
                    void *owner, struct fault *fault) __attribute__((warn_unused_result));
void ledger_close(struct ledger *ledger); /* with nobody waiting */

/* Appends; nothing is durable before a wait for it is over.  state: members of a JSON object. */
void ledger_record(struct ledger *ledger, const struct ledger_fact *fact, const char *state);
void ledger_record_state(struct ledger *ledger, const char *state);
/* False: everything recorded so far is durable, and on_durable will not be called.  True: it will
 * be, from a later loop turn. */
bool ledger_wait(struct ledger *ledger, struct ledger_wait *wait)
    __attribute__((warn_unused_result));

/* The facts, oldest first. */
size_t ledger_count(const struct ledger *ledger);
uint64_t ledger_sequence(const struct ledger *ledger, size_t index);
/* The line with its line end, or NULL if it is not about `order` (NULL: any). */
const char *ledger_line(const struct ledger *ledger, size_t index, const char *order);
