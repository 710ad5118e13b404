#include "api/webhook_signature.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

enum { DIGEST_BYTES = 32, SECRET_LENGTH_LEAST = 16, SECRET_LENGTH_MOST = 255 };

struct signature {
    const char *time; /* as it stands in the header: part of what was signed */
    size_t time_length;
    int64_t time_s;
    const void *body;
    size_t body_length;
    int count;
    unsigned char v1[WEBHOOK_SIGNATURES_MAX][DIGEST_BYTES];
};

bool webhook_secrets_parse(struct webhook_secrets *secrets, const char *text, struct fault *fault)
{
    secrets->count = 0;
    while (*text) {
        size_t length = strcspn(text, ",");
        size_t visible = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789_-+/=.");

        if (secrets->count == WEBHOOK_SECRETS_MAX || visible < length ||
            length < SECRET_LENGTH_LEAST || length > SECRET_LENGTH_MOST)
            return fail(fault, FAULT_REFUSED,
                        "DOCKET_STRIPE_WEBHOOK_SECRETS must be the endpoint's signing secret "
                        "(\"whsec_…\", %d characters at least), several separated by commas, %d "
                        "at most",
                        SECRET_LENGTH_LEAST, WEBHOOK_SECRETS_MAX);
        secrets->secrets[secrets->count].bytes = text;
        secrets->secrets[secrets->count++].length = length;
        text += length;
        text += *text == ',';
    }
    return true;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_digest(const char *text, size_t length, unsigned char digest[DIGEST_BYTES])
{
    if (length != (size_t)2 * DIGEST_BYTES)
        return false;
    for (ptrdiff_t i = 0; i < DIGEST_BYTES; i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        digest[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static bool read_time(const char *text, size_t length, struct signature *signature)
{
    if (length == 0 || length > 12 || strspn(text, "0123456789") < length || signature->time)
        return false;
    signature->time = text;
    signature->time_length = length;
    signature->time_s = strtoll(text, NULL, 10);
    return true;
}

/* Pairs of other schemes (v0, …) are passed over, as is a v1 that is none. */
static bool read_header(const char *header, struct signature *signature)
{
    memset(signature, 0, sizeof(*signature));
    while (*header) {
        size_t length = strcspn(header, ",");

        if (length >= 2 && strncmp(header, "t=", 2) == 0) {
            if (!read_time(header + 2, length - 2, signature))
                return false;
        } else if (length >= 3 && strncmp(header, "v1=", 3) == 0) {
            if (signature->count == WEBHOOK_SIGNATURES_MAX)
                return false;
            signature->count +=
                read_digest(header + 3, length - 3, signature->v1[signature->count]);
        }
        header += length;
        header += *header == ',';
    }
    return signature->time != NULL;
}

static void sign(EVP_MAC *hmac, const char *secret, size_t secret_length,
                 const struct signature *signature, unsigned char digest[DIGEST_BYTES])
{
    char sha256[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", sha256, 0),
                                 OSSL_PARAM_construct_end()};
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(hmac);
    size_t written;

    if (context == NULL ||
        !EVP_MAC_init(context, (const unsigned char *)secret, secret_length, params) ||
        !EVP_MAC_update(context, (const unsigned char *)signature->time, signature->time_length) ||
        !EVP_MAC_update(context, (const unsigned char *)".", 1) ||
        !EVP_MAC_update(context, signature->body, signature->body_length) ||
        !EVP_MAC_final(context, digest, &written, DIGEST_BYTES))
        abort(); /* only without memory */
    EVP_MAC_CTX_free(context);
}

static bool is_signed(const struct webhook_secrets *secrets, const struct signature *signature)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    unsigned char digest[DIGEST_BYTES];
    bool is_found = false;

    if (hmac == NULL)
        abort();
    for (int i = 0; i < secrets->count; i++) {
        sign(hmac, secrets->secrets[i].bytes, secrets->secrets[i].length, signature, digest);
        for (int k = 0; k < signature->count; k++)
            is_found |= CRYPTO_memcmp(digest, signature->v1[k], DIGEST_BYTES) == 0;
    }
    OPENSSL_cleanse(digest, sizeof(digest));
    EVP_MAC_free(hmac);
    return is_found;
}

const char *webhook_signature_check(const struct webhook_secrets *secrets, const char *header,
                                    const void *body, size_t length, int64_t now_s)
{
    struct signature signature;

    if (header == NULL)
        return "there is no Stripe-Signature";
    if (!read_header(header, &signature))
        return "Stripe-Signature is not \"t=SECONDS,v1=64 hex digits\"";
    /* First: also who knows an old pair learns nothing by it. */
    signature.body = body;
    signature.body_length = length;
    if (!is_signed(secrets, &signature))
        return "no v1 of Stripe-Signature is that of this body under our secrets";
    if (signature.time_s < now_s - WEBHOOK_TOLERANCE_S ||
        signature.time_s > now_s + WEBHOOK_TOLERANCE_S)
        return "Stripe-Signature was made more than 300 s from now";
    return NULL;
}
