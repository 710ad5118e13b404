/* api/body_cache.h - bodies of orders that were read lately, by id and version
 *
 * A body is a function of the version alone, so one that is found is right; which version is the
 * newest is for Postgres to say.  Holds BODY_CACHE_COUNT bodies of BODY_CACHE_BYTES_MAX at most,
 * whatever their ids are, and forgets the one that was stored first.
 */
#pragma once

#include <stdbool.h>

#include "base/text.h"
#include "schema/order_id.h"

enum { BODY_CACHE_COUNT = 16384, BODY_CACHE_BYTES_MAX = 1536 };

struct body_cache *body_cache_create(void);
void body_cache_destroy(struct body_cache *cache);
/* Adds the body to the text. */
bool body_cache_find(const struct body_cache *cache, const struct order_id *id, int32_t version,
                     struct text *body) __attribute__((warn_unused_result));
/* One that is too long is not kept. */
void body_cache_put(struct body_cache *cache, const struct order_id *id, int32_t version,
                    const struct text *body);
