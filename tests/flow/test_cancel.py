"""An order is taken back at every moment of its life: before money, while a payment is under way, after
it, and too late.  Each test ends in the comparison of the three books."""
import pytest

from docket_local import order
from docket_local.problem import Problem
from harness import must, wait_for
from harness.client import new_key
from harness.outcomes import (WORKER, attempt, available, dead_letter, facts, kinds, open_quick_shop,
                              paying_with, post, post_many, task, wait_all, wait_dead)

ASKS_CUSTOMER = "pm_card_threeDSecureRequired"
DECLINED = "pm_card_visa_chargeDeclined"
TROUBLES = {"act_then_hang": {}, "act_then_reset": {}, "act_then_500": {}, "torn": {}, "hang": {},
            "reset": {}, "fail_500": {}, "rate_limit": {"ms": 900}, "unavailable": {},
            "delay": {"ms": 1000}, "drip": {"ms": 300}}


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    return open_quick_shop(docket, DOCKET_CUSTOMER_WAIT_S=60)


@pytest.fixture(autouse=True)
def leave_no_faults(shop):
    yield
    shop.no_faults()


def token(shop, public):
    return next(told.answer.json["client_token"] for told in shop.told if told.id == public)


def cancel(shop, public, body=None, client=None, **headers):
    """As the customer does, with the order's token."""
    return (client or shop.api).post(f"/v1/orders/{public}/cancel", body,
                                     headers={"Client-Token": token(shop, public), **headers})


def must_cancel(shop, *orders):
    for public in orders:
        answer = cancel(shop, public)
        assert answer.status == 202, answer
        must(answer.json["status"], "canceling", "what the customer is told")
        must(answer.json["reason"], "canceled_on_request", "why")
        assert "cancel" not in answer.json["links"], answer.json


def test_before_any_money_it_is_canceled_and_its_stock_is_there_again(shop):
    before = available(shop, "TEA-EARL-250")
    shop.freeze("payment")
    public = post(shop)
    assert cancel(shop, public).json["status"] == "canceling"
    shop.thaw("payment")
    shop.wait_status(public, "canceled")
    must(facts(shop, "intent", public), [], "intents")
    must(available(shop, "TEA-EARL-250"), before, "pieces available")
    again = cancel(shop, public)
    must((again.status, again.json["status"], again.json["final"]), (200, "canceled", True), "told again")
    shop.books().must_balance()


def test_a_payment_that_waits_for_the_customer_or_was_declined_is_voided(shop):
    before = available(shop, "TEA-EARL-250")
    waiting, declined = (post(shop, **paying_with(method)) for method in (ASKS_CUSTOMER, DECLINED))
    shop.wait_status(waiting, "requires_action")
    shop.wait_status(declined, "payment_failed")
    must_cancel(shop, waiting, declined)
    wait_all(shop, (waiting, declined), "canceled")
    must(len(facts(shop, "cancel", waiting, declined)), 2, "intents that were fenced off")
    must(facts(shop, "charge", waiting, declined), [], "charges")
    must(available(shop, "TEA-EARL-250"), before, "pieces available")
    must([task(shop, public)[0] for public in (waiting, declined)], ["done"] * 2, "the payments' tasks")
    shop.books().must_balance()


def test_what_is_paid_and_not_shipped_is_given_back_in_full(shop):
    before = available(shop, "TEA-EARL-250")
    shop.freeze("fulfilment")
    public = post(shop)
    shop.wait_status(public, "confirmed")
    must_cancel(shop, public)
    shop.wait_status(public, "refunded")
    shop.thaw("fulfilment")
    must([fact["amount"] for fact in facts(shop, "refund", public)], [7020], "refunds")
    body = shop.read.get(f"/v1/orders/{public}").json
    must(body["refunded"], {"amount": 7020, "currency": "EUR"}, "what the customer sees")
    must((body["final"], "cancel" in body["links"]), (True, False), "it is over")
    must(available(shop, "TEA-EARL-250"), before, "pieces available")
    must(kinds(shop, public)[-7:], ["cancel_requested", "cancel_started", "found_paid", "refund_started",
                                    "refund_opened", "refund_sent", "refunded"], "its end")
    must(facts(shop, "shipment", public), [], "shipments")
    shop.books().must_balance()


def test_what_is_shipped_cannot_be_canceled(shop):
    public = post(shop)
    shop.wait_status(public, "fulfilled")
    answer = cancel(shop, public)
    must((answer.status, answer.json["code"]), (409, "order_shipped"), "what the customer is told")
    with pytest.raises(Problem, match="docket order refund"):
        shop.docket("order", "cancel", public, "--reason", "test")
    must(shop.status(public), "fulfilled", "status")
    shop.books().must_balance()


def freeze_confirm(shop, trouble="delay", ms=600, **changes):
    """An order whose confirm is under way and will not be answered for a while."""
    shop.freeze("payment")
    public = post(shop, **changes)
    shop.fault("confirm", trouble, order=public, times=1, **({"ms": ms} if ms else {}))
    shop.thaw("payment")
    wait_for(lambda: "payment_sent" in kinds(shop, public), 10, "the confirm is about to be sent")
    return public


def test_while_a_capture_is_in_flight_it_ends_void_or_refunded_whichever_is_true(shop):
    shop.freeze("fulfilment")  # on a slow machine some are paid before they are canceled
    orders = [freeze_confirm(shop, trouble, ms) for trouble, ms in
              (("delay", 400), ("act_then_hang", None), ("act_then_reset", None), ("hang", None),
               ("act_then_500", None), ("fail_500", None))]
    must_cancel(shop, *orders)
    wait_all(shop, orders, "canceled", "refunded")
    shop.thaw("fulfilment")
    for public in orders:
        charged = bool(facts(shop, "charge", public))
        must(shop.status(public), "refunded" if charged else "canceled", f"the end of {public}")
        must(bool(facts(shop, "cancel", public)), not charged, f"{public} is fenced off")
    shop.books().must_balance()


def test_what_the_bank_has_not_decided_is_canceled_or_given_back_once_it_has(shop):
    """The provider can not cancel it meanwhile."""
    taken, refused = (post(shop, **paying_with("pm_usBankAccount_processing")) for _ in range(2))
    for public in (taken, refused):
        wait_for(lambda public=public: "payment_unknown" in kinds(shop, public), 20, "it is not known")
    must_cancel(shop, taken, refused)
    for public, decision in ((taken, "succeeded"), (refused, "failed")):
        wait_for(lambda public=public: shop.read.get(f"/v1/orders/{public}").json["reason"] == "payment_outcome_unknown",
                 20, "it was asked for")
        must(shop.status(public), "canceling", "status")
        intent = attempt(shop, public)[1]
        must(shop.sandbox.post(f"/sandbox/intents/{intent}/finish", {"as": decision}).status, 200, "the bank")
    shop.wait_status(taken, "refunded")
    shop.wait_status(refused, "canceled")
    must((len(facts(shop, "refund", taken)), len(facts(shop, "cancel", refused))), (1, 1), "refunds and cancels")
    shop.books().must_balance()


def test_a_cancel_overtakes_a_worker_that_sleeps_on_its_claim(shop):
    """The other worker cancels at once; the sleeper writes nothing when it wakes."""
    quick = WORKER | {"DOCKET_CUSTOMER_WAIT_S": 60}
    shop.restart("payment", env=quick | {"DOCKET_PROVIDER_TIMEOUT_MS": 20000})
    public = freeze_confirm(shop, "delay", 4000)
    shop.freeze("payment")
    shop.start("payment", env=quick, label="payment2")
    must_cancel(shop, public)
    shop.wait_status(public, "canceled", "refunded", deadline_s=40)
    version = shop.one("SELECT version FROM orders WHERE id = %s", order.to_uuid(public))
    shop.thaw("payment")
    wait_for(lambda: task(shop, public)[0] == "done", 10, "the sleeper's task is done")
    shop.stop("payment2")
    shop.restart("payment", env=quick)
    must(shop.one("SELECT version FROM orders WHERE id = %s", order.to_uuid(public)), version,
         "its version at the end")
    shop.books().must_balance()


@pytest.mark.parametrize("op", ("cancel", "retrieve"))
def test_whatever_becomes_of_the_call_that_cancels_the_payment_is_voided(shop, op):
    orders = post_many(shop, len(TROUBLES), **paying_with(ASKS_CUSTOMER))
    wait_all(shop, orders, "requires_action")
    for public, trouble in zip(orders, TROUBLES):
        shop.fault(op, trouble, order=public, times=2, **TROUBLES[trouble])
    must_cancel(shop, *orders)
    wait_all(shop, orders, "canceled")
    must(len(facts(shop, "cancel", *orders)), len(orders), "intents that were fenced off")
    shop.books().must_balance()


def test_whatever_becomes_of_the_call_that_gives_back_it_is_given_back_once(shop):
    shop.freeze("fulfilment")
    orders = post_many(shop, len(TROUBLES))
    wait_all(shop, orders, "confirmed")
    for public, trouble in zip(orders, TROUBLES):
        shop.fault("refund", trouble, order=public, times=2, **TROUBLES[trouble])
    must_cancel(shop, *orders)
    wait_all(shop, orders, "refunded", deadline_s=60)
    shop.thaw("fulfilment")
    must(len(facts(shop, "refund", *orders)), len(orders), "refunds")
    shop.books().must_balance()


def asked_of_the_carrier(shop, trouble, **more):
    """A paid order that the carrier was asked to ship."""
    shop.freeze("fulfilment")
    public = post(shop)
    shop.wait_status(public, "confirmed")
    shop.fault("ship", trouble, order=public, **more)
    shop.thaw("fulfilment")
    wait_for(lambda: "fulfilment_started" in kinds(shop, public), 10, "the carrier is asked")
    return public


def test_an_order_that_the_carrier_may_have_is_looked_up_there_first(shop):
    """Away: nothing is shipped, and it is refunded.  Acted and did not say so: it is too late."""
    away, gone = asked_of_the_carrier(shop, "unavailable"), asked_of_the_carrier(shop, "act_then_hang")
    must_cancel(shop, away, gone)
    shop.wait_status(gone, "fulfilled")
    must(shop.read.get(f"/v1/orders/{gone}").json["reason"], "shipped_before_cancel", "why")
    shop.wait_status(away, "refunded")
    must(facts(shop, "shipment", away), [], "shipments")
    must(facts(shop, "refund", gone), [], "refunds")
    shop.books().must_balance()


def test_a_part_that_is_on_its_way_back_gives_nothing_back_of_what_may_be_shipped(shop):
    """The carrier acted and nobody has heard of it; a part is given back meanwhile, and it is canceled."""
    public = asked_of_the_carrier(shop, "act_then_reset", times=1)
    shop.fault("lookup", "unavailable", order=public)
    shop.docket("order", "refund", public, "--amount", "100", "--reason", "a courtesy")
    must_cancel(shop, public)
    wait_for(lambda: len(facts(shop, "refund", public)) == 1 and task(shop, public, "refund")[0] == "done", 20,
             "the part is given back, and that is all")
    must(shop.status(public), "canceling", "whether it is shipped is not known")
    shop.no_faults()
    shop.wait_status(public, "fulfilled")
    must([fact["amount"] for fact in facts(shop, "refund", public)], [100], "refunds")
    must(len(facts(shop, "shipment", public)), 1, "shipments")
    shop.books().must_balance()


def test_what_the_carrier_refuses_for_good_is_given_back_and_its_stock_is_there_again(shop):
    before = available(shop, "TEA-EARL-250")
    public = asked_of_the_carrier(shop, "decline", code="address_undeliverable")
    shop.wait_status(public, "refunded")
    must(shop.read.get(f"/v1/orders/{public}").json["reason"], "undeliverable", "why")
    must([fact["amount"] for fact in facts(shop, "refund", public)], [7020], "refunds")
    must(available(shop, "TEA-EARL-250"), before, "pieces available")
    must([row[2] for row in shop.events(public)[-3:]], ["refunding", "refunding", "refunded"], "its way")
    shop.books().must_balance()


def test_a_compensation_that_fails_for_good_is_on_hold_and_goes_on_when_it_is_replayed(shop):
    shop.freeze("fulfilment")
    public = post(shop)
    shop.wait_status(public, "confirmed")
    shop.fault("ship", "decline", order=public, code="address_undeliverable")
    shop.fault("retrieve", "unavailable", order=public)
    shop.thaw("fulfilment")
    wait_dead(shop, public)
    must((shop.status(public), dead_letter(shop, public)[0]), ("on_hold", 4), "status and stage")
    shop.no_faults()
    number = shop.one("SELECT id FROM dead_letter WHERE order_id = %s", order.to_uuid(public))
    shop.docket("dead", "replay", str(number), "--reason", "it is back")
    shop.wait_status(public, "refunded")
    must(len(facts(shop, "refund", public)), 1, "refunds")
    must(shop.one("SELECT state FROM dead_letter WHERE id = %s", number), "resolved", "the letter")
    shop.books().must_balance()


def test_a_transient_failure_after_money_moved_goes_forward(shop):
    public = asked_of_the_carrier(shop, "unavailable", times=2)
    shop.wait_status(public, "fulfilled")
    must(facts(shop, "refund", public), [], "refunds")
    shop.books().must_balance()


def test_an_operator_s_way_a_dead_fulfilment_is_canceled_and_its_letter_is_closed(shop):
    public = asked_of_the_carrier(shop, "unavailable")
    shop.fault("lookup", "unavailable")
    wait_dead(shop, public, deadline_s=30)
    shop.no_faults()
    printed = shop.docket("order", "cancel", public, "--reason", "the carrier has lost it")
    assert "canceling" in printed, printed
    shop.wait_status(public, "refunded")
    must(shop.one("SELECT state FROM dead_letter WHERE order_id = %s", order.to_uuid(public)), "resolved",
         "the letter")
    must(shop.one("SELECT reason FROM audit WHERE act = 'order cancel' AND target = %s",
                  f"order {order.to_uuid(public)}"), "the carrier has lost it", "the audit")
    shop.books().must_balance()


def test_who_may_cancel(shop):
    shop.freeze("payment")
    public, other = post(shop), post(shop)
    server = type(shop.api)(shop.port("api"), shop.make_key("checkout,orders:read"))
    wrong = shop.api.post(f"/v1/orders/{public}/cancel", headers={"Client-Token": token(shop, other)})
    must((wrong.status, wrong.json["code"]), (404, "order_not_found"), "with another's token")
    must(shop.read.post(f"/v1/orders/{public}/cancel").status, 403, "with a key that only reads")
    must(server.post(f"/v1/orders/{public}/cancel").status, 202, "with a server's key")
    must(cancel(shop, other, {"reason": "too dear"}, **{"Idempotency-Key": new_key()}).status, 202,
         "with the token, a reason and a key")
    must(cancel(shop, other, {"why": "?"}).status, 422, "with an unknown field")
    must(shop.one("SELECT detail->>'reason' FROM order_event WHERE order_id = %s AND "
                  "kind = 'cancel_requested'", order.to_uuid(other)), "too dear", "the reason kept")
    shop.thaw("payment")
    wait_all(shop, (public, other), "canceled")
    shop.books().must_balance()
