"""docket payment resolve: an operator settles what no look-up can, once, with evidence."""
from concurrent.futures import ThreadPoolExecutor

import pytest

from docket_local import order
from docket_local.problem import Problem
from harness import must, wait_for
from harness.outcomes import (WORKER, attempt, available, begun, facts, kinds,
                              open_quick_shop, pay_again, paying_with, payment_of, post,
                              post_before_payment, wait_dead, wait_payable)

SKU = "TEA-EARL-250"


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    return open_quick_shop(docket, DOCKET_CUSTOMER_WAIT_S=600)


@pytest.fixture(autouse=True)
def leave_no_faults(shop):
    yield
    shop.no_faults()


def unknown(shop, confirm="reset"):
    """An order whose payment no look-up can settle."""
    [public] = post_before_payment(shop)
    shop.fault("confirm", confirm, order=public)
    shop.fault("retrieve", "unavailable", order=public)
    shop.thaw("payment")
    wait_for(lambda: "payment_unknown" in kinds(shop, public), 20, "an unknown payment")
    return public


def resolve(shop, public, told_as, evidence="line 17 of their statement"):
    return shop.docket("payment", "resolve", public, "--as", told_as, "--evidence", evidence,
                       "--reason", "their API lost it")


def audits(shop, public):
    return shop.sql("SELECT actor, reason, detail->>'as', detail->>'evidence' FROM audit "
                    "WHERE act = 'payment resolve' AND target = %s", f"order {order.to_uuid(public)}")


def test_an_unknown_payment_that_was_taken_is_paid_and_shipped(shop):
    public = unknown(shop, "act_then_reset")
    said = resolve(shop, public, "captured")
    assert "is taken as captured" in said, said
    shop.wait_status(public, "fulfilled")
    must(payment_of(shop, public), {"attempt": 1, "state": "captured"}, "its payment")
    [(_, reason, told_as, evidence)] = audits(shop, public)
    must((reason, told_as, evidence), ("their API lost it", "captured", "line 17 of their statement"),
         "the audit")
    assert "payment_resolved" in shop.docket("order", "show", public)
    must(shop.docket("audit", "verify") != "", True, "the chain holds")
    shop.books().must_balance()


def test_an_unknown_payment_that_was_declined_lets_the_customer_pay_otherwise(shop):
    before, public = available(shop, SKU), unknown(shop)
    canceled = begun(shop, "cancel")
    resolve(shop, public, "declined")
    wait_payable(shop, public)
    must(payment_of(shop, public), {"attempt": 1, "state": "declined", "decline": {
        "reason": "other", "retry_same_card": False, "try_another_card": True}}, "its payment")
    must(available(shop, SKU), before, "its stock is back")
    must(begun(shop, "cancel"), canceled, "the provider, who does not answer, is not asked")
    shop.no_faults()
    must(pay_again(shop, public).status, 202, "another card")
    shop.wait_status(public, "fulfilled")
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()


def test_a_payment_that_differs_and_was_canceled_ends_the_order_and_its_letter(shop):
    public = post(shop, **paying_with("pm_card_threeDSecureRequired"))
    shop.wait_status(public, "requires_action")
    shop.fault("retrieve", "wrong_amount", order=public)
    wait_dead(shop, public)
    must(shop.status(public), "on_hold", "status")
    resolve(shop, public, "canceled")
    shop.wait_status(public, "canceled")
    must(payment_of(shop, public), {"attempt": 1, "state": "voided"}, "its payment")
    must(shop.one("SELECT state FROM dead_letter WHERE order_id = %s", order.to_uuid(public)),
         "resolved", "the dead letter")
    shop.books().must_balance()


def test_two_operators_at_once_have_one_effect(shop):
    public = unknown(shop, "act_then_reset")

    def ask(told_as):
        return shop.operator.post(f"/admin/orders/{public}/resolve_payment",
                                  {"as": told_as, "evidence": "e", "reason": "r"})

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(ask, ["captured"] * 6))
    must(sorted(answer.status for answer in answers), [200] + [409] * 5, answers)
    must({answer.code for answer in answers}, {None, "payment_not_resolvable"}, answers)
    shop.wait_status(public, "fulfilled")
    must(len(audits(shop, public)), 1, "acts in the audit")
    shop.books().must_balance()


def test_a_worker_that_holds_the_payment_is_overtaken(shop):
    """Its look-up is under way; what it learns comes too late."""
    shop.restart("payment", env=WORKER | {"DOCKET_PROVIDER_TIMEOUT_MS": 8000,
                                          "DOCKET_CUSTOMER_WAIT_S": 600})
    [public] = post_before_payment(shop)
    shop.fault("confirm", "act_then_reset", order=public)
    shop.fault("retrieve", "delay", order=public, ms=4000)
    before = begun(shop, "retrieve")
    shop.thaw("payment")
    wait_for(lambda: begun(shop, "retrieve") > before, 20, "a look-up is under way")
    must(attempt(shop, public)[0], 6, "state of the payment")
    resolve(shop, public, "captured")
    shop.wait_status(public, "fulfilled")
    must(kinds(shop, public).count("paid"), 1, "it is paid once")
    after = kinds(shop, public)[kinds(shop, public).index("payment_resolved"):]
    must("payment_unknown" in after, False, after)
    shop.books().must_balance()
    shop.restart("payment", env=WORKER | {"DOCKET_CUSTOMER_WAIT_S": 600})


def test_what_cannot_be_resolved_says_what_to_do(shop):
    paid = post(shop)
    shop.wait_status(paid, "fulfilled")
    waiting = post(shop, **paying_with("pm_card_threeDSecureRequired"))
    shop.wait_status(waiting, "requires_action")
    for public, words in ((paid, "is over, and known"), (waiting, "looked up by itself"),
                          ("ord_" + "0" * 26, "no such order")):
        with pytest.raises(Problem) as refused:
            resolve(shop, public, "captured")
        assert words in " ".join(str(refused.value).split()), refused.value
        must(audits(shop, public), [], "acts in the audit")
    with pytest.raises(Problem) as refused:
        shop.docket("payment", "resolve", paid, "--as", "paid", "--evidence", "e", "--reason", "r")
    assert "captured|declined|canceled" in str(refused.value), refused.value
    must(shop.status(waiting), "requires_action", "nothing was changed")
    shop.books().must_balance()
