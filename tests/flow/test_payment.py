"""Every answer of the provider, and every end of a payment: one charge or none, and it is told."""
import pytest

from docket_local import order

from harness import must, wait_for
from harness.outcomes import (WORKER, attempt, available, dead_letter, facts, kinds, open_quick_shop,
                              paying_with, post, post_before_payment, post_many, task,
                              wait_all, wait_dead, wait_task)

DECLINED = {"pm_card_visa_chargeDeclined": "generic_decline",
            "pm_card_chargeDeclinedInsufficientFunds": "insufficient_funds",
            "pm_card_visa_chargeDeclinedLostCard": "lost_card",
            "pm_card_chargeDeclinedExpiredCard": "expired_card",
            "pm_card_chargeDeclinedIncorrectCvc": "incorrect_cvc",
            "pm_card_chargeDeclinedFraudulent": "fraudulent",
            "pm_card_chargeDeclinedProcessingError": "processing_error"}
ASKS_CUSTOMER = "pm_card_threeDSecureRequired"
# Whatever a call does, and whatever its caller sees of it.  delay: longer than anybody waits for it.
TROUBLES = {"act_then_hang": {}, "act_then_reset": {}, "act_then_500": {}, "torn": {}, "hang": {},
            "reset": {}, "fail_500": {}, "rate_limit": {"ms": 900}, "unavailable": {},
            "delay": {"ms": 1000}, "drip": {"ms": 300}}


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    return open_quick_shop(docket)


@pytest.fixture(autouse=True)
def leave_no_faults(shop):
    yield
    shop.no_faults()


def test_an_order_is_paid_and_shipped_step_by_step(shop):
    public = post(shop)
    shop.wait_status(public, "fulfilled")
    must(kinds(shop, public), ["accepted", "payment_started", "payment_sent", "paid",
                               "fulfilment_started", "shipped"], "its timeline")
    must(len(facts(shop, "charge", public)), 1, "charges")
    must([fact["amount"] for fact in facts(shop, "charge", public)], [7020], "what was charged")
    shop.books().must_balance()


def test_each_decline_is_final_for_the_payment_gives_the_stock_back_and_ends_canceled(shop):
    before = available(shop, "TEA-EARL-250")
    orders = {post(shop, **paying_with(method)): code for method, code in DECLINED.items()}
    wait_all(shop, orders, "payment_failed", "canceled")
    for public, code in orders.items():
        must(attempt(shop, public)[3], code, f"the decline of {public}")
    wait_for(lambda: available(shop, "TEA-EARL-250") == before, 10, "the stock is back")
    wait_all(shop, orders, "canceled")
    must(facts(shop, "charge", *orders), [], "charges")
    must(len(facts(shop, "cancel", *orders)), len(orders), "intents that were fenced off")
    must(task(shop, next(iter(orders)))[0], "done", "the task")
    shop.books().must_balance()


def test_an_order_that_waits_for_its_customer_is_canceled_in_the_end(shop):
    public = post(shop, **paying_with(ASKS_CUSTOMER))
    shop.wait_status(public, "requires_action")
    shop.wait_status(public, "canceled")
    must(len(facts(shop, "cancel", public)), 1, "the intent is fenced off")
    must(facts(shop, "charge", public), [], "charges")
    shop.books().must_balance()


def test_woocommerce_gateway_stripe_5268_the_provider_is_asked_before_an_order_is_canceled(shop):
    """The customer has agreed, and nobody told us: at the end of the wait the provider does."""
    public = post(shop, **paying_with(ASKS_CUSTOMER))
    shop.wait_status(public, "requires_action")
    intent = attempt(shop, public)[1]
    answer = shop.sandbox.post(f"/sandbox/intents/{intent}/finish", {"as": "succeeded"})
    must(answer.status, 200, "the customer agrees")
    shop.wait_status(public, "fulfilled")
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()


def test_vendure_3065_what_is_out_of_stock_is_canceled_and_no_money_is_asked_for(shop):
    body = {"lines": [{"sku": "LAST-ONE", "quantity": 1}],
            "expected_total": {"amount": 10390, "currency": "EUR"}}
    orders = post_many(shop, 5, **body)
    wait_all(shop, orders, "fulfilled", "canceled")
    must(sorted(shop.status(public) for public in orders), ["canceled"] * 4 + ["fulfilled"],
         "one is lucky")
    unlucky = [public for public in orders if shop.status(public) == "canceled"]
    must(facts(shop, "intent", *unlucky), [], "intents of the others")
    must(available(shop, "LAST-ONE"), 0, "pieces left")
    shop.books().must_balance()


def one_order_a_trouble(shop, op, times=2, also=None, **changes):
    """order → the trouble that its first calls of this kind meet"""
    orders = dict(zip(post_before_payment(shop, len(TROUBLES), **changes), TROUBLES))
    for public, trouble in orders.items():
        shop.fault(op, trouble, order=public, times=times, **TROUBLES[trouble])
        if also:
            shop.fault(*also, order=public, times=1)
    shop.thaw("payment")
    return orders


def keys(shop, orders):
    """trouble → the number that its charge's key ends in"""
    return {orders[fact["order"]]: fact["key"].rpartition("-")[2]
            for fact in facts(shop, "charge", *orders)}


def test_whatever_becomes_of_a_create_there_is_one_charge(shop):
    orders = one_order_a_trouble(shop, "create")
    wait_all(shop, orders, "fulfilled")
    must(len(facts(shop, "charge", *orders)), len(orders), "charges")
    shop.books().must_balance()


def test_woocommerce_gateway_stripe_489_whatever_becomes_of_a_confirm_there_is_one_charge(shop):
    """A 500, a time-out, a reset after the charge: the key is the attempt's, the intent is looked
    up, and only a confirm that did not act is repeated, under the next key if it left an answer."""
    orders = one_order_a_trouble(shop, "confirm", times=1)
    wait_all(shop, orders, "fulfilled")
    must(len(facts(shop, "charge", *orders)), len(orders), "charges")
    ended_in = keys(shop, orders)
    for trouble in ("act_then_hang", "act_then_reset", "act_then_500", "torn", "rate_limit",
                    "delay", "drip"):
        must(ended_in[trouble], "1", f"the key that charged, after {trouble}")
    for trouble in ("hang", "reset", "fail_500", "unavailable"):
        must(ended_in[trouble], "2", f"the key that charged, after {trouble}")
    shop.books().must_balance()


def test_a_confirm_that_fails_twice_is_charged_once(shop):
    orders = one_order_a_trouble(shop, "confirm", times=2)
    wait_all(shop, orders, "fulfilled")
    must(len(facts(shop, "charge", *orders)), len(orders), "charges")
    shop.books().must_balance()


def test_saleor_12652_what_is_unknown_is_looked_up_until_there_is_evidence(shop):
    orders = one_order_a_trouble(shop, "retrieve", also=("confirm", "act_then_reset"))
    wait_all(shop, orders, "fulfilled")
    for public in orders:
        must(attempt(shop, public)[2], 1, f"confirms of {public}")
        assert "payment_unknown" in kinds(shop, public), kinds(shop, public)
    must(len(facts(shop, "charge", *orders)), len(orders), "charges")
    shop.books().must_balance()


def test_whatever_becomes_of_a_cancel_the_intent_is_fenced_off(shop):
    orders = one_order_a_trouble(shop, "cancel", times=1,
                                 **paying_with("pm_card_visa_chargeDeclined"))
    wait_all(shop, orders, "canceled")
    must(len(facts(shop, "cancel", *orders)), len(orders), "intents that were fenced off")
    shop.books().must_balance()


def test_hyperswitch_2380_an_unknown_payment_never_becomes_a_failure(shop):
    """No evidence for more look-ups than there are attempts: it is on hold, then it is paid."""
    shop.restart("payment", env=WORKER | {"DOCKET_UNKNOWN_SLA_S": 1})
    [public] = post_before_payment(shop)
    shop.fault("confirm", "act_then_reset", order=public, times=1)
    shop.fault("retrieve", "unavailable", order=public)
    shop.thaw("payment")
    shop.wait_status(public, "on_hold")
    wait_for(lambda: task(shop, public)[1] > WORKER["DOCKET_ATTEMPTS_MAX"], 20, "nine look-ups")
    must(task(shop, public)[0] in ("waiting", "ready", "running"), True, "it goes on")
    shop.no_faults()
    shop.wait_status(public, "fulfilled")
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()
    shop.restart("payment", env=WORKER)


def seconds_between(shop, public, kind, following):
    """From the first event of one kind to the next of the other."""
    events = shop.sql("SELECT kind, extract(epoch FROM at)::float FROM order_event "
                      "WHERE order_id = %s ORDER BY version", order.to_uuid(public))
    first = next(n for n, event in enumerate(events) if event[0] == kind)
    return next(at for name, at in events[first:] if name == following) - events[first][1]


def test_a_provider_that_asks_for_patience_gets_it(shop):
    [public] = post_before_payment(shop)
    shop.fault("confirm", "rate_limit", order=public, times=1, ms=3000)
    shop.thaw("payment")
    shop.wait_status(public, "fulfilled")
    pause = seconds_between(shop, public, "retry", "payment_started")
    assert pause >= 3, f"asked again after {pause:.1f} s"
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()


def test_a_call_that_still_runs_is_waited_for_under_its_key(shop):
    """409 idempotency_key_in_use: the first create is still at work when it is repeated."""
    [public] = post_before_payment(shop)
    shop.fault("create", "delay", order=public, times=1, ms=3500)
    shop.thaw("payment")
    shop.wait_status(public, "fulfilled")
    codes = [row[0] for row in shop.sql("SELECT detail->>'code' FROM order_event WHERE order_id = "
                                        "%s AND kind = 'retry'", order.to_uuid(public))]
    assert "idempotency_key_in_use" in codes, codes
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()


def test_vendure_2620_there_is_one_open_payment_and_one_intent_is_charged(shop):
    """The answer of each create is lost, so that several intents are there."""
    [public] = post_before_payment(shop)
    shop.fault("create", "act_then_500", order=public, times=4)
    shop.thaw("payment")
    shop.wait_status(public, "fulfilled")
    charges = facts(shop, "charge", public)
    must([fact["intent"] for fact in charges], [attempt(shop, public)[1]], "the intent charged")
    assert len(facts(shop, "intent", public)) > 1, "the test wants more than one intent"
    shop.books().must_balance()


def give_up(shop, public, code):
    wait_dead(shop, public)
    must(dead_letter(shop, public)[2], code, f"why {public} gave up")
    must(shop.status(public), "on_hold", f"status of {public}")
    must(facts(shop, "charge", public), [], "charges")


def make_intent(shop, public, amount, key=None):
    answer = shop.sandbox.request(
        "POST", "/v1/payment_intents",
        f"amount={amount}&currency=eur&payment_method=pm_card_visa&metadata[order_id]={public}",
        {"Authorization": "Bearer sk_test", "Content-Type": "application/x-www-form-urlencoded",
         **({"Idempotency-Key": key} if key else {})})
    must(answer.status, 200, answer)
    return answer.json["id"]


def test_another_4xx_is_our_fault_and_never_a_decline(shop):
    """The key is taken by other parameters: Stripe answers 400."""
    [public] = post_before_payment(shop)
    make_intent(shop, public, 1, key=f"{public}-1-create-1")
    shop.thaw("payment")
    wait_dead(shop, public)
    must(dead_letter(shop, public)[:2], (1, "broken"), "stage and kind of the fault")
    must(shop.status(public), "on_hold", "status")
    must(attempt(shop, public)[3], "", "it is no decline")
    shop.books().must_balance()


@pytest.mark.parametrize("about", ("another_amount", "another_order"))
def test_woocommerce_payments_3784_an_intent_that_is_not_this_order_s_is_never_adopted(shop, about):
    public = post(shop, **paying_with(ASKS_CUSTOMER))
    shop.wait_status(public, "requires_action")
    strange = make_intent(shop, public, 1) if about == "another_amount" else \
        make_intent(shop, "ord_" + "0" * 26, 7020)
    shop.sql("UPDATE payment_attempt SET intent_id = %s WHERE order_id = %s", strange,
             order.to_uuid(public))
    give_up(shop, public, "integrity_failure")
    must(attempt(shop, public)[0], 8, "state of the payment")
    shop.books().must_balance()


def test_what_fails_too_often_is_a_dead_letter_with_its_history_and_is_replayed(shop):
    [public] = post_before_payment(shop)
    shop.fault("create", "unavailable", order=public)
    shop.thaw("payment")
    wait_dead(shop, public)
    stage, kind, _, attempts, history = dead_letter(shop, public)
    must((stage, kind, attempts), (1, "transient", 8), "stage, kind, attempts")
    must([event["kind"] for event in history], ["accepted", "payment_started"] +
         ["retry", "due", "payment_started"] * 7, "its history")
    must(shop.status(public), "on_hold", "status")
    shop.no_faults()
    number = shop.one("SELECT id FROM dead_letter WHERE order_id = %s", order.to_uuid(public))
    shop.docket("dead", "replay", str(number), "--reason", "it is back")
    shop.wait_status(public, "fulfilled")
    must(shop.one("SELECT state FROM dead_letter WHERE id = %s", number), "resolved", "the letter")
    shop.books().must_balance()


def test_spree_9265_the_same_order_posted_twenty_times_at_once_is_one(shop):
    """Double clicks, retries, a second tab: also magento 13952 and woocommerce 62659."""
    from concurrent.futures import ThreadPoolExecutor
    body = shop.order_body(cart_id="cart-of-twenty-clicks")
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda n: shop.post_until_told(body, f"click-{n % 4}"), range(20)))
    must({answer.status for answer in told} <= {200, 202}, True, "all are told of an order")
    [public] = {answer.id for answer in told}
    shop.wait_status(public, "fulfilled")
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()
