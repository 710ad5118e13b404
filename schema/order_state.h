/* schema/order_state.h - the states of an order and its tasks, and the one function that moves them
 *
 * accepted → processing → confirmed → fulfilled
 *              ├→ requires_action ─┬→ processing
 *              ├→ payment_failed ──┘→ canceled
 *              ├→ out_of_stock → canceled
 *              └→ on_hold → processing │ confirmed │ canceled
 * any not shipped → canceling → canceled │ refunded │ fulfilled (the carrier had it already)
 * confirmed → refunding → refunded;  canceling, refunding → on_hold → back, where undoing gave up
 *
 * Pure: no clock, no database, no randomness but what is passed in.  Workers, tests and simulators
 * drive this very object file.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "schema/order_id.h"
#include "schema/retry.h"
#include "schema/stages.h"

/* As stored; never renumbered. */
enum order_status {
    ORDER_ACCEPTED = 1,
    ORDER_PROCESSING = 2,
    ORDER_CONFIRMED = 3, /* paid */
    ORDER_FULFILLED = 4,
    ORDER_REQUIRES_ACTION = 5,
    ORDER_PAYMENT_FAILED = 6,
    ORDER_OUT_OF_STOCK = 7,
    ORDER_ON_HOLD = 8,
    ORDER_CANCELING = 9,
    ORDER_CANCELED = 10,
    ORDER_REFUNDING = 11,
    ORDER_REFUNDED = 12,
};

const char *order_status_name(enum order_status status); /* "accepted", …; "?" if it is none */
bool order_status_is_final(enum order_status status);
bool order_status_is_edge(enum order_status from, enum order_status to);

enum task_state {
    TASK_READY = 1, /* an outbox row, or a confirmed message that is watched, names it */
    TASK_RUNNING = 2,
    TASK_WAITING = 3, /* until due_at */
    TASK_PARKED = 4,
    TASK_DONE = 5,
    TASK_DEAD = 6, /* a dead letter says why */
};

const char *task_state_name(enum task_state state);

enum attempt_state {
    ATTEMPT_NONE = 0,
    ATTEMPT_CREATED = 1,     /* key and parameters frozen; the intent may exist, no money moved */
    ATTEMPT_AUTHORIZING = 2, /* intent stored; a confirm is about to be sent, or was */
    ATTEMPT_CAPTURED = 3,
    ATTEMPT_DECLINED = 4,
    ATTEMPT_REQUIRES_ACTION = 5,
    ATTEMPT_UNKNOWN = 6,
    ATTEMPT_VOIDED = 7,
    ATTEMPT_INTEGRITY_FAILURE = 8,
};

/* One row of `refund`.  Open ones are all but the last two. */
enum refund_state {
    REFUND_NONE = 0,
    REFUND_OPENED = 1,   /* key and parameters frozen; nothing was sent */
    REFUND_SENT = 2,     /* it is about to be sent, or was */
    REFUND_ACCEPTED = 3, /* the provider has it, and has not yet ended it */
    REFUND_UNKNOWN = 4,  /* only the provider's list says whether it was made */
    REFUND_MADE = 5,
    REFUND_REFUSED = 6, /* the provider ended it without giving the money back */
};

/* Why an order is undone; as stored. */
enum undo { UNDO_NONE = 0, UNDO_CANCEL = 1, UNDO_UNDELIVERABLE = 2 };
/* What an operator knows of an attempt that no look-up can settle; as stored. */
enum resolution {
    RESOLUTION_NONE = 0,
    RESOLUTION_CAPTURED = 1,
    RESOLUTION_DECLINED = 2,
    RESOLUTION_CANCELED = 3,
};

const char *attempt_state_name(enum attempt_state state); /* "created", …; "?" if it is none */

enum { INTENT_ID_SIZE = 128 };

/* An order that looks like an earlier one of the same customer (queue/twins.h). */
enum order_duplicate { DUPLICATE_NONE = 0, DUPLICATE_FLAGGED = 1, DUPLICATE_RELEASED = 2 };

/* What the books say of an order when one of its tasks has been claimed. */
struct order_facts {
    struct order_id id;
    int32_t version;
    enum order_status status;
    int64_t total;

    enum stage stage;
    int32_t attempt; /* failed ones before */
    int32_t doubted; /* the last so many of them, of which nobody knows whose failure they were */
    int32_t crashes;
    int32_t claims; /* this one included */

    int16_t attempt_number; /* of the payment; 0: none was opened */
    enum attempt_state attempt_state;
    char intent_id[INTENT_ID_SIZE];
    int16_t confirms;
    int64_t since_sent_ms;    /* since the last confirm was about to be sent; -1: none was */
    int64_t since_opened_ms;  /* since the attempt was opened; -1: none is */
    int64_t since_unknown_ms; /* since its outcome is unknown, however often it was confirmed; -1 */
    enum order_duplicate duplicate;
    int64_t since_ended_ms; /* since it was declined or voided; -1: it is not */
    enum resolution resolution;
    bool is_given_up; /* the customer wants to pay otherwise instead of what he was asked to do */
    bool is_fenced;   /* it is over at the provider too: no money can move by it any more */
    int64_t held;     /* pieces reserved and not returned */
    bool is_shipped;
    bool is_unknown; /* the task's last fault left open what had happened */
    bool has_letter; /* a dead letter of the task is open, or being replayed */

    enum undo undo;
    int64_t since_undo_ms; /* since it was asked for; -1: it was not */
    int64_t captured, refunded;
    int16_t refunds;       /* rows there are */
    int16_t refund_number; /* the oldest open one; 0: none is */
    int16_t refunds_open;
    enum refund_state refund_state;
    int64_t refund_amount;
    int16_t refund_keys;          /* its key ends in this number */
    int64_t since_refund_sent_ms; /* -1: it was not */
    bool is_cancel_open; /* the cancel's own step has not ended: whether it is shipped is not known
                          */
};

/* What was learnt. */
enum verdict {
    VERDICT_RESERVED, /* the stock is held: the attempt may be opened */
    VERDICT_OUT_OF_STOCK,
    VERDICT_DUPLICATE,     /* it looks like another one and is to be held: an operator decides */
    VERDICT_INTENT_STORED, /* the intent exists: a confirm is about to be sent */
    VERDICT_PAID,
    VERDICT_DECLINED,
    VERDICT_REQUIRES_ACTION, /* the customer has to do something at the provider */
    VERDICT_PAYMENT_UNKNOWN, /* only the provider's evidence settles it */
    VERDICT_PAYMENT_OPEN,    /* looked up: not acted on, too early to confirm again */
    VERDICT_VOIDED,          /* canceled at the provider: no money can move any more */
    VERDICT_INTEGRITY,       /* the provider's amount, currency or order is not ours */
    VERDICT_SHIPPED,
    VERDICT_STEP_DONE, /* nothing but this: on to the next stage */
    VERDICT_SHIPMENT_UNKNOWN,
    VERDICT_UNSHIPPED,       /* looked up for a cancel: the carrier has nothing of it */
    VERDICT_REFUND_OWED,     /* no refund is open, and not all is given back */
    VERDICT_REFUND_SENDING,  /* looked up, not there: it is about to be sent */
    VERDICT_REFUND_OPEN,     /* looked up, not there: too early to send it again */
    VERDICT_REFUND_ACCEPTED, /* the provider has it and works on it */
    VERDICT_REFUND_MADE,
    VERDICT_REFUND_REFUSED, /* the provider has ended it without giving the money back */
    VERDICT_REFUND_UNKNOWN,
    VERDICT_FAILED,      /* see fault: retry or give up, by its kind */
    VERDICT_INTERRUPTED, /* SIGTERM cut it short before anything was sent: does not count */
    VERDICT_HELD,        /* nothing was called: the outside is held back (queue/breaker.h) */
    VERDICT_NOTHING,     /* there is nothing left to do: the task is done */
};

/* A declined payment, in our words: schema/openapi.yaml lists the reasons. */
struct decline {
    const char *code;                       /* the provider's own */
    const char *reason;                     /* "insufficient_funds", … */
    bool retry_same_card, try_another_card; /* whether it makes sense */
};

struct order_lesson {
    enum verdict verdict;
    int16_t attempt_number;     /* of the payment, when it was learnt */
    enum resolution resolution; /* … */
    bool is_given_up;           /* … */
    struct fault fault;         /* of FAILED, *_UNKNOWN, INTEGRITY, HELD */
    int64_t retry_after_ms;     /* the outside's wish; -1: none */
    bool is_interrupted; /* *_UNKNOWN: SIGTERM cut it short: does not count, and goes on at once */
    bool is_answered;    /* REFUND_UNKNOWN: by a failure that is stored under the call's key */
    bool is_doubtful; /* FAILED, *_UNKNOWN: nothing else was called to tell whose failure it was */
    bool is_outage; /* FAILED, *_UNKNOWN: not the task's own failure: does not count, and is parked
                     */
    const char *intent_id;         /* the provider's, where it was told */
    const struct decline *decline; /* DECLINED */
    const char *next_action; /* REQUIRES_ACTION: JSON for the front end; NULL: none was told */
    const char *carrier_id, *tracking; /* SHIPPED */
    const char *refund_id;             /* the provider's, where it was told */
};

struct order_policy {
    struct retry_policy retry;
    int64_t customer_wait_ms;    /* how long requires_action and payment_failed stay open */
    int64_t unknown_sla_ms;      /* past it an unknown payment is on hold, while look-ups go on */
    int64_t longest_call_ms;     /* the provider's */
    int64_t duplicate_window_ms; /* in which orders that look alike are found; 0: they are not */
    bool holds_duplicates;       /* … and held before payment */
    int32_t crashes_max;         /* as many claims whose worker died make a dead letter */
};

enum stock_move { STOCK_KEPT, STOCK_RETURNED, STOCK_SHIPPED };

/* What is written, all of it or nothing.  Texts point into the facts, the lesson or static memory.
 */
struct order_change {
    enum order_status status;
    bool is_final;
    const char *reason; /* of a status that waits, "" otherwise; NULL: as it is */
    const char *event;  /* of the timeline */
    enum task_state task_state;
    int32_t task_attempt, task_doubted;
    int64_t due_ms;         /* from now, of a waiting task */
    enum stage next;        /* made ready in the same transaction; STAGE_NONE: none */
    int16_t attempt_number; /* the payment attempt that is written; 0: none */
    enum attempt_state attempt_state;
    const char *intent_id;
    int16_t confirms;
    bool is_sending;               /* sent_at becomes now */
    const struct decline *decline; /* NULL: as it is */
    const char *next_action;       /* NULL: none */
    bool is_captured, is_fenced;
    bool writes_shipment;
    const char *carrier_id, *tracking;
    enum stock_move stock;
    bool is_dead;
    const struct fault *fault; /* NULL: the task's last fault is cleared */
    bool keeps_running;        /* the same worker goes on with it */
    enum undo undo;            /* is written with the order; UNDO_NONE: as it is */
    bool closes;               /* every other task of the order is done, dead ones too */
    int16_t refund_number;     /* the refund that is written; 0: none */
    int64_t refund_amount;     /* of a new one; 0: it is there */
    enum refund_state refund_state;
    int16_t refund_keys;
    bool is_refund_sending; /* its sent_at becomes now */
    const char *refund_id;
    bool is_halfway; /* a step on the way: once it is committed, the same lesson is decided again */
};

/* Never fails: what makes no sense in these facts becomes a dead letter that says so.
 * random: uniform over 0..UINT32_MAX, for the jitter. */
void order_decide(const struct order_facts *facts, const struct order_lesson *lesson,
                  const struct order_policy *policy, uint32_t random, struct order_change *change);

/* Whatever the provider is found to say next, is the intent to be canceled?  The customer's or our
 * own time is over, or he has given it up, or the attempt is over: then a cancel decides, at the
 * provider, what is true. */
bool order_must_fence(const struct order_facts *facts, const struct order_policy *policy);

/* Is this its very first claim, so that its stock may be held and its first payment opened in the
 * same transaction?  Of later ones something became before; what to do is for the step to say. */
bool order_is_new(const struct order_facts *facts, const struct order_policy *policy);

/* Is it to be compared with other orders, which is once, before anything is asked for? */
bool order_must_compare(const struct order_facts *facts, const struct order_policy *policy);

/* Is it to be held as a possible duplicate?  Only while no money was asked for. */
bool order_must_hold(const struct order_facts *facts, const struct order_policy *policy);

/* Is all that is left to be given back?  Not of an order that may be shipped yet. */
bool order_owes_rest(const struct order_facts *facts);

/* May another attempt to pay be opened?  Only once the last one is surely over, at the provider
 * too. */
enum pay_again {
    PAY_AGAIN_OPENS,
    PAY_AGAIN_IN_PROGRESS, /* not yet: the last one is not over, or not surely */
    PAY_AGAIN_GIVES_UP,    /* not yet: the last one waits for the customer, who wants another */
    PAY_AGAIN_CLOSED,      /* never: the order is paid, or has ended, or is about to */
    PAY_AGAIN_EXHAUSTED,   /* never: attempts_max were made */
};
enum pay_again order_pay_again(const struct order_facts *facts, int64_t attempts_max);

/* What an operator has said of an attempt that is still open: learnt instead of a look-up.  False:
 * nothing. */
bool order_resolved(const struct order_facts *facts, struct order_lesson *lesson);

/* What was learnt is about the payment attempt that these facts, read later, are about, and no
 * operator has settled it, nor its customer given it up, nor somebody else found out what became of
 * a call that stayed without an answer, meanwhile. */
bool order_lesson_holds(const struct order_facts *facts, const struct order_lesson *lesson);

/* The facts as they stand once the change is committed, for a task that keeps running. */
void order_apply(struct order_facts *facts, const struct order_change *change);
