#include "api/body_cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/memory.h"

enum { BUCKETS = BODY_CACHE_COUNT };

struct kept {
    LIST_ENTRY(kept) next; /* of its bucket */
    TAILQ_ENTRY(kept) younger;
    struct order_id id;
    int32_t version;
    uint32_t length;
    char bytes[];
};

LIST_HEAD(bucket, kept);

struct body_cache {
    struct bucket buckets[BUCKETS];
    TAILQ_HEAD(, kept) all; /* the oldest first */
    int count;
};

static struct bucket *bucket_of(const struct body_cache *cache, const struct order_id *id)
{
    return (struct bucket *)(uintptr_t)&cache->buckets[order_id_hash(id) % BUCKETS];
}

static struct kept *find(const struct body_cache *cache, const struct order_id *id)
{
    struct kept *kept;

    LIST_FOREACH (kept, bucket_of(cache, id), next) {
        if (memcmp(kept->id.bytes, id->bytes, ORDER_ID_BYTES) == 0)
            return kept;
    }
    return NULL;
}

bool body_cache_find(const struct body_cache *cache, const struct order_id *id, int32_t version,
                     struct text *body)
{
    const struct kept *kept = find(cache, id);

    if (kept == NULL || kept->version != version)
        return false;
    text_add_bytes(body, kept->bytes, kept->length);
    return true;
}

static void forget(struct body_cache *cache, struct kept *kept)
{
    LIST_REMOVE(kept, next);
    TAILQ_REMOVE(&cache->all, kept, younger);
    cache->count--;
    free(kept);
}

void body_cache_put(struct body_cache *cache, const struct order_id *id, int32_t version,
                    const struct text *body)
{
    struct kept *kept = find(cache, id);

    if (body->length > BODY_CACHE_BYTES_MAX)
        return;
    if (kept)
        forget(cache, kept);
    else if (cache->count == BODY_CACHE_COUNT)
        forget(cache, TAILQ_FIRST(&cache->all));
    kept = xcalloc(1, sizeof(*kept) + body->length);
    kept->id = *id;
    kept->version = version;
    kept->length = (uint32_t)body->length;
    memcpy(kept->bytes, body->bytes, body->length);
    LIST_INSERT_HEAD(bucket_of(cache, id), kept, next);
    TAILQ_INSERT_TAIL(&cache->all, kept, younger);
    cache->count++;
}

struct body_cache *body_cache_create(void)
{
    struct body_cache *cache = xcalloc(1, sizeof(*cache));

    TAILQ_INIT(&cache->all);
    return cache;
}

void body_cache_destroy(struct body_cache *cache)
{
    struct kept *kept;

    if (cache == NULL)
        return;
    while ((kept = TAILQ_FIRST(&cache->all)) != NULL) {
        TAILQ_REMOVE(&cache->all, kept, younger);
        free(kept);
    }
    free(cache);
}
