/* ops/sandbox/exchange.h - one call on its way: trouble, key, act, ledger, answer
 *
 *                    ┌─ reset, hang ──────────────────────────────────┐
 *     begin ─► trouble ─► key ─► (delay) ─► act ─► keep ─► durable ─► answer ─► over
 *                    └429 └── replayed, refused ───────────┘           └ torn, dripped, hung …
 *
 * Nothing is answered before all that was recorded up to then is durable: also a retrieve never
 * tells of a state that a crash could take back.  A call whose caller has left goes on; a real
 * provider does not stop either.
 *
 * Provider and carrier are the two sides; each has its own ledger, keys and wording.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/http/server.h"
#include "base/text.h"
#include "ops/sandbox/idempotency.h"
#include "ops/sandbox/ledger.h"
#include "ops/sandbox/rules.h"

struct exchange;

/* What the machinery itself refuses, whatever the side. */
enum exchange_refusal {
    REFUSAL_RATE_LIMIT,
    REFUSAL_UNAVAILABLE,
    REFUSAL_INTERNAL,
    REFUSAL_KEY_IN_USE,
    REFUSAL_KEY_REUSED,
    REFUSAL_KEY_TOO_LONG,
};

struct side {
    struct ledger *ledger;
    struct idempotency keys;
    int (*word)(enum exchange_refusal refusal, struct text *body); /* returns the status */
};

/* All calls of the process. */
struct exchanges {
    uv_loop_t *loop;
    struct rules *rules;
    TAILQ_HEAD(, exchange) timed; /* waiting for a timer, or for the caller to leave */
    bool closing;
    int open, open_most;
    int64_t begun[OP_COUNT];
};

struct exchange {
    struct http_request *request;
    struct side *side;
    enum op op;
    const char *order, *method; /* for the rules; "" unknown */
    const char *parameters;     /* canonical: what the key is bound to */
    void *subject;              /* what `act` works on, in the request's arena */
    /* Sets status, body and executed; records what it did.  Must not reply. */
    void (*act)(struct exchange *exchange);

    int status;
    struct text body;
    bool executed; /* false: the parameters were refused, the key stays free */

    /* Private. */
    struct exchanges *all;
    TAILQ_ENTRY(exchange) link;
    bool is_timed;
    const char *key;                 /* "" none */
    struct idempotency_entry *entry; /* begun by this call and not settled yet, or NULL */
    bool replayed;
    int64_t retry_after_s; /* 0: none */
    struct trouble trouble;
    struct ledger_wait wait;
    uv_timer_t timer;
    void (*on_time)(struct exchange *exchange);
    size_t dripped; /* bytes */
};

void exchanges_init(struct exchanges *exchanges, uv_loop_t *loop, struct rules *rules);
/* Ends what only waits, without acting; what follows is not made to wait. */
void exchanges_close(struct exchanges *exchanges);

/* A blank exchange for the caller to fill down to `act`, then to begin. */
struct exchange *exchange_create(struct exchanges *exchanges, struct http_request *request);
void exchange_begin(struct exchange *exchange);

/* The trouble of this call, for an act that has to know (decline), or NULL. */
const char *exchange_decline(const struct exchange *exchange);
bool exchange_misstates_amount(const struct exchange *exchange);
const char *exchange_key(const struct exchange *exchange);
