/* What is asked of Stripe: path, form and amounts.  Pure. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "workers/providers/stripe.h"

enum { FORM_CODE_SIZE = 4 };

/* Where Stripe's exponents are not ISO 4217's (https://docs.stripe.com/currencies#special-cases).
 * UGX is in Stripe's list of zero-decimal currencies and in that of the exceptions at once; the
 * two readings differ by a factor of 100, so it is refused until somebody has asked Stripe. */
static const struct {
    char currency[FORM_CODE_SIZE];
    int64_t times, divided_by, step; /* step: Stripe's amount is a multiple of it */
} exceptions[] = {
    {"ISK", 100, 1, 100}, {"MGA", 1, 100, 1}, {"UGX", 0, 0, 0},  {"BHD", 1, 1, 10},
    {"JOD", 1, 1, 10},    {"KWD", 1, 1, 10},  {"OMR", 1, 1, 10}, {"TND", 1, 1, 10},
};

bool stripe_amount_to(const char *currency, int64_t minor, int64_t *amount)
{
    *amount = minor;
    for (size_t i = 0; i < ARRAY_SIZE(exceptions); i++) {
        if (strcmp(exceptions[i].currency, currency) != 0)
            continue;
        if (exceptions[i].times == 0 || minor % exceptions[i].divided_by != 0 ||
            __builtin_mul_overflow(minor / exceptions[i].divided_by, exceptions[i].times, amount))
            return false;
        return *amount % exceptions[i].step == 0;
    }
    return minor >= 0;
}

bool stripe_amount_from(const char *currency, int64_t amount, int64_t *minor)
{
    *minor = amount;
    for (size_t i = 0; i < ARRAY_SIZE(exceptions); i++) {
        if (strcmp(exceptions[i].currency, currency) != 0)
            continue;
        return exceptions[i].times != 0 && amount % exceptions[i].times == 0 &&
               !__builtin_mul_overflow(amount / exceptions[i].times, exceptions[i].divided_by,
                                       minor);
    }
    return amount >= 0;
}

bool stripe_is_read(enum payment_operation operation)
{
    return operation == PAYMENT_RETRIEVE || operation == PAYMENT_REFUNDS;
}

void stripe_add_path(struct text *text, const struct payment_call *call)
{
    if (call->operation == PAYMENT_REFUNDS) {
        text_add(text, "/v1/refunds?limit=100&payment_intent=");
        text_add_urlencoded(text, call->intent);
        return;
    }
    if (call->operation == PAYMENT_REFUND) {
        text_add(text, "/v1/refunds");
        return;
    }
    text_add(text, "/v1/payment_intents");
    if (call->operation == PAYMENT_CREATE)
        return;
    text_add(text, "/");
    text_add_urlencoded(text, call->intent);
    if (call->operation != PAYMENT_RETRIEVE)
        text_print(text, "/%s", payment_operation_name(call->operation));
}

void stripe_add_page_path(struct text *text, const struct payment_page *page)
{
    text_print(text,
               "/v1/payment_intents?limit=%d&created%%5Bgte%%5D=%" PRId64
               "&created%%5Blte%%5D=%" PRId64,
               PAYMENT_PAGE_MAX, page->from_s, page->to_s);
    if (page->after[0] == '\0')
        return;
    text_add(text, "&starting_after=");
    text_add_urlencoded(text, page->after);
}

static void add_field(struct text *text, const char *name, const char *value)
{
    text_print(text, "%s%s=", text->length > 0 ? "&" : "", name);
    text_add_urlencoded(text, value);
}

static bool add_amount(struct text *text, const char *name, const struct payment_call *call,
                       struct fault *fault)
{
    int64_t amount;

    if (!stripe_amount_to(call->currency, call->amount, &amount))
        return fail_as(fault, FAULT_BROKEN, "amount_not_expressible",
                       "Stripe cannot be asked for %" PRId64 " minor units of %s", call->amount,
                       call->currency);
    text_print(text, "%s%s=%" PRId64, text->length > 0 ? "&" : "", name, amount);
    return true;
}

static void add_currency(struct text *text, const char *currency)
{
    text_add(text, "&currency=");
    for (const char *c = currency; *c; c++)
        text_print(text, "%c", tolower((unsigned char)*c));
}

/* The parameters are bound to the idempotency key: a change here is a 400 for every order whose
 * create is repeated across the deploy. */
static bool add_create(struct text *text, const struct payment_call *call, bool manual_capture,
                       struct fault *fault)
{
    if (!add_amount(text, "amount", call, fault))
        return false;
    add_currency(text, call->currency);
    add_field(text, "payment_method", call->method);
    add_field(text, "payment_method_types[0]", "card");
    add_field(text, "capture_method", manual_capture ? "manual" : "automatic");
    add_field(text, "confirm", "false");
    add_field(text, "metadata[order_id]", call->order);
    return true;
}

static bool add_refund(struct text *text, const struct payment_call *call, struct fault *fault)
{
    add_field(text, "payment_intent", call->intent);
    add_field(text, "metadata[order_id]", call->order);
    add_field(text, "metadata[refund_id]", call->refund);
    return add_amount(text, "amount", call, fault);
}

bool stripe_add_form(struct text *text, const struct payment_call *call, bool manual_capture,
                     struct fault *fault)
{
    switch (call->operation) {
    case PAYMENT_CREATE:
        return add_create(text, call, manual_capture, fault);
    case PAYMENT_CONFIRM:
        if (call->method)
            add_field(text, "payment_method", call->method);
        return true;
    case PAYMENT_CAPTURE:
        return add_amount(text, "amount_to_capture", call, fault);
    case PAYMENT_REFUND:
        return add_refund(text, call, fault);
    case PAYMENT_RETRIEVE:
    case PAYMENT_REFUNDS:
    case PAYMENT_CANCEL:
        return true;
    }
    return true;
}
