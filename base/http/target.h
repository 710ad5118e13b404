/* base/http/target.h - the request target in parts, percent-decoded once (RFC 9112 §3.2) */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"

struct http_target {
    const char *raw_path; /* begins with '/', or is "*" */
    size_t raw_path_length;
    const char *query; /* what follows '?', raw; NULL: none */
};

/* Takes origin-form, absolute-form and "*"; false: neither, or an escape that is none or is %00.
 * The parts point into `target`. */
bool http_target_split(const char *target, struct http_target *parts);

/* %XX (and '+' as a space, where plus_is_space) decoded into the arena. */
char *http_target_decode(struct arena *arena, const char *bytes, size_t length, bool plus_is_space);

/* The first value of that name in a query, decoded; NULL: none.  "a" is "a=" (an empty value). */
const char *http_target_query(struct arena *arena, const char *query, const char *name);

/* Name and value of parameter number `index` (from 0), decoded; false: there are not so many. */
bool http_target_parameter(struct arena *arena, const char *query, int index, const char **name,
                           const char **value);
