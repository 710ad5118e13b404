/* api/keys.h - who asks, and what he may: every valid key in memory, so that no request costs a
 * query
 *
 * Kept as SHA-256; compared in constant time.  A key that was revoked is gone within two seconds.
 */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/pg_params.h"

enum scope { SCOPE_CHECKOUT = 1, SCOPE_ORDERS_READ = 2, SCOPE_OPERATOR = 4 };
enum { KEY_HASH_BYTES = 32 };

/* What an account may do only so often (api/quota.h). */
enum quota { QUOTA_ORDERS, QUOTA_READS, QUOTA_COUNT };
enum { QUOTA_DEFAULT = -1 };

struct principal {
    int64_t account_id;
    int64_t key_id;   /* 0: the bootstrap key */
    const char *name; /* of the key; lent until the loop's turn ends */
    unsigned scopes;
    int64_t quotas[QUOTA_COUNT]; /* a minute; QUOTA_DEFAULT: the setting's; 0: none */
};

struct keys;

/* bootstrap: a key with scope operator that is in no table; "" for none. */
struct keys *keys_create(const char *bootstrap);
void keys_destroy(struct keys *keys);
bool keys_find(const struct keys *keys, const char *key, struct principal *principal)
    __attribute__((warn_unused_result));

/* A question of the pulse. */
bool keys_ask(void *owner, struct pg_params *params);
void keys_on_answer(void *owner, const PGresult *result);

void key_hash(const char *key, uint8_t hash[KEY_HASH_BYTES]);
