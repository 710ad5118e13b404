/* ops/sandbox/cards.h - the test cards: which token does what
 *
 * The names are those of Stripe's testing page, so that the same tests run against either.
 */
#pragma once

/* One way in which a payment fails: code and decline_code as Stripe tells them. */
struct decline {
    const char *code, *decline_code; /* decline_code NULL: the code has none */
    const char *advice;              /* advice_code, or NULL */
    const char *message;
};

enum card_behaviour {
    CARD_PAYS,
    CARD_DECLINED,
    CARD_ASKS,   /* requires_action: 3-D Secure, ended by POST /sandbox/intents/{id}/finish */
    CARD_LINGERS /* processing, until the same */
};

struct card {
    const char *token;
    enum card_behaviour behaviour;
    const char *decline; /* of CARD_DECLINED; of CARD_ASKS: after the customer has agreed */
};

const struct card *card_find(const char *token); /* NULL: no such payment method */
/* By decline_code, or by code where no decline_code says more. */
const struct decline *decline_find(const char *code);
const char *decline_codes(void); /* for messages: "generic_decline, insufficient_funds, ..." */
