#include "api/body_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { WAYS = 4, BUCKETS = BODY_CACHE_COUNT / WAYS };

struct place {
    struct order_id id;
    int32_t version;
    uint32_t length;
    char *bytes; /* NULL: empty */
};

struct body_cache {
    struct place places[BUCKETS][WAYS]; /* the newest first */
};

static bool is_of(const struct place *place, const struct order_id *id)
{
    return place->bytes && memcmp(place->id.bytes, id->bytes, ORDER_ID_BYTES) == 0;
}

bool body_cache_find(const struct body_cache *cache, const struct order_id *id, int32_t version,
                     struct text *body)
{
    const struct place *bucket = cache->places[order_id_hash(id) % BUCKETS];

    for (int i = 0; i < WAYS; i++) {
        if (is_of(&bucket[i], id) && bucket[i].version == version) {
            text_add_bytes(body, bucket[i].bytes, bucket[i].length);
            return true;
        }
    }
    return false;
}

/* The place of an older version of it, or the one that was filled first. */
static int find_victim(const struct place *bucket, const struct order_id *id)
{
    for (int i = 0; i < WAYS; i++) {
        if (is_of(&bucket[i], id))
            return i;
    }
    return WAYS - 1;
}

void body_cache_put(struct body_cache *cache, const struct order_id *id, int32_t version,
                    const struct text *body)
{
    struct place *bucket = cache->places[order_id_hash(id) % BUCKETS];
    int victim = find_victim(bucket, id);
    char *bytes = bucket[victim].bytes;

    if (body->length > BODY_CACHE_BYTES_MAX)
        return;
    memmove(bucket + 1, bucket, (size_t)victim * sizeof(*bucket));
    bucket[0] = (struct place){.id = *id, .version = version, .length = (uint32_t)body->length};
    bucket[0].bytes = xrealloc(bytes, body->length);
    memcpy(bucket[0].bytes, body->bytes, body->length);
}

struct body_cache *body_cache_create(void)
{
    return xcalloc(1, sizeof(struct body_cache));
}

void body_cache_destroy(struct body_cache *cache)
{
    if (cache == NULL)
        return;
    for (int i = 0; i < BUCKETS; i++) {
        for (int j = 0; j < WAYS; j++)
            free(cache->places[i][j].bytes);
    }
    free(cache);
}
