/* What Stripe's answers mean: one pure function, a step for each kind of answer. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "workers/answer.h"
#include "workers/providers/stripe.h"

enum { MESSAGE_SIZE = 200 };

struct stripe_error {
    char code[PROVIDER_CODE_SIZE];
    char message[MESSAGE_SIZE];
    const json_t *intent;
};

static void read_state(const struct stripe_answer *answer, const json_t *body,
                       struct payment_result *result);
static void read_refusal(const struct stripe_answer *answer, const json_t *object,
                         struct payment_result *result);
static void soften_read(const struct stripe_answer *answer, struct payment_result *result);

void stripe_read_answer(const struct stripe_answer *answer, struct payment_result *result)
{
    int64_t retry_after_ms = result->retry_after_ms;
    json_t *body = answer_parse(answer->body, answer->length);

    *result = (struct payment_result){.retry_after_ms = retry_after_ms};
    if (answer->status >= 200 && answer->status < 300)
        read_state(answer, body, result);
    else
        read_refusal(answer, json_object_get(body, "error"), result);
    soften_read(answer, result);
    json_decref(body);
}

/* --- verdicts -------------------------------------------------------------------------------- */

static void conclude(const struct stripe_answer *answer, struct payment_result *result,
                     enum payment_verdict verdict, const char *code, const char *reason)
{
    static const enum fault_kind kinds[] = {
        [PAYMENT_STATE] = FAULT_NONE,          [PAYMENT_DECLINED] = FAULT_REFUSED,
        [PAYMENT_TRANSIENT] = FAULT_TRANSIENT, [PAYMENT_UNKNOWN] = FAULT_UNKNOWN,
        [PAYMENT_BROKEN] = FAULT_BROKEN,
    };
    char by_status[PROVIDER_CODE_SIZE];

    snprintf(by_status, sizeof(by_status), "provider_%d", answer->status);
    result->verdict = verdict;
    fail_as(&result->fault, kinds[verdict], code[0] ? code : by_status,
            "the provider answered %s with %d: %s", payment_operation_name(answer->operation),
            answer->status, reason);
}

/* A read that failed changed nothing: it is simply made again. */
static void soften_read(const struct stripe_answer *answer, struct payment_result *result)
{
    if (!stripe_is_read(answer->operation) || result->verdict != PAYMENT_UNKNOWN)
        return;
    result->verdict = PAYMENT_TRANSIENT;
    result->fault.kind = FAULT_TRANSIENT;
}

/* --- objects --------------------------------------------------------------------------------- */

static bool read_money(const json_t *object, const char *name, const char *currency, int64_t *minor)
{
    const json_t *amount = json_object_get(object, name);

    return json_is_integer(amount) &&
           stripe_amount_from(currency, json_integer_value(amount), minor) && *minor >= 0;
}

static bool read_currency(const json_t *object, char currency[4])
{
    char lower[4];

    if (!answer_code(object, "currency", lower, sizeof(lower)) || strlen(lower) != 3)
        return false;
    for (int i = 0; i < 4; i++)
        currency[i] = (char)toupper((unsigned char)lower[i]);
    return true;
}

static bool read_status(const json_t *object, enum intent_status *status)
{
    char name[PROVIDER_CODE_SIZE];

    if (!answer_code(object, "status", name, sizeof(name)))
        return false;
    for (int i = INTENT_REQUIRES_PAYMENT_METHOD; i <= INTENT_CANCELED; i++) {
        if (strcmp(name, intent_status_name((enum intent_status)i)) == 0) {
            *status = (enum intent_status)i;
            return true;
        }
    }
    return false;
}

static bool is_object_named(const json_t *object, const char *name)
{
    char found[PROVIDER_CODE_SIZE];

    return answer_code(object, "object", found, sizeof(found)) && strcmp(found, name) == 0;
}

/* decline_code where there is one, or the error's own code (expired_card, processing_error …). */
static void read_decline(const json_t *error, struct payment_decline *decline)
{
    char advice[PROVIDER_CODE_SIZE];

    if (!answer_code(error, "decline_code", decline->code, sizeof(decline->code)))
        answer_code(error, "code", decline->code, sizeof(decline->code));
    answer_code(error, "advice_code", advice, sizeof(advice));
    stripe_explain_decline(advice, decline);
}

static bool read_intent(const json_t *object, struct payment_intent *intent)
{
    *intent = (struct payment_intent){0};
    if (!is_object_named(object, "payment_intent") ||
        !answer_text(object, "id", intent->id, sizeof(intent->id)) ||
        !read_status(object, &intent->status) || !read_currency(object, intent->currency) ||
        !read_money(object, "amount", intent->currency, &intent->amount)) {
        intent->id[0] = '\0';
        return false;
    }
    read_money(object, "amount_received", intent->currency, &intent->amount_received);
    answer_text(json_object_get(object, "metadata"), "order_id", intent->order,
                sizeof(intent->order));
    read_decline(json_object_get(object, "last_payment_error"), &intent->decline);
    stripe_read_next_action(object, intent->next_action);
    intent->created = json_integer_value(json_object_get(object, "created"));
    return true;
}

bool stripe_read_page(const char *body, size_t length, struct payment_page *page)
{
    json_t *list = answer_parse(body, length);
    const json_t *data = json_object_get(list, "data"), *has_more, *object;
    size_t index;
    bool is_read = is_object_named(list, "list") && json_is_array(data) &&
                   json_array_size(data) <= PAYMENT_PAGE_MAX;

    page->count = 0;
    has_more = json_object_get(list, "has_more");
    json_array_foreach(data, index, object)
    {
        is_read = is_read && read_intent(object, &page->intents[page->count]);
        page->count += is_read;
    }
    page->has_more = json_is_true(has_more);
    is_read = is_read && json_is_boolean(has_more) && (page->count > 0 || !page->has_more);
    json_decref(list);
    return is_read;
}

static bool read_refund(const json_t *object, struct payment_refund *refund)
{
    static const struct {
        const char *name;
        enum refund_status status;
    } statuses[] = {
        {"pending", REFUND_PENDING},     {"requires_action", REFUND_PENDING},
        {"succeeded", REFUND_SUCCEEDED}, {"failed", REFUND_FAILED},
        {"canceled", REFUND_CANCELED},
    };
    char status[PROVIDER_CODE_SIZE];

    if (!is_object_named(object, "refund") ||
        !answer_text(object, "id", refund->id, sizeof(refund->id)) ||
        !read_currency(object, refund->currency) ||
        !read_money(object, "amount", refund->currency, &refund->amount) ||
        !answer_code(object, "status", status, sizeof(status)))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        if (strcmp(status, statuses[i].name) == 0) {
            refund->status = statuses[i].status;
            return true;
        }
    }
    return false;
}

/* --- 2xx ------------------------------------------------------------------------------------- */

static bool is_about_ours(const struct stripe_answer *answer, const struct payment_intent *intent)
{
    return answer->operation == PAYMENT_CREATE || answer->intent == NULL ||
           strcmp(intent->id, answer->intent) == 0;
}

static void adopt(const struct stripe_answer *answer, const json_t *object,
                  struct payment_result *result)
{
    if (!read_intent(object, &result->intent)) {
        conclude(answer, result, PAYMENT_UNKNOWN, "answer_unreadable",
                 "it holds no intent that can be understood");
    } else if (!is_about_ours(answer, &result->intent)) {
        result->intent = (struct payment_intent){0};
        conclude(answer, result, PAYMENT_UNKNOWN, "answer_for_another",
                 "it is about another intent");
    } else {
        result->verdict = PAYMENT_STATE;
    }
}

/* The list of an intent's refunds: all of it, or it says nothing. */
static bool read_refunds(const struct stripe_answer *answer, const json_t *body,
                         struct payment_result *result)
{
    const json_t *list = json_object_get(body, "data"), *one;
    char ours[PROVIDER_ID_SIZE];
    size_t index;

    if (!json_is_array(list) || !json_is_false(json_object_get(body, "has_more")))
        return false;
    json_array_foreach(list, index, one)
    {
        struct payment_refund refund = {.id = ""};

        if (!read_refund(one, &refund))
            return false;
        if (refund.status == REFUND_PENDING || refund.status == REFUND_SUCCEEDED)
            result->refunded += refund.amount;
        if (answer->refund &&
            answer_text(json_object_get(one, "metadata"), "refund_id", ours, sizeof(ours)) &&
            strcmp(ours, answer->refund) == 0)
            result->refund = refund;
    }
    return true;
}

static void read_list(const struct stripe_answer *answer, const json_t *body,
                      struct payment_result *result)
{
    if (read_refunds(answer, body, result)) {
        result->verdict = PAYMENT_STATE;
        return;
    }
    result->refund = (struct payment_refund){.id = ""};
    result->refunded = 0;
    conclude(answer, result, PAYMENT_UNKNOWN, "answer_unreadable",
             "it holds no whole list of refunds");
}

static void read_state(const struct stripe_answer *answer, const json_t *body,
                       struct payment_result *result)
{
    if (answer->operation == PAYMENT_REFUNDS)
        read_list(answer, body, result);
    else if (answer->operation != PAYMENT_REFUND)
        adopt(answer, body, result);
    else if (read_refund(body, &result->refund))
        result->verdict = PAYMENT_STATE;
    else
        conclude(answer, result, PAYMENT_UNKNOWN, "answer_unreadable",
                 "it holds no refund that can be understood");
}

/* --- all else -------------------------------------------------------------------------------- */

static void decline(const struct stripe_answer *answer, const json_t *object,
                    const struct stripe_error *error, struct payment_result *result)
{
    read_decline(object, &result->decline);
    if (result->decline.code[0] == '\0')
        snprintf(result->decline.code, sizeof(result->decline.code), "declined");
    if (read_intent(error->intent, &result->intent) && !is_about_ours(answer, &result->intent))
        result->intent = (struct payment_intent){0};
    conclude(answer, result, PAYMENT_DECLINED, result->decline.code, "the payment was declined");
}

static bool is_one_of(const char *code, const char *const *codes)
{
    for (; *codes; codes++)
        if (strcmp(code, *codes) == 0)
            return true;
    return false;
}

/* Nothing was done, and the same call may succeed later. */
static bool did_nothing(const struct stripe_answer *answer, const struct stripe_error *error)
{
    static const char *const codes[] = {"idempotency_key_in_use", "lock_timeout", "rate_limit",
                                        NULL};

    return answer->status == 409 || answer->status == 429 || answer->should_retry ||
           is_one_of(error->code, codes);
}

static bool can_be_declined(enum payment_operation operation)
{
    return !stripe_is_read(operation) && operation != PAYMENT_CANCEL;
}

/* "It is too late for that": the state that stands in it is the answer. */
static bool tells_state(const struct stripe_error *error)
{
    static const char *const codes[] = {"payment_intent_unexpected_state",
                                        "charge_already_refunded", NULL};

    return is_one_of(error->code, codes);
}

static void read_error(const json_t *object, struct stripe_error *error)
{
    answer_code(object, "code", error->code, sizeof(error->code));
    answer_message(object, "message", error->message, sizeof(error->message));
    error->intent = json_object_get(object, "payment_intent");
}

static void read_refusal(const struct stripe_answer *answer, const json_t *object,
                         struct payment_result *result)
{
    struct stripe_error error;

    read_error(object, &error);
    if (answer->status >= 500 || answer->status < 300 || answer->status == 408)
        conclude(answer, result, PAYMENT_UNKNOWN, "", "it may have happened: look it up");
    else if (answer->status == 402 && object == NULL)
        conclude(answer, result, PAYMENT_UNKNOWN, "answer_unreadable",
                 "a decline that cannot be understood: look it up");
    else if (answer->status == 402 && can_be_declined(answer->operation))
        decline(answer, object, &error, result);
    else if (answer->status < 400)
        conclude(answer, result, PAYMENT_BROKEN, "provider_redirects",
                 "no redirect is followed: correct the provider's URL");
    else if (tells_state(&error) && answer->operation == PAYMENT_REFUND)
        conclude(answer, result, PAYMENT_UNKNOWN, error.code, "look the refunds up");
    else if (tells_state(&error))
        adopt(answer, error.intent, result);
    else if (did_nothing(answer, &error))
        conclude(answer, result, PAYMENT_TRANSIENT, error.code, "it did nothing: ask again later");
    else
        conclude(answer, result, PAYMENT_BROKEN, error.code, error.message);
}
