/* workers/answer.h - reading the JSON of the outside: bounded, strict, never trusted
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* NULL unless the body is one whole JSON object without duplicate names. */
json_t *answer_parse(const char *body, size_t length);

/* Copies a member of printable ASCII that fits, at least one character long; false (buffer "") if
 * it is no such text. */
bool answer_text(const json_t *object, const char *name, char *buffer, size_t size);

/* The same, lower-case letters, digits and underscores only: fit for a code in our books. */
bool answer_code(const json_t *object, const char *name, char *buffer, size_t size);

/* A message for people, cut to fit, with what looks like a secret or a card overwritten. */
void answer_message(const json_t *object, const char *name, char *buffer, size_t size);

/* Visible ASCII, 1 to 255 characters: fit for an Idempotency-Key header. */
bool answer_key_is_sound(const char *key);
