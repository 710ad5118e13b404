"""Money that operators give back: some of it or all, whatever the provider answers, never more than was
taken.  Each test ends in the comparison of the three books."""
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from docket_local import order
from docket_local.problem import Problem
from harness import must, wait_for
from harness.outcomes import (attempt, dead_letter, facts, kinds, open_quick_shop, post, post_many,
                              task, wait_all, wait_dead, WORKER)

TROUBLES = {"act_then_hang": {}, "act_then_reset": {}, "act_then_500": {}, "torn": {}, "hang": {},
            "reset": {}, "fail_500": {}, "rate_limit": {"ms": 900}, "unavailable": {},
            "delay": {"ms": 1000}, "drip": {"ms": 300}}
STATES = ("none", "opened", "sent", "accepted", "unknown", "made", "refused")


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    return open_quick_shop(docket)


@pytest.fixture(autouse=True)
def leave_no_faults(shop):
    yield
    shop.no_faults()


def shipped(shop, count=1):
    orders = post_many(shop, count)
    wait_all(shop, orders, "fulfilled")
    return orders


def refund(shop, public, amount=None, reason="a courtesy"):
    more = ("--amount", str(amount)) if amount else ()
    return json.loads(shop.docket("order", "refund", public, *more, "--reason", reason, "--json"))


def refunds(shop, public):
    """[(state, amount, keys)] of our table."""
    return [(STATES[state], amount, keys) for state, amount, keys in shop.sql(
        "SELECT state, amount, keys FROM refund WHERE order_id = %s ORDER BY number",
        order.to_uuid(public))]


def wait_made(shop, public, count=1, deadline_s=30):
    wait_for(lambda: [row[0] for row in refunds(shop, public)].count("made") == count, deadline_s,
             f"{count} refunds of {public}")


def refuse(shop, public, words, amount=None):
    with pytest.raises(Problem, match=words):
        refund(shop, public, amount)


def test_a_part_is_an_amount_and_not_a_status_and_the_rest_goes_back_later(shop):
    [public] = shipped(shop)
    answer = refund(shop, public, 490)
    must((answer["amount"], answer["rest"], answer["currency"]), (490, 6530, "EUR"), "what it says")
    wait_made(shop, public)
    body = shop.read.get(f"/v1/orders/{public}").json
    must((body["status"], body["final"], body["refunded"]),
         ("fulfilled", True, {"amount": 490, "currency": "EUR"}), "what the customer sees")
    assert "a courtesy" in shop.docket("order", "show", public)
    must(shop.one("SELECT reason FROM audit WHERE act = 'order refund' AND target = %s",
                  f"order {order.to_uuid(public)}"), "a courtesy", "the audit")
    refund(shop, public)
    wait_made(shop, public, 2)
    must([fact["amount"] for fact in facts(shop, "refund", public)], [490, 6530], "refunds")
    must(shop.status(public), "fulfilled", "status")
    refuse(shop, public, "0 EUR in minor units are left")
    shop.books().must_balance()


def test_before_it_is_shipped_some_of_it_goes_back_but_all_only_with_the_order(shop):
    shop.freeze("fulfilment")
    public = post(shop)
    shop.wait_status(public, "confirmed")
    refuse(shop, public, "docket order cancel")
    refund(shop, public, 100)
    wait_made(shop, public)
    refuse(shop, public, "docket order cancel", 6920)
    shop.thaw("fulfilment")
    shop.wait_status(public, "fulfilled")
    shop.books().must_balance()


def test_what_was_given_back_in_part_is_given_back_as_a_whole_by_a_cancel(shop):
    shop.freeze("fulfilment")
    public = post(shop)
    shop.wait_status(public, "confirmed")
    shop.fault("refund", "act_then_reset", order=public, times=1)
    refund(shop, public, 1000)
    shop.docket("order", "cancel", public, "--reason", "after all")
    shop.wait_status(public, "refunded", deadline_s=40)
    shop.thaw("fulfilment")
    must(sorted(fact["amount"] for fact in facts(shop, "refund", public)), [1000, 6020], "refunds")
    shop.books().must_balance()


def test_nothing_is_given_back_of_what_is_not_paid(shop):
    shop.freeze("payment")
    public = post(shop)
    refuse(shop, public, "nothing of it is paid")
    shop.thaw("payment")
    shop.wait_status(public, "fulfilled")
    refuse(shop, public, "7020 EUR in minor units are left", 7021)
    refuse(shop, "ord_" + "0" * 26, "no such order")
    shop.books().must_balance()


def test_two_operators_at_once_give_back_no_more_than_was_taken(shop):
    [public] = shipped(shop)

    def ask(_):
        try:
            return refund(shop, public, 2000)["refund"]
        except Problem:
            return None

    with ThreadPoolExecutor(8) as pool:
        given = [number for number in pool.map(ask, range(8)) if number]
    must(sorted(given), [1, 2, 3], "refunds that were opened")
    wait_made(shop, public, 3)
    must(sum(fact["amount"] for fact in facts(shop, "refund", public)), 6000, "given back")
    shop.books().must_balance()


def test_the_tables_themselves_keep_refunds_within_what_was_captured(shop):
    """Whatever program believes otherwise."""
    import psycopg2
    [public] = shipped(shop)
    refund(shop, public, 7000)
    with pytest.raises(psycopg2.errors.CheckViolation):
        shop.sql("INSERT INTO refund (order_id, number, attempt, provider, intent_id, amount, currency, "
                 "actor, reason) SELECT order_id, 9, number, provider, intent_id, 21, currency, 'x', 'x' "
                 "FROM payment_attempt WHERE order_id = %s", order.to_uuid(public))
    wait_made(shop, public)
    shop.books().must_balance()


@pytest.mark.parametrize("times", (1, 2))
def test_whatever_becomes_of_a_refund_it_is_made_once(shop, times):
    orders = shipped(shop, len(TROUBLES))
    for public, trouble in zip(orders, TROUBLES):
        shop.fault("refund", trouble, order=public, times=times, **TROUBLES[trouble])
        refund(shop, public, 1500)
    for public in orders:
        wait_made(shop, public, deadline_s=60)
    must(len(facts(shop, "refund", *orders)), len(orders), "refunds")
    keys = {trouble: refunds(shop, public)[0][2] for public, trouble in zip(orders, TROUBLES)}
    must([trouble for trouble, count in keys.items() if trouble.startswith("act") and count > 2], [],
         "more than one key after it was made")
    must(keys["hang"], 1, "the key that was never answered")
    shop.books().must_balance()


def test_a_refund_that_is_unknown_is_looked_up_and_not_sent_again(shop):
    [public] = shipped(shop)
    shop.fault("refund", "act_then_reset", order=public, times=1)
    shop.fault("retrieve", "unavailable", order=public, times=6)
    refund(shop, public, 700)
    wait_made(shop, public, deadline_s=60)
    must(kinds(shop, public).count("refund_sent") <= 1, True, "sends")
    must(len(facts(shop, "refund", public)), 1, "refunds")
    shop.books().must_balance()


def test_a_dead_refund_that_is_replayed_looks_first(shop):
    [public] = shipped(shop)
    shop.fault("retrieve", "unavailable", order=public)
    refund(shop, public, 300)
    wait_dead(shop, public)
    must((dead_letter(shop, public)[0], shop.status(public)), (4, "fulfilled"), "stage and status")
    shop.no_faults()
    number = shop.one("SELECT id FROM dead_letter WHERE order_id = %s AND state = 'open'",
                      order.to_uuid(public))
    shop.docket("dead", "replay", str(number), "--reason", "it is back")
    wait_made(shop, public)
    must(shop.one("SELECT state FROM dead_letter WHERE id = %s", number), "resolved", "the letter")
    must(len(facts(shop, "refund", public)), 1, "refunds")
    shop.books().must_balance()


def test_an_outage_parks_refunds_and_counts_nothing(shop):
    [public] = shipped(shop)
    shop.restart("payment", env=WORKER | {"DOCKET_BREAKER_FAILURES": 3})
    shop.docket("pause", "stripe", "--reason", "maintenance")
    wait_for(lambda: "stripe is open" in shop.log("payment"), 10, "the worker knows")
    refund(shop, public, 200)
    wait_for(lambda: task(shop, public, "refund")[0] == "parked", 10, "it is parked")
    must(task(shop, public, "refund")[1], 0, "attempts")
    shop.docket("resume", "stripe", "--reason", "done")
    wait_made(shop, public, deadline_s=40)
    shop.restart("payment", env=WORKER)
    shop.books().must_balance()


def test_what_somebody_gave_back_at_the_provider_is_for_a_person(shop):
    [public] = shipped(shop)
    answer = shop.sandbox.request(
        "POST", "/v1/refunds", f"payment_intent={attempt(shop, public)[1]}&amount=7000",
        {"Authorization": "Bearer sk_test", "Content-Type": "application/x-www-form-urlencoded"})
    must(answer.status, 200, "a refund in the provider's own pages")
    refund(shop, public, 500)
    wait_dead(shop, public)
    must(dead_letter(shop, public)[:3], (4, "broken", "refunded_elsewhere"), "the dead letter")
    must(shop.status(public), "fulfilled", "status")
    must(len(facts(shop, "refund", public)), 1, "refunds")
    found = shop.books().differences()
    must([public in line for line in found], [True], f"what the books find: {found}")
