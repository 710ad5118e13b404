/* base/digest.h - SHA-256 and HMAC of short texts, and random bytes, without OpenSSL's detours
 *
 * OpenSSL 3's one-call functions (SHA256, HMAC, RAND_bytes) look the algorithm up and take locks
 * each time, which costs more than the work on the few hundred bytes of a request.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { DIGEST_BYTES = 32, DIGEST_KEY_BYTES = 32 };

void digest_sha256(const void *bytes, size_t length, uint8_t digest[DIGEST_BYTES]);
/* RFC 2104 with a key of 32 bytes, for texts of DIGEST_HMAC_MAX bytes at most (asserted). */
enum { DIGEST_HMAC_MAX = 192 };
void digest_hmac(const uint8_t key[DIGEST_KEY_BYTES], const void *bytes, size_t length,
                 uint8_t digest[DIGEST_BYTES]);

/* For ids, not for keys: from a small stock of OpenSSL's random bytes, each given out once. */
void digest_random(void *bytes, size_t length);
