/* api/receipts.h - answering a POST by what the intake found under its key */
#pragma once

#include "api/api.h"

/* The body of the 202, first or again: with 202 under its key, with 200 to whoever asks otherwise.
 */
void receipt_reply(struct http_request *request, const struct intake_ticket *ticket, int status);
/* Every verdict that is no receipt, and not INTAKE_NOTHING. */
void verdict_reply(struct http_request *request, enum intake_verdict verdict);
/* Too many are waiting: nothing was looked up, nothing stored. */
void shed_reply(struct http_request *request);

/* The Idempotency-Key.  False: the request was answered. */
bool key_read(struct http_request *request, char key[ORDER_KEY_LENGTH_MAX + 1])
    __attribute__((warn_unused_result));
/* Poll-After-Ms, for an order accepted then (the database's date). */
void poll_header(struct http_request *request, int64_t accepted_ms);
/* Monotonic ms: ours, or the client's Request-Timeout-Ms if that is sooner. */
uint64_t deadline_of(const struct http_request *request);
