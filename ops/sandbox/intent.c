#include "ops/sandbox/intent.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

static void end_attempt(struct intent *intent, const struct decline *decline,
                        struct refusal *refusal);
static void take_money(struct intent *intent);

static const char *const status_names[] = {
    [INTENT_REQUIRES_PAYMENT_METHOD] = "requires_payment_method",
    [INTENT_REQUIRES_CONFIRMATION] = "requires_confirmation",
    [INTENT_REQUIRES_ACTION] = "requires_action",
    [INTENT_PROCESSING] = "processing",
    [INTENT_REQUIRES_CAPTURE] = "requires_capture",
    [INTENT_SUCCEEDED] = "succeeded",
    [INTENT_CANCELED] = "canceled",
};

const char *intent_status_name(enum intent_status status)
{
    return status_names[status];
}

/* Says no as Stripe does where the state does not allow the step; the state comes with it. */
static bool refuse_state(struct refusal *refusal, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool refuse_state(struct refusal *refusal, const char *format, ...)
{
    va_list args;

    *refusal = (struct refusal){.status = 400,
                                .type = "invalid_request_error",
                                .code = "payment_intent_unexpected_state",
                                .embeds_intent = true};
    va_start(args, format);
    vsnprintf(refusal->message, sizeof(refusal->message), format, args);
    va_end(args);
    return false;
}

static bool refuse_amount(struct refusal *refusal, const char *code, const char *param,
                          const char *message)
{
    *refusal = (struct refusal){
        .status = 400, .type = "invalid_request_error", .code = code, .param = param};
    snprintf(refusal->message, sizeof(refusal->message), "%s", message);
    return false;
}

/* --- confirm ------------------------------------------------------------------------------- */

static bool may_confirm(const struct intent *intent, const char *method, struct refusal *refusal)
{
    switch (intent->status) {
    case INTENT_REQUIRES_PAYMENT_METHOD:
    case INTENT_REQUIRES_CONFIRMATION:
    case INTENT_REQUIRES_ACTION:
        if (*method)
            return true;
        return refuse_state(refusal,
                            "You cannot confirm this PaymentIntent because it's missing a payment "
                            "method. Update it with one, or give one with this confirmation.");
    case INTENT_SUCCEEDED:
        return refuse_state(refusal, "You cannot confirm this PaymentIntent because it has already "
                                     "succeeded after being previously confirmed.");
    case INTENT_PROCESSING:
    case INTENT_REQUIRES_CAPTURE:
    case INTENT_CANCELED:
        break;
    }
    return refuse_state(refusal,
                        "You cannot confirm this PaymentIntent because it has a status of %s. Only "
                        "a PaymentIntent with one of the following statuses may be confirmed: "
                        "requires_confirmation, requires_action.",
                        intent_status_name(intent->status));
}

static bool attempt(struct intent *intent, const struct confirmation *how, const struct card *card,
                    struct refusal *refusal)
{
    const struct decline *decline = how->decline;

    if (!decline && card->behaviour == CARD_DECLINED)
        decline = decline_find(card->decline);
    if (!decline && card->behaviour == CARD_ASKS && how->refuse_action)
        decline = decline_find("authentication_required");
    if (decline) {
        end_attempt(intent, decline, refusal);
        return false;
    }
    if (card->behaviour == CARD_ASKS)
        intent->status = INTENT_REQUIRES_ACTION;
    else if (card->behaviour == CARD_LINGERS)
        intent->status = INTENT_PROCESSING;
    else
        take_money(intent);
    return true;
}

bool intent_confirm(struct intent *intent, const struct confirmation *how, struct refusal *refusal)
{
    const char *method = how->method ? how->method : intent->method;
    const struct card *card = card_find(method);

    if (!may_confirm(intent, method, refusal))
        return false;
    if (!card) {
        refuse_amount(refusal, "resource_missing", "payment_method", "No such PaymentMethod.");
        return false;
    }
    if (method != intent->method)
        snprintf(intent->method, sizeof(intent->method), "%s", method);
    intent->failure = NULL;
    return attempt(intent, how, card, refusal);
}

/* The card said no: the intent asks for another one and keeps the reason. */
static void end_attempt(struct intent *intent, const struct decline *decline,
                        struct refusal *refusal)
{
    intent->status = INTENT_REQUIRES_PAYMENT_METHOD;
    intent->failure = decline;
    intent->method[0] = '\0';
    *refusal = (struct refusal){.status = 402,
                                .type = "card_error",
                                .code = decline->code,
                                .decline = decline,
                                .embeds_intent = true};
    snprintf(refusal->message, sizeof(refusal->message), "%s", decline->message);
}

static void take_money(struct intent *intent)
{
    if (!*intent->charge)
        make_id(intent->charge, "ch_");
    if (intent->manual) {
        intent->status = INTENT_REQUIRES_CAPTURE;
        intent->capturable = intent->amount;
        return;
    }
    intent->status = INTENT_SUCCEEDED;
    intent->received = intent->amount;
}

bool intent_finish_action(struct intent *intent, bool agreed, struct refusal *refusal)
{
    const struct card *card = card_find(intent->method);
    const char *decline = agreed && card ? card->decline : NULL;

    if (intent->status != INTENT_REQUIRES_ACTION && intent->status != INTENT_PROCESSING)
        return refuse_state(refusal, "Nothing is to be decided: the status is %s.",
                            intent_status_name(intent->status));
    if (!agreed)
        decline = intent->status == INTENT_PROCESSING ? "payment_intent_payment_attempt_failed"
                                                      : "payment_intent_authentication_failure";
    if (decline)
        end_attempt(intent, decline_find(decline), refusal);
    else
        take_money(intent);
    return true;
}

/* --- capture, cancel, refund --------------------------------------------------------------- */

bool intent_capture(struct intent *intent, int64_t amount, struct refusal *refusal)
{
    if (intent->status == INTENT_SUCCEEDED)
        return refuse_state(refusal, "This PaymentIntent could not be captured because it has "
                                     "already been captured.");
    if (intent->status != INTENT_REQUIRES_CAPTURE)
        return refuse_state(refusal,
                            "This PaymentIntent could not be captured because it has a status of "
                            "%s. Only a PaymentIntent with one of the following statuses may be "
                            "captured: requires_capture.",
                            intent_status_name(intent->status));
    if (amount > intent->capturable)
        return refuse_amount(refusal, "amount_too_large", "amount_to_capture",
                             "The requested capture amount is greater than the authorized amount.");
    intent->received = amount < 0 ? intent->capturable : amount;
    intent->capturable = 0;
    intent->status = INTENT_SUCCEEDED;
    return true;
}

bool intent_cancel(struct intent *intent, const char *reason, struct refusal *refusal)
{
    switch (intent->status) {
    case INTENT_REQUIRES_PAYMENT_METHOD:
    case INTENT_REQUIRES_CONFIRMATION:
    case INTENT_REQUIRES_ACTION:
    case INTENT_REQUIRES_CAPTURE:
        intent->status = INTENT_CANCELED;
        intent->capturable = 0;
        intent->canceled_s = clock_wall_us() / 1000000;
        snprintf(intent->cancellation_reason, sizeof(intent->cancellation_reason), "%s", reason);
        return true;
    case INTENT_PROCESSING:
    case INTENT_SUCCEEDED:
    case INTENT_CANCELED:
        break;
    }
    return refuse_state(refusal,
                        "You cannot cancel this PaymentIntent because it has a status of %s. Only "
                        "a PaymentIntent with one of the following statuses may be canceled: "
                        "requires_payment_method, requires_capture, requires_confirmation, "
                        "requires_action.",
                        intent_status_name(intent->status));
}

static bool may_refund(const struct intent *intent, int64_t amount, struct refusal *refusal)
{
    int64_t left = intent->received - intent->refunded;

    if (intent->status != INTENT_SUCCEEDED)
        return refuse_amount(refusal, NULL, "payment_intent",
                             "This PaymentIntent does not have a successful charge to refund.");
    if (left == 0)
        return refuse_amount(refusal, "charge_already_refunded", NULL,
                             "The charge has already been refunded.");
    if (amount > left)
        return refuse_amount(refusal, NULL, "amount",
                             "Refund amount is greater than unrefunded amount on charge.");
    return true;
}

static struct refund *add_refund(struct intent *intent, int64_t amount, const char *reason,
                                 const char *metadata)
{
    struct refund *refund = xcalloc(1, sizeof(*refund));

    refund->intent = intent;
    refund->amount = amount;
    refund->created_s = clock_wall_us() / 1000000;
    refund->metadata = xstrdup(metadata);
    make_id(refund->id, "re_");
    snprintf(refund->reason, sizeof(refund->reason), "%s", reason);
    TAILQ_INSERT_HEAD(&intent->refunds, refund, newest_first);
    intent->refunded += amount;
    return refund;
}

struct refund *intent_refund(struct intent *intent, int64_t amount, const char *reason,
                             const char *metadata, struct refusal *refusal)
{
    if (!may_refund(intent, amount, refusal))
        return NULL;
    return add_refund(intent, amount < 0 ? intent->received - intent->refunded : amount, reason,
                      metadata);
}

struct refund *refund_restore(struct intent *intent, const json_t *json)
{
    char *metadata = json_dumps(json_object_get(json, "metadata"), JSON_COMPACT);
    const char *reason = json_string_value(json_object_get(json, "reason"));
    struct refund *refund = add_refund(intent, json_integer_value(json_object_get(json, "amount")),
                                       reason ? reason : "", metadata ? metadata : "{}");

    refund->created_s = json_integer_value(json_object_get(json, "created"));
    snprintf(refund->id, sizeof(refund->id), "%s", json_string_value(json_object_get(json, "id")));
    free(metadata);
    return refund;
}

/* --- create, restore, destroy -------------------------------------------------------------- */

void make_id(char id[INTENT_ID_SIZE], const char *prefix)
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    char drawn[25] = "";
    unsigned char random[24];

    arc4random_buf(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        drawn[i] = letters[random[i] % (sizeof(letters) - 1)];
    snprintf(id, INTENT_ID_SIZE, "%s%s", prefix, drawn);
}

struct intent *intent_create(int64_t amount, const char *currency, const char *method,
                             const char *order, const char *metadata)
{
    struct intent *intent = xcalloc(1, sizeof(*intent));

    make_id(intent->id, "pi_");
    snprintf(intent->currency, sizeof(intent->currency), "%s", currency);
    snprintf(intent->method, sizeof(intent->method), "%s", method);
    intent->status = *method ? INTENT_REQUIRES_CONFIRMATION : INTENT_REQUIRES_PAYMENT_METHOD;
    intent->amount = amount;
    intent->created_s = clock_wall_us() / 1000000;
    intent->order = xstrdup(order);
    intent->metadata = xstrdup(metadata);
    TAILQ_INIT(&intent->refunds);
    return intent;
}

void intent_destroy(struct intent *intent)
{
    struct refund *refund;

    while ((refund = TAILQ_FIRST(&intent->refunds))) {
        TAILQ_REMOVE(&intent->refunds, refund, newest_first);
        free(refund->metadata);
        free(refund);
    }
    free(intent->order);
    free(intent->metadata);
    free(intent);
}
