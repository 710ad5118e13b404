#include "ops/sandbox/cards.h"

#include <stddef.h>
#include <string.h>

#include "base/memory.h"

static const struct card cards[] = {
    {"pm_card_visa", CARD_PAYS, NULL},
    {"pm_card_visa_debit", CARD_PAYS, NULL},
    {"pm_card_mastercard", CARD_PAYS, NULL},
    {"pm_card_amex", CARD_PAYS, NULL},
    {"pm_card_visa_chargeDeclined", CARD_DECLINED, "generic_decline"},
    {"pm_card_chargeDeclined", CARD_DECLINED, "generic_decline"},
    {"pm_card_chargeCustomerFail", CARD_DECLINED, "generic_decline"},
    {"pm_card_visa_chargeDeclinedInsufficientFunds", CARD_DECLINED, "insufficient_funds"},
    {"pm_card_chargeDeclinedInsufficientFunds", CARD_DECLINED, "insufficient_funds"},
    {"pm_card_visa_chargeDeclinedLostCard", CARD_DECLINED, "lost_card"},
    {"pm_card_visa_chargeDeclinedStolenCard", CARD_DECLINED, "stolen_card"},
    {"pm_card_visa_chargeDeclinedFraudulent", CARD_DECLINED, "fraudulent"},
    {"pm_card_chargeDeclinedFraudulent", CARD_DECLINED, "fraudulent"},
    {"pm_card_chargeDeclinedExpiredCard", CARD_DECLINED, "expired_card"},
    {"pm_card_chargeDeclinedIncorrectCvc", CARD_DECLINED, "incorrect_cvc"},
    {"pm_card_chargeDeclinedProcessingError", CARD_DECLINED, "processing_error"},
    {"pm_card_authenticationRequired", CARD_ASKS, NULL},
    {"pm_card_threeDSecureRequired", CARD_ASKS, NULL},
    {"pm_card_threeDSecure2Required", CARD_ASKS, NULL},
    {"pm_card_authenticationRequiredChargeDeclinedInsufficientFunds", CARD_ASKS,
     "insufficient_funds"},
    {"pm_usBankAccount_processing", CARD_LINGERS, NULL},
};

static const struct decline declines[] = {
    {"card_declined", "generic_decline", NULL, "Your card was declined."},
    {"card_declined", "insufficient_funds", "try_again_later", "Your card has insufficient funds."},
    {"card_declined", "do_not_honor", "try_again_later", "Your card was declined."},
    {"card_declined", "lost_card", "do_not_try_again", "Your card was declined."},
    {"card_declined", "stolen_card", "do_not_try_again", "Your card was declined."},
    {"card_declined", "fraudulent", "do_not_try_again", "Your card was declined."},
    {"expired_card", "expired_card", "confirm_card_data", "Your card has expired."},
    {"incorrect_cvc", "incorrect_cvc", "confirm_card_data",
     "Your card's security code is incorrect."},
    {"processing_error", "processing_error", "try_again_later",
     "An error occurred while processing your card. Try again in a little bit."},
    {"authentication_required", "authentication_required", NULL,
     "Your card was declined. This transaction requires authentication."},
    {"payment_intent_authentication_failure", NULL, NULL,
     "The provided payment method has failed authentication."},
    {"payment_intent_payment_attempt_failed", NULL, NULL, "The payment failed."},
};

const struct card *card_find(const char *token)
{
    for (size_t i = 0; i < ARRAY_SIZE(cards); i++)
        if (strcmp(cards[i].token, token) == 0)
            return &cards[i];
    return NULL;
}

const struct decline *decline_find(const char *code)
{
    for (size_t i = 0; i < ARRAY_SIZE(declines); i++)
        if (declines[i].decline_code && strcmp(declines[i].decline_code, code) == 0)
            return &declines[i];
    for (size_t i = 0; i < ARRAY_SIZE(declines); i++)
        if (strcmp(declines[i].code, code) == 0)
            return &declines[i];
    return NULL;
}

const char *decline_codes(void)
{
    return "card_declined, generic_decline, insufficient_funds, do_not_honor, lost_card, "
           "stolen_card, fraudulent, expired_card, incorrect_cvc, processing_error, "
           "authentication_required";
}
