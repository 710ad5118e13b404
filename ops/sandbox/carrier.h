/* ops/sandbox/carrier.h - the carrier: takes shipments, each reference once for ever
 *
 *     POST /shipments {"reference","order","lines":[{"sku","quantity"}],"method","address","name"}
 *       201  taken                      200  taken before, with the same content
 *       409  reference_conflict: taken before with another content
 *       422  {"error":{"code","message","permanent":true}}: refused for good, as every address that
 *            contains the word UNDELIVERABLE is
 *     GET /shipments?reference=R   {"data":[…]}      GET /shipments/{id}
 *
 * Idempotency-Key works as the provider's does; the reference outlives every key.  Set
 * reference_unaware, the reference is only noted, and a second call ships again.
 */
#pragma once

#include "ops/sandbox/exchange.h"

struct carrier {
    struct side side;
    struct exchanges *exchanges;
    struct table by_id, by_reference;
    TAILQ_HEAD(, shipment) shipments;
    bool reference_unaware;
};

bool carrier_open(struct carrier *carrier, struct exchanges *exchanges, struct ledger *ledger,
                  struct fault *fault) __attribute__((warn_unused_result));
void carrier_close(struct carrier *carrier);

void carrier_on_ship(struct http_request *request);
void carrier_on_look_up(struct http_request *request);
void carrier_on_retrieve(struct http_request *request);
