#include "ops/sandbox/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { SLOTS_FIRST = 64 };

/* FNV-1a: whoever can reach the sandbox may slow it down anyway. */
static uint64_t hash_of(const char *key)
{
    uint64_t hash = 14695981039346656037U;

    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 1099511628211U;
    return hash;
}

static struct table_item **slot_of(const struct table *table, uint64_t hash)
{
    return &table->slots[hash & (table->slot_count - 1)];
}

/* Items of one key keep their order, newest first: each is put behind the others of its slot. */
static void move_slot(struct table *into, struct table_item *item)
{
    while (item) {
        struct table_item *next = item->next;
        struct table_item **end = slot_of(into, item->hash);

        while (*end)
            end = &(*end)->next;
        item->next = NULL;
        *end = item;
        item = next;
    }
}

static void grow(struct table *table)
{
    size_t slot_count = table->slot_count ? table->slot_count * 2 : SLOTS_FIRST;
    struct table grown = {.slot_count = slot_count, .count = table->count};

    grown.slots = xcalloc(slot_count, sizeof(struct table_item *));
    for (size_t i = 0; i < table->slot_count; i++)
        move_slot(&grown, table->slots[i]);
    free(table->slots);
    *table = grown;
}

void table_finish(struct table *table)
{
    free(table->slots);
    *table = (struct table){0};
}

void table_add(struct table *table, struct table_item *item, const char *key)
{
    struct table_item **slot;

    if (table->count >= table->slot_count)
        grow(table);
    item->key = key;
    item->hash = hash_of(key);
    slot = slot_of(table, item->hash);
    item->next = *slot;
    *slot = item;
    table->count++;
}

void table_remove(struct table *table, struct table_item *item)
{
    struct table_item **at = slot_of(table, item->hash);

    while (*at != item)
        at = &(*at)->next;
    *at = item->next;
    table->count--;
}

static struct table_item *first_of(struct table_item *item, uint64_t hash, const char *key)
{
    while (item && (item->hash != hash || strcmp(item->key, key) != 0))
        item = item->next;
    return item;
}

struct table_item *table_find(const struct table *table, const char *key)
{
    uint64_t hash = hash_of(key);

    return table->slot_count == 0 ? NULL : first_of(*slot_of(table, hash), hash, key);
}

struct table_item *table_next(const struct table_item *item)
{
    return first_of(item->next, item->hash, item->key);
}
