#include "schema/client_token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

enum { NUMBER_MAX = 32767 };

static bool bad(struct fault *fault)
{
    return fail(fault, FAULT_REFUSED,
                "DOCKET_TOKEN_KEYS must be \"NUMBER:64 hex digits\", several separated by commas, "
                "each number (1 to %d) once; make one with: openssl rand -hex 32",
                NUMBER_MAX);
}

static bool parse_hex(const char *text, uint8_t *bytes)
{
    if (strspn(text, "0123456789abcdefABCDEF") < (size_t)2 * TOKEN_KEY_BYTES)
        return false;
    for (ptrdiff_t i = 0; i < TOKEN_KEY_BYTES; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};

        bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return true;
}

static bool has_number(const struct token_keys *keys, long number)
{
    for (int i = 0; i < keys->count; i++) {
        if (keys->keys[i].number == number)
            return true;
    }
    return false;
}

bool token_keys_parse(struct token_keys *keys, const char *text, struct fault *fault)
{
    keys->count = 0;
    for (;;) {
        char *end;
        long number = strtol(text, &end, 10);

        if (keys->count == TOKEN_KEYS_MAX || end == text || *end != ':' || number < 1 ||
            number > NUMBER_MAX || has_number(keys, number) ||
            !parse_hex(end + 1, keys->keys[keys->count].bytes))
            return bad(fault);
        keys->keys[keys->count++].number = (int16_t)number;
        text = end + 1 + (ptrdiff_t)2 * TOKEN_KEY_BYTES;
        if (*text == '\0')
            return true;
        if (*text++ != ',')
            return bad(fault);
    }
}

int16_t token_keys_newest(const struct token_keys *keys)
{
    return keys->keys[0].number;
}

static void encode(const uint8_t digest[DIGEST_BYTES], char token[CLIENT_TOKEN_SIZE])
{
    unsigned char base64[CLIENT_TOKEN_SIZE + 1]; /* ends in one '=' */

    EVP_EncodeBlock(base64, digest, DIGEST_BYTES);
    for (int i = 0; i < CLIENT_TOKEN_SIZE - 1; i++)
        token[i] = (char)(base64[i] == '+' ? '-' : base64[i] == '/' ? '_' : base64[i]);
    token[CLIENT_TOKEN_SIZE - 1] = '\0';
}

bool client_token_make(const struct token_keys *keys, int16_t number, const struct order_id *id,
                       char token[CLIENT_TOKEN_SIZE])
{
    uint8_t digest[DIGEST_BYTES];

    for (int i = 0; i < keys->count; i++) {
        if (keys->keys[i].number != number)
            continue;
        digest_hmac(keys->keys[i].bytes, id->bytes, ORDER_ID_BYTES, digest);
        encode(digest, token);
        return true;
    }
    return false;
}

bool client_token_is_of(const struct token_keys *keys, int16_t number, const struct order_id *id,
                        const char *token)
{
    char right[CLIENT_TOKEN_SIZE];

    return client_token_make(keys, number, id, right) && strlen(token) == CLIENT_TOKEN_SIZE - 1 &&
           CRYPTO_memcmp(right, token, CLIENT_TOKEN_SIZE - 1) == 0;
}
