#include "api/keys.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/memory.h"

/* The columns of api_keys.sql. */
enum { ID, ACCOUNT, HASH, CHECKOUT, ORDERS_READ, OPERATOR, NAME, ORDERS_QUOTA, READS_QUOTA };

struct entry {
    uint8_t hash[KEY_HASH_BYTES];
    struct principal principal;
    struct entry *next; /* in its bucket */
};

struct keys {
    struct entry bootstrap;
    bool has_bootstrap;
    struct entry *entries;
    struct arena names; /* of the entries */
    struct entry **buckets;
    size_t bucket_count; /* a power of two */
};

void key_hash(const char *key, uint8_t hash[KEY_HASH_BYTES])
{
    digest_sha256(key, strlen(key), hash);
}

static struct entry **bucket_of(const struct keys *keys, const uint8_t *hash)
{
    uint64_t number;

    memcpy(&number, hash, sizeof(number));
    return &keys->buckets[number & (keys->bucket_count - 1)];
}

static bool is_hash(const struct entry *entry, const uint8_t *hash)
{
    return CRYPTO_memcmp(entry->hash, hash, KEY_HASH_BYTES) == 0;
}

bool keys_find(const struct keys *keys, const char *key, struct principal *principal)
{
    const struct entry *entry = NULL;
    uint8_t hash[KEY_HASH_BYTES];

    key_hash(key, hash);
    if (keys->has_bootstrap && is_hash(&keys->bootstrap, hash))
        entry = &keys->bootstrap;
    else if (keys->bucket_count > 0)
        entry = *bucket_of(keys, hash);
    while (entry && !is_hash(entry, hash))
        entry = entry->next;
    if (entry)
        *principal = entry->principal;
    return entry != NULL;
}

bool keys_ask(void *owner, struct pg_params *params)
{
    (void)owner;
    (void)params;
    return true;
}

static int64_t quota_at(const PGresult *result, int row, int column)
{
    return pg_is_null(result, row, column) ? QUOTA_DEFAULT : pg_i32(result, row, column);
}

static void read_entry(struct keys *keys, struct entry *entry, const PGresult *result, int row)
{
    size_t length;
    const uint8_t *hash = pg_bytes(result, row, HASH, &length);
    const char *name = pg_text(result, row, NAME);

    if (length == KEY_HASH_BYTES)
        memcpy(entry->hash, hash, length);
    entry->principal = (struct principal){
        .key_id = pg_i64(result, row, ID),
        .account_id = pg_i64(result, row, ACCOUNT),
        .name = arena_copy(&keys->names, name, strlen(name)),
        .scopes = (pg_bool(result, row, CHECKOUT) ? SCOPE_CHECKOUT : 0U) |
                  (pg_bool(result, row, ORDERS_READ) ? SCOPE_ORDERS_READ : 0U) |
                  (pg_bool(result, row, OPERATOR) ? SCOPE_OPERATOR : 0U),
        .quotas = {[QUOTA_ORDERS] = quota_at(result, row, ORDERS_QUOTA),
                   [QUOTA_READS] = quota_at(result, row, READS_QUOTA)},
    };
}

/* All anew: what is not in the answer is not valid any more. */
void keys_on_answer(void *owner, const PGresult *result)
{
    struct keys *keys = owner;
    size_t count = (size_t)PQntuples(result);

    free(keys->entries);
    free(keys->buckets);
    arena_finish(&keys->names);
    keys->entries = xcalloc(count, sizeof(*keys->entries));
    for (keys->bucket_count = 16; keys->bucket_count < count;)
        keys->bucket_count *= 2;
    keys->buckets = xcalloc(keys->bucket_count, sizeof(struct entry *));
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = &keys->entries[i], **bucket;

        read_entry(keys, entry, result, (int)i);
        bucket = bucket_of(keys, entry->hash);
        entry->next = *bucket;
        *bucket = entry;
    }
}

struct keys *keys_create(const char *bootstrap)
{
    struct keys *keys = xcalloc(1, sizeof(*keys));

    keys->has_bootstrap = bootstrap[0] != '\0';
    arena_init(&keys->names);
    keys->bootstrap.principal.scopes = SCOPE_OPERATOR;
    keys->bootstrap.principal.name = "bootstrap key";
    key_hash(bootstrap, keys->bootstrap.hash);
    return keys;
}

void keys_destroy(struct keys *keys)
{
    if (keys == NULL)
        return;
    free(keys->entries);
    free(keys->buckets);
    arena_finish(&keys->names);
    free(keys);
}
