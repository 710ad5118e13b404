/* api/webhook_signature.h - is this body the provider's?
 * (https://docs.stripe.com/webhooks#verify-manually)
 *
 *     Stripe-Signature: t=1492774577,v1=5257a869…,v1=…,v0=…
 *
 * One of the v1 is the HMAC-SHA256 of "t.body" under one of our secrets, and t is now, give or take
 * WEBHOOK_TOLERANCE_S: a body that was overheard cannot be sent again later.  Several secrets are
 * valid while one is replaced.  Every pair is compared, each in constant time.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

enum { WEBHOOK_TOLERANCE_S = 300, WEBHOOK_SECRETS_MAX = 8, WEBHOOK_SIGNATURES_MAX = 16 };

struct webhook_secrets {
    int count;
    struct {
        const char *bytes; /* points into the text that was parsed */
        size_t length;
    } secrets[WEBHOOK_SECRETS_MAX];
};

/* "whsec_…,whsec_…"; "": none.  The text must live as long. */
bool webhook_secrets_parse(struct webhook_secrets *secrets, const char *text, struct fault *fault)
    __attribute__((warn_unused_result));

/* NULL: it is.  Else why not, in words for whoever sends it. */
const char *webhook_signature_check(const struct webhook_secrets *secrets, const char *header,
                                    const void *body, size_t length, int64_t now_s)
    __attribute__((warn_unused_result));
