#include "api/bucket.h"

static const int64_t SECOND_NS = 1000000000, WINDOW_NS = BUCKET_WINDOW_S * INT64_C(1000000000);

static int64_t token_ns(int64_t tokens)
{
    return WINDOW_NS / tokens;
}

/* What it lacks, as the time that it takes to come. */
static int64_t lack_ns(const struct bucket *bucket, int64_t now_ns)
{
    return bucket->full_at_ns > now_ns ? bucket->full_at_ns - now_ns : 0;
}

bool bucket_take(struct bucket *bucket, int64_t tokens, int64_t now_ns)
{
    int64_t lack = lack_ns(bucket, now_ns) + token_ns(tokens);

    if (lack > WINDOW_NS)
        return false;
    bucket->full_at_ns = now_ns + lack;
    return true;
}

void bucket_give(struct bucket *bucket, int64_t tokens)
{
    bucket->full_at_ns -= token_ns(tokens);
}

int64_t bucket_left(const struct bucket *bucket, int64_t tokens, int64_t now_ns)
{
    int64_t lack = lack_ns(bucket, now_ns);

    if (lack >= WINDOW_NS)
        return 0;
    return lack == 0 ? tokens : (WINDOW_NS - lack) / token_ns(tokens);
}

int64_t bucket_wait_s(const struct bucket *bucket, int64_t tokens, int64_t now_ns)
{
    int64_t lack = lack_ns(bucket, now_ns), left = bucket_left(bucket, tokens, now_ns);
    int64_t wait_ns = lack + (left + 1) * token_ns(tokens) - WINDOW_NS;

    if (lack == 0)
        return 0;
    return wait_ns <= 0 ? 1 : (wait_ns + SECOND_NS - 1) / SECOND_NS;
}
