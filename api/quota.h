/* api/quota.h - how many new orders, and how many reads, an account may make in a minute
 *
 * Token buckets in the memory of each API process: with N processes behind a balancer, an account
 * gets up to N times its quota.  Three buckets an account: new orders, reads, and posts of any
 * kind, which hold QUOTA_FLOOD times as many as new orders do.
 *
 *     POST  ─► flood? ─yes─► 429, unknown, nothing was looked up
 *              └─ no ─► a token of `orders`? ─no─► the key is looked up: what it has, or 429, no
 *
 * Bounded: QUOTA_ACCOUNTS_MAX accounts are kept; over that, whose buckets are the fullest are
 * forgotten first, which gives them no more than what they would have gained by waiting.
 */
#pragma once

#include "api/keys.h"
#include "base/http/server.h"

enum { QUOTA_FLOOD = 10, QUOTA_ACCOUNTS_MAX = 8192 };

struct quotas;

/* The quotas of accounts that have none of their own; 0: none. */
struct quotas *quotas_create(int64_t orders, int64_t reads);
void quotas_destroy(struct quotas *quotas);

/* False: spent.  A token that made no new order is given back. */
bool quota_take(struct quotas *quotas, const struct principal *principal, enum quota policy)
    __attribute__((warn_unused_result));
void quota_give(struct quotas *quotas, const struct principal *principal, enum quota policy);
/* Of every POST about a key.  True: so many that not even a look-up is made for it. */
bool quota_is_flooded(struct quotas *quotas, const struct principal *principal);
/* Whole seconds after which a refused request may come again; at least 1. */
int quota_wait_s(const struct quotas *quotas, const struct principal *principal, enum quota policy);

/* RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers) of the answer to come; none
 * without a quota. */
void quota_headers(const struct quotas *quotas, const struct principal *principal,
                   enum quota policy, struct http_request *request);
