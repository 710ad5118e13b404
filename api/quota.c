#include "api/quota.h"

#include <stdlib.h>
#include <string.h>

#include "api/bucket.h"
#include "base/clock.h"
#include "base/memory.h"

enum { WAYS = 8, SETS = QUOTA_ACCOUNTS_MAX / WAYS, POSTS = QUOTA_COUNT, BUCKETS };

static const char *const names[QUOTA_COUNT] = {[QUOTA_ORDERS] = "orders", [QUOTA_READS] = "reads"};

struct account {
    int64_t id; /* 0: free */
    struct bucket buckets[BUCKETS];
};

struct quotas {
    int64_t fallbacks[QUOTA_COUNT];
    struct account accounts[SETS][WAYS];
};

static int64_t now(void)
{
    return (int64_t)clock_monotonic_ns();
}

/* 0: none. */
static int64_t tokens_of(const struct quotas *quotas, const struct principal *principal,
                         enum quota policy)
{
    int64_t own = principal->quotas[policy];

    return own == QUOTA_DEFAULT ? quotas->fallbacks[policy] : own;
}

static const struct account *set_of(const struct quotas *quotas, int64_t id)
{
    return quotas->accounts[((uint64_t)id * UINT64_C(0x9e3779b97f4a7c15) >> 32) % SETS];
}

static const struct account *find(const struct quotas *quotas, int64_t id)
{
    const struct account *set = set_of(quotas, id);

    for (int i = 0; i < WAYS; i++) {
        if (set[i].id == id)
            return &set[i];
    }
    return NULL;
}

static int64_t full_at_ns(const struct account *account)
{
    int64_t last = INT64_MIN;

    for (int i = 0; i < BUCKETS; i++) {
        if (account->buckets[i].full_at_ns > last)
            last = account->buckets[i].full_at_ns;
    }
    return account->id == 0 ? INT64_MIN : last;
}

/* The account's own, or the place of the one that loses least by being forgotten. */
static struct account *find_or_make(struct quotas *quotas, int64_t id)
{
    struct account *set = (struct account *)(uintptr_t)set_of(quotas, id), *fullest = set;

    for (int i = 0; i < WAYS; i++) {
        if (set[i].id == id)
            return &set[i];
        if (full_at_ns(&set[i]) < full_at_ns(fullest))
            fullest = &set[i];
    }
    *fullest = (struct account){.id = id};
    return fullest;
}

bool quota_take(struct quotas *quotas, const struct principal *principal, enum quota policy)
{
    int64_t tokens = tokens_of(quotas, principal, policy);

    return tokens == 0 || bucket_take(&find_or_make(quotas, principal->account_id)->buckets[policy],
                                      tokens, now());
}

void quota_give(struct quotas *quotas, const struct principal *principal, enum quota policy)
{
    int64_t tokens = tokens_of(quotas, principal, policy);

    if (tokens > 0)
        bucket_give(&find_or_make(quotas, principal->account_id)->buckets[policy], tokens);
}

bool quota_is_flooded(struct quotas *quotas, const struct principal *principal)
{
    int64_t tokens = tokens_of(quotas, principal, QUOTA_ORDERS) * QUOTA_FLOOD;

    return tokens > 0 && !bucket_take(&find_or_make(quotas, principal->account_id)->buckets[POSTS],
                                      tokens, now());
}

int quota_wait_s(const struct quotas *quotas, const struct principal *principal, enum quota policy)
{
    const struct account *account = find(quotas, principal->account_id);
    int64_t tokens = tokens_of(quotas, principal, policy);
    int64_t wait_s =
        account && tokens > 0 ? bucket_wait_s(&account->buckets[policy], tokens, now()) : 0;

    return wait_s > 1 ? (int)wait_s : 1;
}

void quota_headers(const struct quotas *quotas, const struct principal *principal,
                   enum quota policy, struct http_request *request)
{
    static const struct bucket full;
    const struct account *account = find(quotas, principal->account_id);
    const struct bucket *bucket = account ? &account->buckets[policy] : &full;
    int64_t tokens = tokens_of(quotas, principal, policy), now_ns = now();
    long long left, wait_s;

    if (tokens == 0)
        return;
    left = bucket_left(bucket, tokens, now_ns);
    wait_s = bucket_wait_s(bucket, tokens, now_ns);
    http_reply_header(request, "RateLimit-Policy", "\"%s\";q=%lld;w=%d", names[policy],
                      (long long)tokens, BUCKET_WINDOW_S);
    if (wait_s == 0)
        http_reply_header(request, "RateLimit", "\"%s\";r=%lld", names[policy], left);
    else
        http_reply_header(request, "RateLimit", "\"%s\";r=%lld;t=%lld", names[policy], left,
                          wait_s);
}

struct quotas *quotas_create(int64_t orders, int64_t reads)
{
    struct quotas *quotas = xcalloc(1, sizeof(*quotas));

    quotas->fallbacks[QUOTA_ORDERS] = orders;
    quotas->fallbacks[QUOTA_READS] = reads;
    return quotas;
}

void quotas_destroy(struct quotas *quotas)
{
    free(quotas);
}
