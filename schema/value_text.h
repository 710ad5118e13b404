/* schema/value_text.h - values as people write them in a filter: numbers, spans, money, times */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "schema/money.h"

enum { VALUE_STAMP_SIZE = 64 };

/* Each is false of what is no such value, all of the text. */

/* Digits only, `most` at most. */
bool value_number(const char *text, int64_t most, int64_t *number)
    __attribute__((warn_unused_result));
/* 90s, 2h, 1d12h; s, m, h, d and w. */
bool value_span_s(const char *text, int64_t *seconds) __attribute__((warn_unused_result));
/* 50EUR, 50.5EUR or 50.00EUR, in minor units. */
bool value_money(const char *text, struct money *money) __attribute__((warn_unused_result));
/* An RFC 3339 time, or its beginning from the date on (UTC), as Postgres reads it. */
bool value_stamp(const char *text, char stamp[VALUE_STAMP_SIZE])
    __attribute__((warn_unused_result));
