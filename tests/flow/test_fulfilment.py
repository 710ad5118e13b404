"""Every answer of the carrier: what is paid is shipped once, or a person is told."""
import pytest

from docket_local import order
from harness import must, wait_for
from harness.outcomes import (dead_letter, facts, kinds, open_quick_shop, post_many, task, wait_all,
                              wait_dead)

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


def post_before_shipping(shop, count=1):
    """Orders that are paid; they are shipped only after `shop.thaw("fulfilment")`."""
    shop.freeze("fulfilment")
    orders = post_many(shop, count)
    wait_all(shop, orders, "confirmed")
    return orders


def one_order_a_trouble(shop, op, times, also=None):
    orders = dict(zip(post_before_shipping(shop, len(TROUBLES)), TROUBLES))
    for public, trouble in orders.items():
        shop.fault(op, trouble, order=public, times=times, **TROUBLES[trouble])
        if also:
            shop.fault(*also, order=public, times=1)
    shop.thaw("fulfilment")
    return orders


@pytest.mark.parametrize("times", (1, 2))
def test_whatever_becomes_of_a_request_to_ship_there_is_one_shipment(shop, times):
    orders = one_order_a_trouble(shop, "ship", times)
    wait_all(shop, orders, "fulfilled")
    must(len(facts(shop, "shipment", *orders)), len(orders), "shipments")
    shop.books().must_balance()


def test_a_shipment_that_is_unknown_is_looked_up(shop):
    orders = one_order_a_trouble(shop, "lookup", 2, also=("ship", "act_then_reset"))
    wait_all(shop, orders, "fulfilled")
    for public in orders:
        assert "shipment_unknown" in kinds(shop, public), kinds(shop, public)
    must(len(facts(shop, "shipment", *orders)), len(orders), "shipments")
    shop.books().must_balance()


def test_a_refusal_for_good_gives_the_money_back(shop):
    [public] = post_before_shipping(shop)
    shop.fault("ship", "decline", order=public, code="address_undeliverable")
    shop.thaw("fulfilment")
    shop.wait_status(public, "refunded")
    must(kinds(shop, public)[-5:], ["undeliverable", "refund_started", "refund_opened", "refund_sent",
                                    "refunded"], "its end")
    must(facts(shop, "shipment", public), [], "shipments")
    shop.books().must_balance()


def test_a_carrier_that_stays_away_is_a_dead_letter_with_its_history_and_is_replayed(shop):
    [public] = post_before_shipping(shop)
    shop.fault("ship", "unavailable", order=public)
    shop.fault("lookup", "unavailable")  # a look-up that finds nothing names no order
    shop.thaw("fulfilment")
    wait_dead(shop, public)
    attempts, history = dead_letter(shop, public)[3:]
    assert attempts >= 8 and history[0]["kind"] == "accepted", (attempts, history)
    shop.no_faults()
    number = shop.one("SELECT id FROM dead_letter WHERE order_id = %s", order.to_uuid(public))
    shop.docket("dead", "replay", str(number), "--reason", "it is back")
    shop.wait_status(public, "fulfilled")
    shop.books().must_balance()


def test_sigterm_while_the_carrier_is_asked_counts_nothing_and_ships_once(shop):
    [public] = post_before_shipping(shop)
    shop.fault("ship", "act_then_hang", order=public, times=1)
    shop.thaw("fulfilment")
    wait_for(lambda: facts(shop, "shipment", public), 10, "the carrier has acted")
    shop.restart("fulfilment", env={"DOCKET_RETRY_BASE_MS": 50})
    shop.wait_status(public, "fulfilled")
    must(task(shop, public, "fulfilment")[2], 0, "crashes")
    must(len(facts(shop, "shipment", public)), 1, "shipments")
    shop.books().must_balance()
