/* api/admin/dead_query.h - the filter and the cursor of whoever asks about dead letters */
#pragma once

#include "api/admin/admin.h"
#include "schema/dead_filter.h"

/* "as_of-at-id", three numbers (dead_cursor() of migration 0006). */
enum { DEAD_CURSOR_LENGTH_MAX = 60 };

/* Adds the filter (NULL: empty) and the cursor (NULL: the first page) as the next two parameters.
 * False: answered. */
bool dead_query_add(struct admin_errand *errand, const char *filter, const char *cursor)
    __attribute__((warn_unused_result));
/* The same of an act: an empty filter is refused unless all of them are asked for. */
bool dead_query_add_act(struct admin_errand *errand, const char *filter, const char *cursor,
                        bool wants_all) __attribute__((warn_unused_result));
/* The filter alone, read.  False: answered. */
bool dead_query_read(struct http_request *request, const char *text, struct dead_filter *filter)
    __attribute__((warn_unused_result));
