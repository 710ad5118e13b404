#include "api/recent_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { BUCKETS = 65536, WAYS = 8 };

/* The newest comes first, the oldest of a full bucket is forgotten; 0 is an empty place. */
struct recent_keys {
    uint64_t seed;
    uint32_t prints[BUCKETS][WAYS];
};

/* FNV-1a, its end mixed as in splitmix64. */
static uint64_t hash_of(const struct recent_keys *keys, int64_t account_id, const char *key)
{
    uint64_t hash = keys->seed ^ ((uint64_t)account_id * UINT64_C(0x9e3779b97f4a7c15));

    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
    hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
    return hash ^ hash >> 31;
}

static uint32_t print_of(uint64_t hash)
{
    uint32_t print = (uint32_t)(hash >> 32);

    return print ? print : 1;
}

void recent_keys_add(struct recent_keys *keys, int64_t account_id, const char *key)
{
    uint64_t hash = hash_of(keys, account_id, key);
    uint32_t *bucket = keys->prints[hash % BUCKETS];

    if (bucket[0] == print_of(hash))
        return;
    memmove(bucket + 1, bucket, (WAYS - 1) * sizeof(*bucket));
    bucket[0] = print_of(hash);
}

bool recent_keys_has(const struct recent_keys *keys, int64_t account_id, const char *key)
{
    uint64_t hash = hash_of(keys, account_id, key);
    const uint32_t *bucket = keys->prints[hash % BUCKETS];

    for (int i = 0; i < WAYS; i++) {
        if (bucket[i] == print_of(hash))
            return true;
    }
    return false;
}

struct recent_keys *recent_keys_create(uint64_t seed)
{
    struct recent_keys *keys = xcalloc(1, sizeof(*keys));

    keys->seed = seed;
    return keys;
}

void recent_keys_destroy(struct recent_keys *keys)
{
    free(keys);
}
