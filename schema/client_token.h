/* schema/client_token.h - what lets a browser read the one order it has made
 *
 * An HMAC-SHA256 of the order's id under a numbered key, in base64url.  Nothing is stored: the
 * order names the number of its key, so a new key can be put first while the old one still counts.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "schema/order_id.h"

enum { TOKEN_KEY_BYTES = 32, TOKEN_KEYS_MAX = 8, CLIENT_TOKEN_SIZE = 43 + 1 };

struct token_keys {
    int count;
    struct {
        int16_t number; /* 1..32767 */
        uint8_t bytes[TOKEN_KEY_BYTES];
    } keys[TOKEN_KEYS_MAX]; /* the first one signs */
};

/* "1:64 hex digits[,2:…]". */
bool token_keys_parse(struct token_keys *keys, const char *text, struct fault *fault)
    __attribute__((warn_unused_result));
int16_t token_keys_newest(const struct token_keys *keys);

/* False: no key has this number any more. */
bool client_token_make(const struct token_keys *keys, int16_t number, const struct order_id *id,
                       char token[CLIENT_TOKEN_SIZE]) __attribute__((warn_unused_result));
/* In constant time for tokens of the right length. */
bool client_token_is_of(const struct token_keys *keys, int16_t number, const struct order_id *id,
                        const char *token) __attribute__((warn_unused_result));
