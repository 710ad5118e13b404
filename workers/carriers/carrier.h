/* workers/carriers/carrier.h - a carrier, as the fulfilment worker sees it
 *
 *     carrier_call ─► start ┄┄ (network) ┄┄► result ─► on_done
 *
 * One call is one request; nothing is repeated here.  What makes a shipment safe is its reference:
 * the carrier keeps it unique for ever, so that asking again with the same reference and content
 * finds the shipment that exists.  The verdict says what the caller may do:
 *
 *   SHIPPED    the shipment exists under our reference (now, or already)
 *   NONE       (look-up) there is none under it at this moment; a request still on its way may yet
 *              make one
 *   REFUSED    no, and no again: this order cannot be shipped as it is
 *   TRANSIENT  this call did nothing: the same call later (retry_after_ms)
 *   UNKNOWN    perhaps it happened: look the reference up, or ask again with the same reference
 *   BROKEN     our fault (set-up, refused parameters, another content or two shipments under the
 *              reference): a person looks
 *
 * A look-up is never UNKNOWN, since a read changes nothing.  `fault` is filled for all but SHIPPED
 * and NONE and holds no secret and no personal data.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "workers/outside_call.h"

enum { CARRIER_ID_SIZE = 128 };

enum carrier_operation { CARRIER_SHIP, CARRIER_LOOK_UP };

enum carrier_verdict {
    CARRIER_SHIPPED,
    CARRIER_NONE,
    CARRIER_REFUSED,
    CARRIER_TRANSIENT,
    CARRIER_UNKNOWN,
    CARRIER_BROKEN,
};

struct carrier_line {
    const char *sku;
    int64_t quantity;
};

struct carrier_result {
    enum carrier_verdict verdict;
    char shipment[CARRIER_ID_SIZE], tracking[CARRIER_ID_SIZE]; /* SHIPPED; tracking may be "" */
    int64_t retry_after_ms;                                    /* the carrier's wish, or -1 */
    struct fault fault;
};

/* The caller owns it and keeps it, and all it points to, until on_done. */
struct carrier_call {
    enum carrier_operation operation;
    const char *reference; /* ours, unique for ever; all that a look-up needs */
    const char *order;     /* public id, "ord_…" */
    const char *key;       /* Idempotency-Key: visible ASCII */
    const char *method;    /* of shipping */
    const char *name;      /* who receives it */
    const char *address;   /* a JSON object, as the order holds it */
    const struct carrier_line *lines;
    size_t line_count;
    /* Asked directly before the first byte (see base/http/client.h); false: TRANSIENT, code
     * "call_withheld".  May be NULL. */
    bool (*may_send)(struct carrier_call *call);
    void (*on_done)(struct carrier_call *call); /* once, never from inside start */

    struct carrier_result result; /* valid from on_done on */

    /* The carrier's; outside.evidence and .status are valid from on_done on. */
    struct carrier *carrier;
    struct outside_call outside;
};

struct carrier {
    const char *name; /* in the books, the breaker and metrics */
    void (*start)(struct carrier *carrier, struct carrier_call *call);
    void (*destroy)(struct carrier *carrier); /* only with no call open */
};

const char *carrier_operation_name(enum carrier_operation operation); /* "ship", "look_up" */
const char *carrier_verdict_name(enum carrier_verdict verdict);       /* "shipped" … */

/* Calls by operation and verdict, and how long they took.  A carrier notes each call once. */
void carrier_register_metrics(const char *carrier);
void carrier_note(const struct carrier_call *call);
