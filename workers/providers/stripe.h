/* workers/providers/stripe.h - Stripe's PaymentIntents API, by base URL and key
 *
 * Speaks to Stripe and to ops/sandbox alike (https://docs.stripe.com/api/payment_intents).  What an
 * answer means is one pure function, stripe_read_answer: the tests and the fuzzer drive the same
 * object file.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "workers/providers/provider.h"

#define STRIPE_NAME "stripe" /* in the books and in metrics */

struct stripe_options {
    const char *base_url; /* "https://api.stripe.com"; a path before /v1 is kept */
    const char *key;      /* "sk_…" */
    uint64_t connect_ms, total_ms;
    bool manual_capture;
};

/* The client outlives it. */
struct provider *stripe_create(struct http_client *client, const struct stripe_options *options);

/* --- pure parts ------------------------------------------------------------------------------ */

struct stripe_answer {
    enum payment_operation operation;
    const char *intent; /* the one that was asked about; NULL for a create */
    const char *refund; /* of PAYMENT_REFUNDS: ours, that is looked for */
    int status;
    const char *body;
    size_t length;
    bool should_retry; /* Stripe-Should-Retry: true */
};

/* Fills all of the result but retry_after_ms. */
void stripe_read_answer(const struct stripe_answer *answer, struct payment_result *result);

/* A page of a list; what of it cannot be understood makes it false: nothing is passed over. */
bool stripe_read_page(const char *body, size_t length, struct payment_page *page)
    __attribute__((warn_unused_result));

/* What a customer is told (stripe_customer.c): of a decline by Stripe's code and advice_code, and
 * of an intent that requires action. */
void stripe_explain_decline(const char *advice, struct payment_decline *decline);
void stripe_read_next_action(const json_t *intent, char action[NEXT_ACTION_SIZE]);

/* ISO 4217 minor units to Stripe's and back (they differ for ISK, UGX and MGA, and three-decimal
 * currencies must end in 0).  False: this amount cannot be said in the other form. */
bool stripe_amount_to(const char *currency, int64_t minor, int64_t *amount)
    __attribute__((warn_unused_result));
bool stripe_amount_from(const char *currency, int64_t amount, int64_t *minor)
    __attribute__((warn_unused_result));

bool stripe_is_read(enum payment_operation operation); /* a GET */

/* The path below the base URL, and the form (empty for a GET), of a call. */
void stripe_add_path(struct text *text, const struct payment_call *call);
void stripe_add_page_path(struct text *text, const struct payment_page *page);
bool stripe_add_form(struct text *text, const struct payment_call *call, bool manual_capture,
                     struct fault *fault) __attribute__((warn_unused_result));
