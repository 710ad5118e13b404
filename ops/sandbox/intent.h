/* ops/sandbox/intent.h - one PaymentIntent and its refunds: Stripe's status machine, and no I/O
 *
 *     requires_payment_method ◄───────────────── declined ────────────────┐
 *            │ payment_method                                             │
 *     requires_confirmation ──confirm──┬──► requires_action ──finish──┐   │
 *                                      ├──► processing ───────finish──┼───┤
 *                                      └──────────────────────────────┼───┘
 *                              ┌── automatic ── succeeded ◄───────────┤
 *                              └── capture ◄─── requires_capture ◄────┘ manual
 *     canceled: from every state but succeeded, processing and canceled
 *
 * Each step either happens (true) or is refused as Stripe refuses it; a declined confirm is both: a
 * refusal (402) that has changed the intent.  An intent succeeds at most once; money is counted in
 * `received` and `refunded`, so the caller sees an effect by comparing before and after.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/text.h"
#include "ops/sandbox/cards.h"
#include "ops/sandbox/table.h"

enum { INTENT_AMOUNT_MAX = 99999999, INTENT_ID_SIZE = 32, INTENT_METHOD_SIZE = 80 };

enum intent_status {
    INTENT_REQUIRES_PAYMENT_METHOD,
    INTENT_REQUIRES_CONFIRMATION,
    INTENT_REQUIRES_ACTION,
    INTENT_PROCESSING,
    INTENT_REQUIRES_CAPTURE,
    INTENT_SUCCEEDED,
    INTENT_CANCELED,
};

struct refund {
    struct table_item by_id;
    TAILQ_ENTRY(refund) newest_first;
    struct intent *intent;
    char id[INTENT_ID_SIZE], reason[32];
    int64_t amount, created_s;
    char *metadata; /* a JSON object */
};

struct intent {
    struct table_item by_id, by_charge;
    TAILQ_ENTRY(intent) newest_first;
    TAILQ_HEAD(, refund) refunds;
    enum intent_status status;
    bool manual; /* capture_method */
    char id[INTENT_ID_SIZE], charge[INTENT_ID_SIZE], currency[4];
    char method[INTENT_METHOD_SIZE]; /* "": none attached */
    char cancellation_reason[32];
    int64_t amount, capturable, received, refunded; /* minor units */
    int64_t created_s, canceled_s;                  /* canceled_s 0: not */
    char *order;                                    /* metadata[order_id], or "" */
    char *metadata;                                 /* a JSON object */
    const struct decline *failure;                  /* last_payment_error, or NULL */
};

struct refusal {
    int status;                      /* HTTP */
    const char *type, *code, *param; /* code and param NULL: none */
    const struct decline *decline;   /* of a card_error */
    bool embeds_intent;
    char message[300];
};

struct confirmation {
    const char *method;            /* NULL: the one attached */
    const struct decline *decline; /* declined whatever the card says; NULL: the card decides */
    bool refuse_action;            /* error_on_requires_action, off_session */
};

const char *intent_status_name(enum intent_status status);

/* order and metadata are copied; method "" or a known token. */
struct intent *intent_create(int64_t amount, const char *currency, const char *method,
                             const char *order, const char *metadata);
void intent_destroy(struct intent *intent); /* and its refunds */

bool intent_confirm(struct intent *intent, const struct confirmation *how, struct refusal *refusal);
/* What the customer or the bank decides about requires_action and processing. */
bool intent_finish_action(struct intent *intent, bool agreed, struct refusal *refusal);
bool intent_capture(struct intent *intent, int64_t amount, struct refusal *refusal); /* -1: all */
bool intent_cancel(struct intent *intent, const char *reason, struct refusal *refusal);
/* amount -1: what is left.  NULL: refused. */
struct refund *intent_refund(struct intent *intent, int64_t amount, const char *reason,
                             const char *metadata, struct refusal *refusal);

void intent_render(const struct intent *intent, struct text *json);
void refund_render(const struct refund *refund, struct text *json);
/* {"error":{…}}; the intent is embedded where the refusal says so. */
void refusal_render(const struct refusal *refusal, const struct intent *intent, struct text *json);

/* From what intent_render wrote; NULL: it is none. */
struct intent *intent_restore(const json_t *json);
void intent_update(struct intent *intent, const json_t *json);
struct refund *refund_restore(struct intent *intent, const json_t *json);

/* prefix and 24 random letters and digits. */
void make_id(char id[INTENT_ID_SIZE], const char *prefix);
