/* ops/cli/when.h - times and spans as people write them (pure) */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* 30s, 15m, 2h, 7d. */
bool span_parse(const char *text, int64_t *seconds) __attribute__((warn_unused_result));
/* A date, a date and a time (in the local zone, or with Z or an offset), or a span before `now`. */
bool when_parse(const char *text, int64_t now, bool is_utc, int64_t *unix_s)
    __attribute__((warn_unused_result));
