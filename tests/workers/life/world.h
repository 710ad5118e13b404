/* tests/workers/life/world.h - a whole shop in memory: books, workers, provider, carrier
 *
 * Here the very steps and the very order_decide() of docket-worker live a life of many lives: the
 * workers' job_… functions are the world's, and so are the books, the clock and the outside.  What
 * happens next is an op; an op that fits nothing does nothing, so any piece of a sequence is a
 * sequence too, and one that breaks a promise can be cut down to what it takes.
 *
 * The books follow claim.sql, claim_facts.sql and outcome.sql, and the provider ops/sandbox.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    WORLD_ORDERS = 2,
    WORLD_LONGEST_CALL_MS = 80000,
    WORLD_SLA_MS = 900000,
    WORLD_WAIT_MS = 1800000,
    WORLD_KEYS_MS = 24 * 3600 * 1000,
};

enum op_kind {
    OP_CLAIM,      /* a message comes to a worker: task `which`; `how`: its first claim begins it */
    OP_TAKE_OVER,  /* … while its holder is frozen, or gone */
    OP_DELIVER,    /* a call reaches the outside, which does `how` (enum behaviour) */
    OP_ANSWER,     /* its answer reaches the worker */
    OP_LOSE,       /* the worker's patience is over; the call may still arrive */
    OP_CRASH,      /* a worker dies; its call may still arrive */
    OP_STOP,       /* SIGTERM, while a call is open */
    OP_PASS,       /* time goes by: `how` chooses how much */
    OP_DUE,        /* the relay makes ready what is due */
    OP_CUSTOMER,   /* does what 3-D Secure asked for, or fails in it; the bank decides */
    OP_SMOOTH,     /* the steps of order `which` go well, one after the other, `how` many */
    OP_REPLAY,     /* an operator replays a dead letter */
    OP_LOSE_WRITE, /* the next commit is made, and its worker is not told */
    OP_PAY_AGAIN,  /* the customer pays otherwise: at once, or just before the next commit */
    OP_RESOLVE,    /* an operator knows what became of a payment that nobody else does */
    OP_CANCEL,     /* the customer or the shop takes an order back */
    OP_REFUND,     /* an operator gives some of its money back, or all */
    OP_EVENT,      /* the provider tells of intent `which`: what is so, was, or never happened */
    OP_HEAR,       /* the relay looks at the events that are kept */
    OP_ALIKE,      /* the orders look like one another from now on */
    OP_RELEASE,    /* an operator lets one go on that was held for that */
    OP_OUTAGE,     /* the breaker opens, or closes and lets out */
    OP_KINDS
};

enum behaviour {
    DOES_IT,
    DECLINES,    /* or the carrier refuses */
    ASKS,        /* for 3-D Secure */
    DOES_IT_500, /* and keeps 500 under the key */
    FAILS_500,   /* does not do it, and keeps 500 under the key */
    IS_BUSY,     /* 429: nothing was done or kept */
    MISSTATES,   /* another amount */
    LINGERS,     /* the bank takes its time: `processing`, which nothing can cancel */
    BEHAVIOURS
};

struct op {
    uint8_t kind, which;
    uint16_t how;
};

void world_begin(void);
void world_do(const struct op *op);
/* NULL, or which promise was broken first. */
const char *world_wrong(void);
/* All that is open arrives, everything answers well, and time goes by until nothing moves any more;
 * then each order must have come to an end, or be with an operator. */
void world_settle(void);
void world_end(void);
/* What a sequence has come by, for the test that its ops are not idle. */
enum world_sight {
    SAW_PAID,
    SAW_DECLINED,
    SAW_UNKNOWN,
    SAW_SHIPPED,
    SAW_CANCELED,
    SAW_CANCEL_ASKED,
    SAW_REFUND_ASKED,
    SAW_REFUNDED,
    SAW_REFUND_UNKNOWN,
    SAW_REFUND_REFUSED,
    SAW_SHIPPED_BEFORE_CANCEL, /* the carrier had it */
    SAW_DEAD,
    SAW_OVERTAKEN,
    SAW_PARKED,
    SAW_LATE_ARRIVAL, /* a call was done after its worker had stopped waiting for it */
    SAW_NEXT_KEY,     /* one intent was confirmed under a second key */
    SAW_KEY_EXPIRED,
    SAW_LINGERING,    /* an intent that the bank had not decided when it was looked at */
    SAW_RESOLVED,     /* a payment was settled by an operator */
    SAW_PAY_AGAIN,    /* a further attempt was opened */
    SAW_STALE_LESSON, /* … while a worker was about to write of the one before */
    SAW_GIVEN_UP,     /* a payment that waited for the customer, who wants to pay otherwise */
    SAW_WOKEN,        /* by an event, long before it was due */
    SAW_EVENT_LATE,   /* the books said so already */
    SAW_EVENT_KEPT,   /* its task was in a worker's hands */
    SAW_STRANGER,     /* an event of an intent that the books do not know (yet) */
    SAW_BEGUN,        /* by its first claim */
    SAW_TWIN_HELD,
    SAW_TWIN_RELEASED,
    WORLD_SIGHTS
};
extern uint64_t world_sights[WORLD_SIGHTS];
extern const char *const world_sight_names[WORLD_SIGHTS];
