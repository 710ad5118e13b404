/* schema/dead_filter.h - the one language in which operators say which dead letters they mean
 *
 * Terms separated by blanks, all of which must hold; a list after `:` means any of them.
 *
 *     stage:payment code:gone age>2h amount>=50.00EUR text~"timed out" sku:MUG-1,TEA-2 attempts>=3
 *
 * The same text lists, counts, previews, replays, discards and exports: it becomes one JSON value,
 * and the function dead_page() of the database is the only one that reads it (0006_dead.sql).
 * Without `state:` it is about open letters.
 *
 * Pure: no clock (`age` is taken at the database's), no database.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"
#include "base/pg_params.h"

enum { DEAD_FILTER_TEXT_MAX = 2000, DEAD_FILTER_JSON_SIZE = 8192, DEAD_FILTER_PARAMS = 1 };

struct dead_filter {
    char json[DEAD_FILTER_JSON_SIZE]; /* what is bound */
    bool is_empty;   /* it leaves nothing out, but by state: acts want to hear --all then */
    size_t error_at; /* after a failure: the byte of the text where it went wrong */
};

/* False: the fault says where and what is allowed there. */
bool dead_filter_parse(const char *text, struct dead_filter *filter, struct fault *fault)
    __attribute__((warn_unused_result));

/* Adds DEAD_FILTER_PARAMS parameters: a text that the statement casts ($n::text::jsonb). */
void dead_filter_bind(const struct dead_filter *filter, struct pg_params *params);

/* What may be said, a line for each field, for help texts. */
extern const char dead_filter_help[];
