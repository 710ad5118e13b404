#include "base/digest.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 64, STOCK_BYTES = 4096, IPAD = 0x36, OPAD = 0x5c };

/* A thread's own, made at its first digest and kept. */
static _Thread_local EVP_MD_CTX *context;
static _Thread_local EVP_MD *sha256;

void digest_sha256(const void *bytes, size_t length, uint8_t digest[DIGEST_BYTES])
{
    if (context == NULL) {
        context = EVP_MD_CTX_new();
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    }
    if (EVP_DigestInit_ex2(context, sha256, NULL) != 1 ||
        EVP_DigestUpdate(context, bytes, length) != 1 ||
        EVP_DigestFinal_ex(context, digest, NULL) != 1)
        abort(); /* OpenSSL itself is broken, or out of memory */
}

static void pad(uint8_t block[BLOCK_BYTES], const uint8_t key[DIGEST_KEY_BYTES], uint8_t with)
{
    memset(block, with, BLOCK_BYTES);
    for (int i = 0; i < DIGEST_KEY_BYTES; i++)
        block[i] ^= key[i];
}

void digest_hmac(const uint8_t key[DIGEST_KEY_BYTES], const void *bytes, size_t length,
                 uint8_t digest[DIGEST_BYTES])
{
    uint8_t inner[BLOCK_BYTES + DIGEST_HMAC_MAX], outer[BLOCK_BYTES + DIGEST_BYTES];

    assert(length <= DIGEST_HMAC_MAX);
    pad(inner, key, IPAD);
    memcpy(inner + BLOCK_BYTES, bytes, length);
    pad(outer, key, OPAD);
    digest_sha256(inner, BLOCK_BYTES + length, outer + BLOCK_BYTES);
    digest_sha256(outer, sizeof(outer), digest);
}

void digest_random(void *bytes, size_t length)
{
    static _Thread_local uint8_t stock[STOCK_BYTES];
    static _Thread_local size_t left;

    assert(length <= STOCK_BYTES);
    if (left < length) {
        if (RAND_bytes(stock, STOCK_BYTES) != 1)
            abort(); /* without randomness no id is safe */
        left = STOCK_BYTES;
    }
    left -= length;
    memcpy(bytes, stock + left, length);
    memset(stock + left, 0, length);
}
