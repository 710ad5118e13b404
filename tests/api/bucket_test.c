/* What a bucket gives, and when. */
#include "api/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const int64_t NOW = INT64_C(7000000000), SECOND = 1000000000;

static void gives_as_many_as_it_holds_and_no_more(void **state)
{
    struct bucket bucket = {0};

    (void)state;
    assert_int_equal(bucket_left(&bucket, 3, NOW), 3);
    assert_int_equal(bucket_wait_s(&bucket, 3, NOW), 0);
    for (int left = 2; left >= 0; left--) {
        assert_true(bucket_take(&bucket, 3, NOW));
        assert_int_equal(bucket_left(&bucket, 3, NOW), left);
    }
    assert_false(bucket_take(&bucket, 3, NOW));
    assert_int_equal(bucket_wait_s(&bucket, 3, NOW), 20);
}

static void after_what_it_says_there_is_one_more(void **state)
{
    (void)state;
    for (int64_t tokens = 1; tokens < 100000; tokens = tokens * 3 + 1) {
        struct bucket bucket = {0};
        int64_t wait_s;

        while (bucket_take(&bucket, tokens, NOW))
            ;
        wait_s = bucket_wait_s(&bucket, tokens, NOW);
        assert_in_range(wait_s, 1, BUCKET_WINDOW_S);
        assert_true(bucket_left(&bucket, tokens, NOW + wait_s * SECOND) >= 1);
        assert_true(bucket_take(&bucket, tokens, NOW + wait_s * SECOND));
    }
}

static void what_is_given_back_can_be_taken_again(void **state)
{
    struct bucket bucket = {0};

    (void)state;
    assert_true(bucket_take(&bucket, 1, NOW));
    assert_false(bucket_take(&bucket, 1, NOW));
    bucket_give(&bucket, 1);
    assert_true(bucket_take(&bucket, 1, NOW));
}

static void is_never_fuller_than_full(void **state)
{
    struct bucket bucket = {0};

    (void)state;
    assert_true(bucket_take(&bucket, 2, NOW));
    bucket_give(&bucket, 2);
    bucket_give(&bucket, 2);
    assert_int_equal(bucket_left(&bucket, 2, NOW + 3600 * SECOND), 2);
}

static void a_smaller_quota_counts_what_was_taken_under_a_larger_one(void **state)
{
    struct bucket bucket = {0};

    (void)state;
    while (bucket_take(&bucket, 100, NOW))
        ;
    assert_int_equal(bucket_left(&bucket, 5, NOW), 0);
    assert_true(bucket_wait_s(&bucket, 5, NOW) <= BUCKET_WINDOW_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_as_many_as_it_holds_and_no_more),
        cmocka_unit_test(after_what_it_says_there_is_one_more),
        cmocka_unit_test(what_is_given_back_can_be_taken_again),
        cmocka_unit_test(is_never_fuller_than_full),
        cmocka_unit_test(a_smaller_quota_counts_what_was_taken_under_a_larger_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
