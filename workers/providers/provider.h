/* workers/providers/provider.h - a payment provider, as the payment worker sees it
 *
 *     payment_call ─► start ┄┄ (network) ┄┄► result ─► on_done
 *
 * One call is one request; nothing is repeated here.  The verdict says what the caller may do:
 *
 *   STATE      the provider told the intent's state (or the refund's): adopt it.  Also the answer
 *              to an act that came too late (`payment_intent_unexpected_state`)
 *   DECLINED   no, and final for this attempt; the intent may be confirmed with another method
 *   TRANSIENT  this call did nothing: the same call with the same key later (retry_after_ms).  It
 *              says nothing about earlier calls under that key, which may even still be running
 *   UNKNOWN    perhaps it happened: look the intent up; it is never a failure (a create moves no
 *              money: repeat it with its key)
 *   BROKEN     our fault (refused parameters, key, set-up): a person looks; never shown as a
 * decline
 *
 * RETRIEVE and REFUNDS are never UNKNOWN, since a read changes nothing.  `fault` is filled for all
 * but STATE and holds no secret and no personal data.  Adopting a STATE, the caller first asks
 * payment_intent_agrees.
 *
 * Amounts are ISO 4217 minor units and currencies upper-case here, in both directions; a provider
 * with other exponents converts on its own side of this interface.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "workers/outside_call.h"

enum { PROVIDER_ID_SIZE = 128, PROVIDER_CODE_SIZE = 48, NEXT_ACTION_SIZE = 2048 };

enum payment_operation {
    PAYMENT_CREATE,   /* order, amount, currency, method, key; is not yet confirmed */
    PAYMENT_CONFIRM,  /* intent, key; method only if it is to be another one */
    PAYMENT_RETRIEVE, /* intent */
    PAYMENT_CANCEL,   /* intent, key: fences the charge off */
    PAYMENT_CAPTURE,  /* intent, amount, currency, key */
    PAYMENT_REFUND,   /* intent, order, refund, amount, currency, key */
    PAYMENT_REFUNDS,  /* intent, refund: is it in the list of the intent's refunds? */
};

enum payment_verdict {
    PAYMENT_STATE,
    PAYMENT_DECLINED,
    PAYMENT_TRANSIENT,
    PAYMENT_UNKNOWN,
    PAYMENT_BROKEN,
};

enum intent_status {
    INTENT_REQUIRES_PAYMENT_METHOD, /* new without a method, or its last attempt was declined */
    INTENT_REQUIRES_CONFIRMATION,
    INTENT_REQUIRES_ACTION,
    INTENT_PROCESSING,
    INTENT_REQUIRES_CAPTURE,
    INTENT_SUCCEEDED,
    INTENT_CANCELED,
};

/* Why a payment was declined, and whether trying again makes sense. */
struct payment_decline {
    char code[PROVIDER_CODE_SIZE]; /* the provider's; "": it was not */
    const char *reason;            /* ours: "insufficient_funds", … (schema/openapi.yaml) */
    bool retry_same_card, try_another_card;
};

struct payment_intent {
    char id[PROVIDER_ID_SIZE]; /* "": the answer held none */
    enum intent_status status;
    int64_t amount, amount_received;
    char currency[4];
    char order[64];                 /* metadata[order_id], or "" */
    struct payment_decline decline; /* of its last attempt */
    /* What the front end needs, while it requires action: a JSON object of ours, or "". */
    char next_action[NEXT_ACTION_SIZE];
    int64_t created; /* seconds since 1970, by the provider's clock */
};

enum refund_status { REFUND_PENDING, REFUND_SUCCEEDED, REFUND_FAILED, REFUND_CANCELED };

struct payment_refund {
    char id[PROVIDER_ID_SIZE];
    enum refund_status status; /* pending includes requires_action */
    int64_t amount;
    char currency[4];
};

struct payment_result {
    enum payment_verdict verdict;
    struct payment_intent intent;   /* STATE; also DECLINED when the answer held it (id not "") */
    struct payment_refund refund;   /* STATE of a refund; of REFUNDS: ours, id "": not there */
    int64_t refunded;               /* STATE of REFUNDS: all of them that did not fail */
    struct payment_decline decline; /* DECLINED: its code is never "" */
    int64_t retry_after_ms;         /* the provider's wish, or -1 */
    struct fault fault;
};

/* The caller owns it and keeps it, and all it points to, until on_done. */
struct payment_call {
    enum payment_operation operation;
    const char *order; /* public id, "ord_…" */
    int64_t amount;
    const char *currency; /* ISO 4217, upper-case */
    const char *method;   /* the customer's payment method token */
    const char *intent;   /* the provider's id */
    const char *refund;   /* ours, unique for ever: it goes along as metadata */
    const char *key;      /* Idempotency-Key: visible ASCII, frozen with the parameters above */
    /* Asked directly before the first byte (see base/http/client.h); false: TRANSIENT, code
     * "call_withheld".  May be NULL. */
    bool (*may_send)(struct payment_call *call);
    void (*on_done)(struct payment_call *call); /* once, never from inside start */

    struct payment_result result; /* valid from on_done on */

    /* The provider's; outside.evidence and .status are valid from on_done on. */
    struct provider *provider;
    struct outside_call outside;
};

enum { PAYMENT_PAGE_MAX = 40 };

/* A page of the provider's own list of intents, newest first: a read. */
struct payment_page {
    int64_t from_s, to_s; /* created within, seconds since 1970 by the provider's clock */
    const char *after;    /* the last intent of the page before, or "" */
    void (*on_done)(struct payment_page *page); /* once, never from inside list */

    /* Valid from on_done on; kind NONE: it was read. */
    struct payment_intent *intents; /* PAYMENT_PAGE_MAX of them, the caller's */
    int count;
    bool has_more;
    struct fault fault;

    struct provider *provider;
    struct outside_call outside;
};

struct provider {
    const char *name; /* "stripe": in the books, the breaker and metrics */
    void (*start)(struct provider *provider, struct payment_call *call);
    void (*list)(struct provider *provider, struct payment_page *page);
    void (*destroy)(struct provider *provider); /* only with no call open */
};

const char *payment_operation_name(enum payment_operation operation); /* "confirm" … */
const char *payment_verdict_name(enum payment_verdict verdict);       /* "declined" … */
const char *intent_status_name(enum intent_status status);            /* as the provider says it */

/* Calls by operation and verdict, and how long they took.  A provider notes each call once. */
void payment_register_metrics(const char *provider);
void payment_note(const struct payment_call *call);

/* False if the intent is about something else than this order, amount and currency; the fault
 * (BROKEN, "integrity_failure") says what differs. */
bool payment_intent_agrees(const struct payment_intent *intent, const char *order, int64_t amount,
                           const char *currency, struct fault *fault)
    __attribute__((warn_unused_result));
