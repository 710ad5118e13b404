/* schema/canonical_json.h - JSON from outside, strictly read, and its one spelling
 *
 * Two bodies are "the same" if their canonical spellings are: object keys sorted, no white space,
 * one way to write each string and integer.  Read strictly: UTF-8, no key twice, no \u0000, nothing
 * after the value, nested JSON_DEPTH_MAX deep at most.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/memory.h"

enum { JSON_DEPTH_MAX = 32, CONTENT_HASH_BYTES = 32 };

/* NULL and a fault (REFUSED, "invalid_json") if it is no JSON.  The caller json_decref()s it. */
json_t *json_read(const char *bytes, size_t length, struct fault *fault)
    __attribute__((warn_unused_result));
char *json_canonical(const json_t *value, struct arena *arena);
void json_content_hash(const json_t *value, uint8_t hash[CONTENT_HASH_BYTES]); /* SHA-256 */
/* For CLEANUP(): json_t *. */
void json_release(json_t **value);
