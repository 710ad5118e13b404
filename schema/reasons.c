#include "schema/reasons.h"

#include <stddef.h>
#include <string.h>

#include "base/memory.h"

/* ops/lib/reasons.py reads these rows. */
static const struct reason rows[] = {
    /* statuses */
    {"accepted", REASON_WAIT, "We have your order."},
    {"processing", REASON_WAIT, "We are taking your payment."},
    {"confirmed", REASON_WAIT, "Your order is paid. We are preparing your parcel."},
    {"fulfilled", REASON_WAIT, "Your parcel is on its way."},
    {"requires_action", REASON_ACT, "Please confirm the payment with your bank."},
    {"payment_failed", REASON_ACT, "Your payment did not go through. Please pay another way."},
    {"out_of_stock", REASON_WAIT,
     "Something you ordered is sold out, so your order is canceled. Nothing was charged."},
    {"on_hold", REASON_WAIT, "We are checking your order. Please do not pay again."},
    {"canceling", REASON_WAIT, "Your order is being canceled."},
    {"canceled", REASON_WAIT, "Your order was canceled. Nothing is kept of your money."},
    {"refunding", REASON_WAIT, "Your money is being given back."},
    {"refunded", REASON_WAIT, "Your money was given back."},
    /* reasons */
    {"customer_action_required", REASON_ACT, "Please confirm the payment with your bank."},
    {"payment_declined", REASON_ACT, "Your payment was declined. Please pay another way."},
    {"payment_canceled_by_provider", REASON_ACT,
     "Your payment was canceled. Please pay another way."},
    {"payment_given_up", REASON_ACT, "Your payment was stopped. Please pay another way."},
    {"payment_not_made", REASON_WAIT,
     "Your order was not paid in time and is canceled. Nothing is kept of your money."},
    {"payment_outcome_unknown", REASON_WAIT,
     "We do not know yet whether your payment went through, and are asking. Please do not pay "
     "again."},
    {"payment_retry", REASON_WAIT,
     "Your payment takes longer than usual. Please do not pay again."},
    {"provider_unavailable", REASON_WAIT,
     "Your payment takes longer than usual. Please do not pay again."},
    {"shipment_outcome_unknown", REASON_WAIT,
     "Your order is paid. Preparing your parcel takes longer than usual."},
    {"shipment_retry", REASON_WAIT,
     "Your order is paid. Preparing your parcel takes longer than usual."},
    {"carrier_unavailable", REASON_WAIT,
     "Your order is paid. Preparing your parcel takes longer than usual."},
    {"integrity_failure", REASON_WAIT, "We are checking your payment. Please do not pay again."},
    {"canceled_on_request", REASON_WAIT,
     "Your order is canceled, as you asked. What was taken of your money is given back."},
    {"shipped_before_cancel", REASON_WAIT,
     "Your parcel was on its way before your order could be canceled."},
    {"undeliverable", REASON_WAIT,
     "We cannot deliver your order. What was taken of your money is given back."},
    {"refund_outcome_unknown", REASON_WAIT,
     "Your money is being given back. It takes longer than usual."},
    {"possible_duplicate", REASON_WAIT,
     "We have two orders of yours that look the same, and ask you before we charge this one."},
    {"needs_operator", REASON_WAIT,
     "One of us is looking at your order. Please do not order or pay again."},
};

const struct reason *reason_of(const char *status, const char *reason)
{
    const char *name = *reason ? reason : status;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    }
    return NULL;
}
