/* What Stripe's answers mean for the customer: why a card was declined, and what he has to do. */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "workers/answer.h"
#include "workers/providers/stripe.h"

enum { NO_CARD = 0, SAME_CARD = 1, ANOTHER_CARD = 2, ANY_CARD = SAME_CARD | ANOTHER_CARD };

/* https://docs.stripe.com/declines/codes.  Who stole a card is not told that it is known. */
static const struct {
    const char *code, *reason;
    unsigned cards;
} reasons[] = {
    {"insufficient_funds", "insufficient_funds", ANY_CARD},
    {"expired_card", "card_expired", ANOTHER_CARD},
    {"do_not_honor", "do_not_honor", ANOTHER_CARD},
    {"call_issuer", "do_not_honor", ANOTHER_CARD},
    {"no_action_taken", "do_not_honor", ANOTHER_CARD},
    {"not_permitted", "do_not_honor", ANOTHER_CARD},
    {"transaction_not_allowed", "do_not_honor", ANOTHER_CARD},
    {"service_not_allowed", "do_not_honor", ANOTHER_CARD},
    {"revocation_of_all_authorizations", "do_not_honor", ANOTHER_CARD},
    {"revocation_of_authorization", "do_not_honor", ANOTHER_CARD},
    {"stop_payment_order", "do_not_honor", ANOTHER_CARD},
    {"security_violation", "do_not_honor", ANOTHER_CARD},
    {"card_velocity_exceeded", "limit_exceeded", ANOTHER_CARD},
    {"withdrawal_count_limit_exceeded", "limit_exceeded", ANOTHER_CARD},
    {"amount_too_large", "limit_exceeded", ANOTHER_CARD},
    {"fraudulent", "fraud_suspected", ANOTHER_CARD},
    {"lost_card", "fraud_suspected", ANOTHER_CARD},
    {"stolen_card", "fraud_suspected", ANOTHER_CARD},
    {"pickup_card", "fraud_suspected", ANOTHER_CARD},
    {"restricted_card", "fraud_suspected", ANOTHER_CARD},
    {"merchant_blacklist", "fraud_suspected", ANOTHER_CARD},
    {"card_not_supported", "card_not_supported", ANOTHER_CARD},
    {"currency_not_supported", "card_not_supported", ANOTHER_CARD},
    {"invalid_account", "card_not_supported", ANOTHER_CARD},
    {"new_account_information_available", "card_not_supported", ANOTHER_CARD},
    {"incorrect_number", "card_details_wrong", ANY_CARD},
    {"invalid_number", "card_details_wrong", ANY_CARD},
    {"incorrect_cvc", "card_details_wrong", ANY_CARD},
    {"invalid_cvc", "card_details_wrong", ANY_CARD},
    {"incorrect_pin", "card_details_wrong", ANY_CARD},
    {"incorrect_zip", "card_details_wrong", ANY_CARD},
    {"incorrect_address", "card_details_wrong", ANY_CARD},
    {"invalid_expiry_month", "card_details_wrong", ANY_CARD},
    {"invalid_expiry_year", "card_details_wrong", ANY_CARD},
    {"authentication_required", "authentication_required", ANY_CARD},
    {"payment_intent_authentication_failure", "authentication_failed", ANY_CARD},
    {"processing_error", "issuer_unavailable", ANY_CARD},
    {"issuer_not_available", "issuer_unavailable", ANY_CARD},
    {"reenter_transaction", "issuer_unavailable", ANY_CARD},
    {"try_again_later", "issuer_unavailable", ANY_CARD},
    {"duplicate_transaction", "duplicate_payment", NO_CARD},
    {"card_declined", "card_declined", ANOTHER_CARD},
    {"generic_decline", "card_declined", ANOTHER_CARD},
};

/* The issuer's word goes before what the code alone says. */
static bool advises_same_card(const char *advice, bool otherwise)
{
    if (strcmp(advice, "do_not_try_again") == 0)
        return false;
    return otherwise || strcmp(advice, "try_again_later") == 0 ||
           strcmp(advice, "confirm_card_data") == 0;
}

void stripe_explain_decline(const char *advice, struct payment_decline *decline)
{
    unsigned cards = ANOTHER_CARD;

    decline->reason = "other";
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        if (strcmp(reasons[i].code, decline->code) != 0)
            continue;
        decline->reason = reasons[i].reason;
        cards = reasons[i].cards;
    }
    decline->retry_same_card = advises_same_card(advice, (cards & SAME_CARD) != 0);
    decline->try_another_card = (cards & ANOTHER_CARD) != 0;
}

static void add_member(struct text *json, const json_t *object, const char *member,
                       const char *name)
{
    char value[NEXT_ACTION_SIZE];

    if (!answer_text(object, member, value, sizeof(value)))
        return;
    text_print(json, ",\"%s\":", name);
    text_add_json(json, value);
}

/* A page to send the customer to, or the secret for Stripe's own code in the browser (or both). */
void stripe_read_next_action(const json_t *intent, char action[NEXT_ACTION_SIZE])
{
    const json_t *told = json_object_get(intent, "next_action");
    char type[PROVIDER_CODE_SIZE];
    CLEANUP(text_finish) struct text json;

    text_init(&json, NEXT_ACTION_SIZE - 1);
    action[0] = '\0';
    if (!answer_code(told, "type", type, sizeof(type)))
        return;
    text_print(&json, "{\"type\":\"%s\"", type);
    add_member(&json, json_object_get(told, "redirect_to_url"), "url", "url");
    add_member(&json, intent, "client_secret", "client_secret");
    text_add(&json, "}");
    if (!json.cut)
        memcpy(action, json.bytes, json.length + 1);
}
