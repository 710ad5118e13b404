/* api/fields.h - what clients write into header fields, read strictly */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "schema/order.h"

enum { TRACEPARENT_SIZE = 55 + 1, TRACE_ID_SIZE = 32 + 1 };

/* Idempotency-Key: 1 to 255 visible ASCII characters, raw or as a quoted string (RFC 8941 §3.3.3);
 * both spellings are one key. */
bool field_key(const char *value, char key[ORDER_KEY_LENGTH_MAX + 1])
    __attribute__((warn_unused_result));

/* W3C Trace Context: the client's traceparent if it is valid, else a new one, which is sampled with
 * that chance. */
void field_trace(const char *value, int64_t percent, char traceparent[TRACEPARENT_SIZE]);
void field_trace_id(const char *traceparent, char trace_id[TRACE_ID_SIZE]);

/* If-None-Match: does it name this version (or any)? */
bool field_etag_is(const char *value, int32_t version);

/* A whole number within limits; false for anything else. */
bool field_number(const char *value, int64_t least, int64_t most, int64_t *number)
    __attribute__((warn_unused_result));

/* RFC 3339 with a zone ("2026-11-23T14:00:00Z", "…14:00:00.5+01:00"), in microseconds since 1970.
 */
bool field_time(const char *value, int64_t *unix_us) __attribute__((warn_unused_result));

/* Content-Type: application/json, with or without parameters; NULL: there is none. */
bool field_is_json(const char *type) __attribute__((warn_unused_result));
