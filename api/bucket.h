/* api/bucket.h - a token bucket in one number
 *
 * It holds `tokens` when full and gains them evenly, all of them within BUCKET_WINDOW_NS.  What is
 * kept is the moment at which it will be full again; one in the past is a full bucket, so a zeroed
 * one is full, and forgetting one is filling it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { BUCKET_WINDOW_S = 60 };

struct bucket {
    int64_t full_at_ns;
};

/* tokens: 1 or more; now_ns: monotonic. */
bool bucket_take(struct bucket *bucket, int64_t tokens, int64_t now_ns)
    __attribute__((warn_unused_result));
void bucket_give(struct bucket *bucket, int64_t tokens); /* one that was taken */
int64_t bucket_left(const struct bucket *bucket, int64_t tokens, int64_t now_ns);
/* Whole seconds, rounded up, until it holds one more than now; 0: it is full. */
int64_t bucket_wait_s(const struct bucket *bucket, int64_t tokens, int64_t now_ns);
