/* ops/sandbox/table.h - things found by a text key
 *
 * The item is embedded in the thing and the key belongs to it: both must outlive their stay in the
 * table.  Several items may share a key; table_find gives the one added last, table_next the ones
 * before it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct table_item {
    struct table_item *next; /* in its slot */
    const char *key;
    uint64_t hash;
};

/* A zeroed table is an empty one. */
struct table {
    struct table_item **slots;
    size_t slot_count, count;
};

void table_finish(struct table *table); /* the items stay their owners' */
void table_add(struct table *table, struct table_item *item, const char *key);
void table_remove(struct table *table, struct table_item *item);
struct table_item *table_find(const struct table *table, const char *key); /* NULL: none */
struct table_item *table_next(const struct table_item *item); /* an older one of the same key */
