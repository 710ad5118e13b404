"""The checker of the three books finds each kind of difference; else its silence proves nothing."""
import json

import pytest

from docket_local import order
from harness.books import Books
from harness.client import Answer, Told

UUID = "019ab5e0-0000-7000-8000-0000000000"


class Shop:
    """Stands in for a Docket: tables and ledger are what the test writes down."""

    def __init__(self):
        self.orders, self.keys, self.facts, self.told = {}, {}, [], []
        self.unowned = []
        self.reservations, self.available, self.stock = {}, {"TEA": 90}, {"TEA": 100}

    def sql(self, query, *_):
        if "FROM order_key" in query and "FROM orders" not in query:
            return list(self.keys.items())
        if "FROM task t" in query:
            return self.unowned
        if "FROM stock" in query:
            return [(sku, available, self.reservations.get(sku, 0)) for sku, available in self.available.items()]
        return [tuple(row.values()) for row in self.orders.values()]

    def ledger(self):
        return self.facts

    def add(self, number, status, **changes):
        uuid = f"{UUID}{number:02x}"
        public = order.to_public(uuid)
        self.orders[uuid] = {"id": uuid, "status": order.STATUSES.index(status), "final": True, "total": 700,
                             "currency": "EUR", "keys": 1, "is_dead": False, "captured": 0,
                             "shipments": 0, "events": 1, "version": 1, "given_back": 0,
                             "refunds_open": 0} | changes
        self.keys[f"k{number}"] = uuid
        self.tell(f"k{number}", 202, id=public)
        return public

    def fulfilled(self, number=1, **changes):
        public = self.add(number, "fulfilled", **({"captured": 700, "shipments": 1} | changes))
        self.note("charge", public)
        self.note("shipment", public)
        return public

    def note(self, kind, public, amount=700, currency="eur"):
        self.facts.append({"kind": kind, "order": public, "amount": amount, "currency": currency})

    def tell(self, key, status, **body):
        self.told.append(Told(key, {}, Answer(status, body=json.dumps(body).encode())))


@pytest.fixture
def shop():
    shop = Shop()
    shop.reservations = {"TEA": 10}
    return shop


def differences(shop):
    return Books(shop, settle_s=0).differences()


def must_find(shop, words):
    found = differences(shop)
    assert any(words in line for line in found), found


def test_says_nothing_where_all_agree(shop):
    shop.fulfilled(1)
    shop.add(2, "canceled")
    refunded = shop.add(3, "refunded", captured=700, given_back=700)
    shop.note("charge", refunded)
    shop.note("refund", refunded)
    partly = shop.fulfilled(4, given_back=200)
    shop.note("refund", partly, amount=200)
    shop.tell("k9", 422, accepted="no")
    assert differences(shop) == []


def test_finds_a_lost_order(shop):
    shop.tell("k1", 202, id=order.to_public(UUID + "01"))
    must_find(shop, "which is not there")


def test_finds_a_key_that_was_told_of_two_orders(shop):
    shop.fulfilled(1)
    shop.tell("k1", 202, id=shop.fulfilled(2))
    must_find(shop, "was told of 2 orders")


def test_finds_a_replay_that_was_told_something_else(shop):
    shop.tell("k1", 202, id=shop.fulfilled(1), more=True)
    must_find(shop, "different bodies")


def test_finds_a_task_that_nothing_will_wake(shop):
    shop.fulfilled(1)
    shop.unowned = [(UUID + "01", 2, 1)]
    must_find(shop, "no row of outbox or published names it")


def test_finds_an_order_under_a_key_that_was_told_no(shop):
    shop.keys["k5"] = UUID + "05"
    shop.tell("k5", 409, accepted="no")
    must_find(shop, "was told no, but has")


def test_finds_an_order_without_a_key_and_one_with_two(shop):
    shop.fulfilled(1, keys=0)
    shop.fulfilled(2, keys=2)
    must_find(shop, "has 0 keys")
    must_find(shop, "has 2 keys")


def test_finds_a_step_without_its_event(shop):
    shop.fulfilled(1, version=4, events=3)
    must_find(shop, "version 4 has 3 events")


def test_finds_a_second_charge(shop):
    shop.note("charge", shop.fulfilled(1))
    must_find(shop, "charged 2 times")


def test_finds_another_amount(shop):
    public = shop.add(1, "fulfilled", captured=699, shipments=1)
    shop.note("charge", public, amount=699)
    shop.note("shipment", public)
    must_find(shop, "is fulfilled at 700 less 0, the provider kept 699")


def test_finds_another_currency(shop):
    public = shop.add(1, "fulfilled", captured=700, shipments=1)
    shop.note("charge", public, currency="usd")
    shop.note("shipment", public)
    must_find(shop, "another currency")


@pytest.mark.parametrize("status", ["canceled", "payment_failed", "out_of_stock", "accepted"])
def test_finds_money_taken_for_an_unpaid_order(shop, status):
    shop.note("charge", shop.add(1, status))
    must_find(shop, f"is {status}, the provider kept 700")


def test_finds_a_refund_made_twice(shop):
    public = shop.add(1, "refunded", captured=700)
    shop.note("charge", public)
    shop.note("refund", public)
    shop.note("refund", public)
    must_find(shop, "more than that given back: 1400")


def test_finds_a_refund_that_our_tables_do_not_know_and_one_that_was_never_made(shop):
    shop.note("refund", shop.fulfilled(1), amount=200)
    shop.fulfilled(2, given_back=300)
    must_find(shop, "our tables say 0 given back, the provider 200")
    must_find(shop, "our tables say 300 given back, the provider 0")


def test_an_order_with_a_refund_under_way_is_not_settled(shop):
    shop.fulfilled(1, refunds_open=1)
    with pytest.raises(AssertionError, match="final or explained"):
        Books(shop, settle_s=0.05)


def test_finds_a_paid_order_that_was_never_charged(shop):
    shop.add(1, "confirmed", captured=700)
    must_find(shop, "the provider kept 0")


def test_finds_a_shipment_that_was_never_paid(shop):
    shop.note("shipment", shop.add(1, "canceled"))
    must_find(shop, "shipped and never charged")


def test_finds_a_second_shipment_and_a_missing_one(shop):
    shop.note("shipment", shop.fulfilled(1))
    shop.note("charge", shop.add(2, "fulfilled", captured=700, shipments=1))
    must_find(shop, "shipped 2 times")
    must_find(shop, "the carrier has 0 shipments")


def test_finds_money_of_an_order_that_is_not_there(shop):
    shop.note("charge", order.to_public(UUID + "77"))
    must_find(shop, "no such order")


def test_finds_stock_that_was_lost(shop):
    shop.available["TEA"] = 89
    must_find(shop, "89 available and 10 held")


def test_an_order_that_stands_still_for_no_reason_is_not_settled(shop):
    shop.add(1, "processing", final=False)
    with pytest.raises(AssertionError, match="final or explained"):
        Books(shop, settle_s=0.05)


def test_ids_are_read_and_written_alike():
    uuid = "019ab5e0-1234-7abc-8def-0123456789ab"
    assert order.to_uuid(order.to_public(uuid)) == uuid
