#include "api/cursor.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum { NUMBER_BYTES = 2, MAC_BYTES = 15, DIGEST_BYTES = 32, SIGNED_BYTES_MAX = 64 * 1024 };
enum { BYTES = NUMBER_BYTES + ORDER_ID_BYTES + MAC_BYTES }; /* 33: base64 without padding */

static const uint8_t *key_of(const struct token_keys *keys, int16_t number)
{
    for (int i = 0; i < keys->count; i++) {
        if (keys->keys[i].number == number)
            return keys->keys[i].bytes;
    }
    return NULL;
}

/* What begins with these words is no order's id, which is what client_token signs. */
static bool sign(const uint8_t *key, int64_t account_id, const char *filters,
                 const struct order_id *last, uint8_t digest[DIGEST_BYTES])
{
    CLEANUP(text_finish) struct text signed_text;

    text_init(&signed_text, SIGNED_BYTES_MAX);
    text_print(&signed_text, "docket cursor %" PRId64 " ", account_id);
    text_add_hex(&signed_text, last->bytes, ORDER_ID_BYTES);
    text_print(&signed_text, " %s", filters);
    return !signed_text.cut &&
           HMAC(EVP_sha256(), key, TOKEN_KEY_BYTES, (const unsigned char *)signed_text.bytes,
                signed_text.length, digest, NULL) != NULL;
}

void cursor_make(const struct token_keys *keys, int64_t account_id, const char *filters,
                 const struct order_id *last, char cursor[CURSOR_SIZE])
{
    int16_t number = token_keys_newest(keys);
    uint8_t bytes[BYTES], digest[DIGEST_BYTES] = {0};

    bytes[0] = (uint8_t)(number >> 8);
    bytes[1] = (uint8_t)number;
    memcpy(bytes + NUMBER_BYTES, last->bytes, ORDER_ID_BYTES);
    (void)sign(key_of(keys, number), account_id, filters, last, digest);
    memcpy(bytes + NUMBER_BYTES + ORDER_ID_BYTES, digest, MAC_BYTES);
    EVP_EncodeBlock((unsigned char *)cursor, bytes, BYTES);
    for (char *at = cursor; *at; at++)
        *at = (char)(*at == '+' ? '-' : *at == '/' ? '_' : *at);
}

static bool decode(const char *cursor, uint8_t bytes[BYTES])
{
    char base64[CURSOR_SIZE];

    if (strlen(cursor) != CURSOR_SIZE - 1 || strpbrk(cursor, "+/= \t\r\n"))
        return false;
    for (int i = 0; i < CURSOR_SIZE; i++)
        base64[i] = (char)(cursor[i] == '-' ? '+' : cursor[i] == '_' ? '/' : cursor[i]);
    return EVP_DecodeBlock(bytes, (const unsigned char *)base64, CURSOR_SIZE - 1) == BYTES;
}

bool cursor_read(const struct token_keys *keys, int64_t account_id, const char *filters,
                 const char *cursor, struct order_id *last)
{
    uint8_t bytes[BYTES], digest[DIGEST_BYTES];
    const uint8_t *key;

    if (!decode(cursor, bytes))
        return false;
    key = key_of(keys, (int16_t)(bytes[0] << 8 | bytes[1]));
    memcpy(last->bytes, bytes + NUMBER_BYTES, ORDER_ID_BYTES);
    return key && sign(key, account_id, filters, last, digest) &&
           CRYPTO_memcmp(digest, bytes + NUMBER_BYTES + ORDER_ID_BYTES, MAC_BYTES) == 0;
}
