/* api/recent_keys.h - which keys this process has lately handed on to be stored
 *
 * A client that repeats such a key may have an order already, and only an answer to it ends its
 * doubt: it is let through where new orders are refused.  Half a million keys, in 2 MiB; of each
 * only a fingerprint is kept, so one key in half a billion is taken for another one, which does no
 * harm: it is let through.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct recent_keys *recent_keys_create(uint64_t seed); /* of the hash: keys are clients' choice */
void recent_keys_destroy(struct recent_keys *keys);
void recent_keys_add(struct recent_keys *keys, int64_t account_id, const char *key);
bool recent_keys_has(const struct recent_keys *keys, int64_t account_id, const char *key);
