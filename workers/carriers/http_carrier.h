/* workers/carriers/http_carrier.h - a carrier that speaks JSON over HTTP
 *
 *     POST /shipments {"reference","order","lines":[{"sku","quantity"}],"method","address","name"}
 *       201 made │ 200 the same reference and content: the shipment that exists │ 409
 *       reference_conflict │ 422 with "permanent"
 *     GET /shipments?reference=R → {"data":[…]}
 *
 * What an answer means is one pure function, http_carrier_read_answer.
 */
#pragma once

#include <stddef.h>

#include "workers/carriers/carrier.h"

#define HTTP_CARRIER_NAME "carrier" /* in the books and in metrics */

struct http_carrier_options {
    const char *base_url;
    const char *key; /* sent as Bearer token */
    uint64_t connect_ms, total_ms;
};

/* The client outlives it. */
struct carrier *http_carrier_create(struct http_client *client,
                                    const struct http_carrier_options *options);

/* --- pure parts ------------------------------------------------------------------------------ */

struct http_carrier_answer {
    enum carrier_operation operation;
    const char *reference; /* that was asked about */
    int status;
    const char *body;
    size_t length;
};

/* Fills all of the result but retry_after_ms. */
void http_carrier_read_answer(const struct http_carrier_answer *answer,
                              struct carrier_result *result);

/* The path below the base URL, and the JSON body (empty for a look-up), of a call. */
void http_carrier_add_path(struct text *text, const struct carrier_call *call);
bool http_carrier_add_body(struct text *text, const struct carrier_call *call, struct fault *fault)
    __attribute__((warn_unused_result));
