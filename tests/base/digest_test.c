/* The digests are those of OpenSSL's own one-call functions. */
#include "base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

static void a_digest_is_that_of_openssl(void **state)
{
    uint8_t text[1000], ours[DIGEST_BYTES], theirs[DIGEST_BYTES];

    (void)state;
    for (size_t length = 0; length <= sizeof(text); length++) {
        digest_random(text, length);
        digest_sha256(text, length, ours);
        SHA256(text, length, theirs);
        assert_memory_equal(ours, theirs, DIGEST_BYTES);
    }
}

static void a_code_is_that_of_openssl(void **state)
{
    uint8_t text[DIGEST_HMAC_MAX], key[DIGEST_KEY_BYTES], ours[DIGEST_BYTES], theirs[DIGEST_BYTES];

    (void)state;
    for (size_t length = 0; length <= sizeof(text); length++) {
        digest_random(text, length);
        digest_random(key, sizeof(key));
        digest_hmac(key, text, length, ours);
        HMAC(EVP_sha256(), key, sizeof(key), text, length, theirs, NULL);
        assert_memory_equal(ours, theirs, DIGEST_BYTES);
    }
}

/* More than the stock holds, and no sixteen bytes are given out twice. */
static void random_bytes_are_given_out_once(void **state)
{
    static uint8_t all[2000][16];

    (void)state;
    for (size_t i = 0; i < 2000; i++) {
        digest_random(all[i], 16);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(all[i], all[j], 16);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_digest_is_that_of_openssl),
        cmocka_unit_test(a_code_is_that_of_openssl),
        cmocka_unit_test(random_bytes_are_given_out_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
