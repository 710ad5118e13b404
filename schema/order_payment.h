/* schema/order_payment.h - the life of a payment attempt: the rules of order_decide() for it
 *
 * One function a verdict; order_state.c has seen that it makes sense in these facts.
 */
#pragma once

#include "schema/order_state.h"

void order_payment_reserved(const struct order_facts *facts, const struct order_lesson *lesson,
                            struct order_change *change);
void order_payment_out_of_stock(const struct order_facts *facts, const struct order_lesson *lesson,
                                struct order_change *change);
void order_payment_duplicate(const struct order_facts *facts, const struct order_lesson *lesson,
                             struct order_change *change);
void order_payment_intent_stored(const struct order_facts *facts, const struct order_lesson *lesson,
                                 const struct order_policy *policy, struct order_change *change);
void order_payment_paid(const struct order_facts *facts, const struct order_lesson *lesson,
                        struct order_change *change);
void order_payment_declined(const struct order_facts *facts, const struct order_lesson *lesson,
                            const struct order_policy *policy, struct order_change *change);
void order_payment_requires_action(const struct order_facts *facts,
                                   const struct order_lesson *lesson,
                                   const struct order_policy *policy, struct order_change *change);
void order_payment_open(const struct order_facts *facts, const struct order_lesson *lesson,
                        const struct order_policy *policy, struct order_change *change);
void order_payment_voided(const struct order_facts *facts, const struct order_lesson *lesson,
                          const struct order_policy *policy, struct order_change *change);
void order_payment_integrity(const struct order_facts *facts, const struct order_lesson *lesson,
                             struct order_change *change);

/* An unknown payment is on hold by now. */
bool order_payment_goes_on_hold(const struct order_facts *facts, const struct order_policy *policy);
/* The reason of an order that waits for its customer; NULL: it does not. */
const char *order_payment_waits_for(const struct order_facts *facts);
