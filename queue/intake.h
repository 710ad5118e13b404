/* queue/intake.h - where an order becomes durable, once, under its key
 *
 *     accept ─► (key in flight here? join its ticket) ─► batch: keys and orders ─┬─► ACCEPTED
 *     look-up ─────────────────► batch: look-up, fence ◄── passed over: its key ─┘
 *                                         └─► verdict      or cart is taken
 *
 * A key belongs to an account.  It is bound when an order, or a tombstone, is committed under it,
 * and never again to anything else; so is a cart.  Every verdict up to INTAKE_NOTHING was committed
 * by a transaction that has an xid: what it says has reached the standby, too.
 *
 * A crash at any point: an order is there whole or not at all, and a client that was not told
 * repeats its key and is given what is there.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>
#include <uv.h>

#include "queue/database.h"
#include "queue/group.h"
#include "schema/order.h"

enum { INTAKE_JOIN_MS = 1000, INTAKE_BATCH_MOST = 1000 };

enum intake_verdict {
    INTAKE_ACCEPTED,      /* an order was made by this ticket */
    INTAKE_REPLAYED,      /* the key has an order of the same content */
    INTAKE_KEY_REUSED,    /* the key has an order of other content */
    INTAKE_KEY_ABANDONED, /* no order can arise from this key */
    INTAKE_CART_REPLAYED, /* the cart has an order of the same content, under another key */
    INTAKE_CART_TAKEN,    /* the cart has an order of other content */
    INTAKE_CART_CLOSED,   /* … or one that was canceled */
    INTAKE_NOTHING,       /* looked up: nothing is under the key, nor the cart */

    INTAKE_IN_FLIGHT, /* the key is being committed by somebody else, for too long */
    INTAKE_UNSENT,    /* past the deadline; surely nothing was stored by this ticket */
    INTAKE_UNKNOWN,   /* past the deadline; it may be stored, or become so yet */
    INTAKE_BROKEN,    /* a fault of ours; surely nothing was stored by this ticket */
};

struct intake_found {
    bool has_key, has_cart;
    bool is_abandoned;
    struct order_id key_order, cart_order;
    uint8_t key_hash[CONTENT_HASH_BYTES], cart_hash[CONTENT_HASH_BYTES];
    int16_t renderer, token_key, status; /* of the key's order, or else the cart's */
};

/* Filled by the caller and kept, with all it points to, until on_released. */
struct intake_ticket {
    int64_t account_id;
    const char *key;
    const char *cart_id;              /* NULL: none */
    bool has_hash;                    /* false: the content could not be read */
    uint8_t hash[CONTENT_HASH_BYTES]; /* of the content */
    const struct order *order;        /* accept: priced, with `total` as the customer expects it */
    const char *trace;                /* accept */
    int16_t token_key;                /* accept */
    uint64_t deadline_ms;             /* monotonic */
    void (*on_settled)(struct intake_ticket *ticket);
    void (*on_released)(struct intake_ticket *ticket); /* the memory is the caller's again */

    enum intake_verdict verdict;
    struct order_id id; /* of the order that the verdict speaks of */
    int16_t renderer, order_token_key;

    /* Private. */
    struct intake *intake;
    struct group_ticket group_ticket;
    struct intake_found found;
    struct order_id made;
    bool is_passed_over; /* accept: its key or cart is taken, and it is looked up by whom */
    bool is_listed;      /* others with the same key join it */
    int follower_count;
    struct intake_ticket *leader; /* that it has joined */
    uint64_t joined_until_ms;
    bool (*submit)(struct intake *intake, struct intake_ticket *ticket);
    TAILQ_ENTRY(intake_ticket) next_follower;
    LIST_ENTRY(intake_ticket) next_listed;
};

struct intake_options {
    struct database *database;
    int waiting_max;
    int batch_max;            /* orders of one transaction; INTAKE_BATCH_MOST at most */
    struct group_watch watch; /* of the batches of new orders */
};

struct intake *intake_create(uv_loop_t *loop, const struct intake_options *options);
void intake_destroy(struct intake *intake);

/* False: too many are waiting, and it was not taken.  True: on_settled comes, then on_released. */
bool intake_accept(struct intake *intake, struct intake_ticket *ticket)
    __attribute__((warn_unused_result));
bool intake_look_up(struct intake *intake, struct intake_ticket *ticket)
    __attribute__((warn_unused_result));
/* KEY_ABANDONED: it is now, or was before.  REPLAYED: it has an order. */
bool intake_abandon(struct intake *intake, struct intake_ticket *ticket)
    __attribute__((warn_unused_result));

bool intake_is_ready(const struct intake *intake);
bool intake_is_idle(const struct intake *intake);
int intake_waiting(const struct intake *intake);
int intake_accepts_waiting(const struct intake *intake); /* new orders alone */
void intake_register_metrics(void);
