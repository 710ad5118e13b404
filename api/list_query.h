/* api/list_query.h - what GET /v1/orders may be asked, read strictly
 *
 * An unknown parameter, one that is given twice and a wrong value are refused, with what is
 * allowed: a filter that is misspelt must not answer everything.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/pg_params.h"
#include "base/text.h"
#include "schema/client_token.h"

enum { LIST_LIMIT_MAX = 100, LIST_LIMIT = 20, LIST_STATUSES_MAX = 12 };

struct list_query {
    int16_t statuses[LIST_STATUSES_MAX];
    int status_count;            /* 0: any */
    bool has_final, is_final;    /* has_final false: both */
    const char *sku, *cart_id;   /* NULL: any */
    struct order_id from, below; /* ids from..below, as the times and the cursor say */
    int64_t limit;
    const char *cursor;  /* NULL: the first page */
    const char *filters; /* all but cursor and limit, urlencoded in a fixed order */
};

/* Where the parameters come from: name and value of number `index`; false: there are not so many.
 */
struct list_source {
    bool (*parameter)(const void *owner, int index, const char **name, const char **value);
    const void *owner;
};

/* NULL, or what is wrong and what would be right, for a person.  Texts live in `arena`. */
const char *list_query_read(struct list_query *query, const struct list_source *source,
                            struct arena *arena);
/* The cursor moves `below`.  False: it is not of this account and these filters. */
bool list_query_go_on(struct list_query *query, const struct token_keys *keys, int64_t account_id)
    __attribute__((warn_unused_result));

/* The statuses as the next parameter; NULL: any. */
void list_query_add_statuses(const struct list_query *query, struct pg_params *params);

/* Does an order as it is now still fit?  (Between the list and the look at it, it may move on.) */
bool list_query_fits(const struct list_query *query, int16_t status, bool is_final);
