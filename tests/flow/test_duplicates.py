"""Orders that no key shows to be the same: of each two that look alike the later one is flagged, and
held before payment where that is wanted."""
from concurrent.futures import ThreadPoolExecutor

import pytest

from docket_local import order

from harness import must, wait_for
from harness.client import new_key
from harness.metrics import value
from harness.outcomes import (WORKER, attempt, available, facts, kinds, open_quick_shop, post, wait_all,
                              wait_task)

SAY = WORKER | {"DOCKET_DUPLICATE_WINDOW_S": 600}
HOLD = SAY | {"DOCKET_DUPLICATE_HOLD": 1}


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    return open_quick_shop(docket, **HOLD)


@pytest.fixture(autouse=True)
def leave_no_faults(shop):
    yield
    shop.no_faults()


def customer(email=None):
    """One whom no other test knows."""
    return {"customer": {"email": email or f"{new_key()}@example.com", "name": "Ada"}}


def flagged(shop, *orders):
    """order → the one it looks like"""
    return {order.to_public(one): order.to_public(of) for one, of in shop.sql(
        "SELECT order_id::text, of_order::text FROM duplicate WHERE order_id = ANY (%s::uuid[])",
        [order.to_uuid(public) for public in orders])}


def test_prestashop_1546_a_second_order_with_another_cart_is_held_before_payment(shop):
    who, before = customer(), value(shop, "payment", "docket_duplicates_total")
    first = post(shop, **who, cart_id=new_key())
    shop.wait_status(first, "fulfilled")
    stock = available(shop, "TEA-EARL-250")
    second = post(shop, **who, cart_id=new_key())
    shop.wait_status(second, "on_hold")
    wait_task(shop, second, "waiting")
    must(flagged(shop, first, second), {second: first}, "flagged")
    must(facts(shop, "intent", second), [], "intents of the held one")
    must(available(shop, "TEA-EARL-250"), stock, "pieces available meanwhile")
    must(value(shop, "payment", "docket_duplicates_total"), before + 1, "the metric")
    told = shop.read.get(f"/v1/orders/{second}").json
    must((told["status"], told["reason"]), ("on_hold", "possible_duplicate"), "what the shop is told")
    said = shop.docket("order", "show", second)
    assert f"looks like {first}" in said and "docket order release" in said, said
    shop.docket("order", "release", second, "--reason", "the customer wants both")
    shop.wait_status(second, "fulfilled")
    must([kind for kind in kinds(shop, second) if kind in ("possible_duplicate", "held_as_duplicate",
                                                           "released", "paid")],
         ["possible_duplicate", "held_as_duplicate", "released", "paid"], "its timeline")
    must(len(facts(shop, "charge", second)), 1, "charges")
    shop.books().must_balance()


def test_a_print_is_the_same_whoever_makes_it(shop):
    """The worker's is that of the schema's function, which workers that are older ask: of two lines out of order, and
    of an address in capitals."""
    body = shop.order_body(**customer(f"{new_key()}@EXAMPLE.com"))
    told = post(shop, **body)
    shop.wait_status(told, "fulfilled")
    must(shop.sql("SELECT print = order_print(order_id) FROM order_print WHERE order_id = %s", order.to_uuid(told)),
         [(True,)], "its print")


def test_a_duplicate_that_is_not_meant_is_canceled_and_nothing_was_asked_for(shop):
    who = customer()
    first, second = post(shop, **who), post(shop, **who)
    shop.wait_status(second, "on_hold")
    shop.docket("order", "cancel", second, "--reason", "it was a slip")
    shop.wait_status(second, "canceled")
    shop.wait_status(first, "fulfilled")
    must(facts(shop, "intent", second), [], "intents")
    shop.books().must_balance()


def test_what_differs_is_no_duplicate(shop):
    one = {"lines": [{"sku": "TEA-EARL-250", "quantity": 1}],
           "expected_total": {"amount": 1780, "currency": "EUR"}}
    two = {"lines": [{"sku": "TEA-EARL-250", "quantity": 2}],
           "expected_total": {"amount": 3070, "currency": "EUR"}}
    who = customer()
    orders = [post(shop, **who, **one), post(shop, **who, **two), post(shop, **customer(), **one)]
    wait_all(shop, orders, "fulfilled")
    must(flagged(shop, *orders), {}, "flagged")
    old = post(shop, **who, **one)  # of the first
    shop.wait_status(old, "on_hold")
    shop.sql("UPDATE order_print SET at = at - interval '11 minutes'")
    late = post(shop, **who, **one)
    shop.wait_status(late, "fulfilled")
    must(flagged(shop, late), {}, "after ten minutes")
    shop.docket("order", "cancel", old, "--reason", "a test")
    shop.wait_status(old, "canceled")
    shop.books().must_balance()


def test_the_same_customer_is_one_however_he_writes_his_address(shop):
    name = new_key()
    first = post(shop, **customer(f"{name}@example.com"))
    second = post(shop, **customer(f"{name.upper()}@Example.COM"))
    shop.wait_status(second, "on_hold")
    must(flagged(shop, first, second), {second: first}, "flagged")
    shop.docket("order", "release", second, "--reason", "a test")
    wait_all(shop, [first, second], "fulfilled")
    shop.books().must_balance()


def test_an_order_after_one_that_failed_is_no_duplicate(shop):
    who = customer()
    failed = post(shop, **who, payment={"method": "pm_card_visa_chargeDeclined"})
    shop.wait_status(failed, "payment_failed", "canceled")
    again = post(shop, **who)
    shop.wait_status(again, "fulfilled")
    must(flagged(shop, again), {}, "flagged")
    shop.books().must_balance()


def test_of_two_at_the_same_moment_the_later_one_is_held_whoever_is_faster(shop):
    shop.start("payment", label="payment2", env=HOLD)
    people = [customer() for _ in range(20)] * 2
    with ThreadPoolExecutor(8) as pool:
        orders = list(pool.map(lambda who: (who["customer"]["email"], post(shop, **who)), people))
    pairs = {}
    for email, public in orders:
        pairs.setdefault(email, []).append(public)
    earlier, later = zip(*map(sorted, pairs.values()))
    wait_all(shop, later, "on_hold")
    wait_all(shop, earlier, "fulfilled")
    must(flagged(shop, *earlier, *later), dict(zip(later, earlier)), "flagged")
    must(facts(shop, "charge", *later), [], "charges of the held ones")
    must(len(facts(shop, "charge", *earlier)), len(earlier), "charges")
    for public in later:
        shop.docket("order", "cancel", public, "--reason", "a test")
    wait_all(shop, later, "canceled")
    shop.stop("payment2")
    shop.books().must_balance()


def test_two_of_one_batch_are_compared_with_each_other(shop):
    people = [customer() for _ in range(10)]
    shop.freeze("payment")
    pairs = [sorted(post(shop, **who) for _ in range(2)) for who in people]
    shop.thaw("payment")
    earlier, later = zip(*pairs)
    wait_all(shop, later, "on_hold")
    wait_all(shop, earlier, "fulfilled")
    must(flagged(shop, *earlier, *later), dict(zip(later, earlier)), "flagged")
    for public in later:
        shop.docket("order", "cancel", public, "--reason", "a test")
    wait_all(shop, later, "canceled")
    shop.books().must_balance()


def let_the_later_one_go_first(shop, who, **of_later):
    """Two orders, too far apart for the later one to look for the earlier; the payment of that one
    begins when `go` is called."""
    shop.stop("payment")
    first = post(shop, **who)
    shop.sql("UPDATE task SET state = 3, due_at = now() + interval '1 hour' WHERE order_id = %s",
             order.to_uuid(first))
    wait_for(lambda: shop.one("SELECT now() > accepted_at + interval '1500 ms' FROM orders WHERE id = %s",
                              order.to_uuid(first)), 10, "it is old enough")
    second = post(shop, **who, **of_later)

    def go():
        shop.sql("UPDATE task SET due_at = now() WHERE order_id = %s AND state = 3", order.to_uuid(first))
    return first, second, go


def test_a_later_order_that_was_faster_is_held_while_its_money_was_not_asked_for(shop):
    first, second, go = let_the_later_one_go_first(shop, customer())
    shop.fault("create", "unavailable", order=second)
    shop.start("payment", env=HOLD)
    wait_for(lambda: "retry" in kinds(shop, second), 20, "the provider does not make its intent")
    go()
    shop.wait_status(first, "fulfilled")
    shop.wait_status(second, "on_hold")
    must(flagged(shop, first, second), {second: first}, "flagged")
    shop.no_faults()
    shop.docket("order", "release", second, "--reason", "a test")
    shop.wait_status(second, "fulfilled")
    must(len(facts(shop, "charge", first, second)), 2, "charges")
    shop.books().must_balance()


def test_a_later_order_whose_intent_is_being_made_is_held_before_its_confirm(shop):
    first, second, go = let_the_later_one_go_first(shop, customer())
    shop.fault("create", "delay", order=second, ms=600, times=1)
    shop.start("payment", env=HOLD)
    wait_for(lambda: "payment_started" in kinds(shop, second), 20, "its create is under way")
    shop.sql("UPDATE task SET state = 1, due_at = NULL WHERE order_id = %s", order.to_uuid(first))
    shop.sql("INSERT INTO outbox (topic, order_ids, traces) SELECT 1, ARRAY[id], ARRAY[trace] FROM orders "
             "WHERE id = %s", order.to_uuid(first))
    shop.wait_status(first, "fulfilled")
    wait_all(shop, [second], "on_hold", "fulfilled")
    held = shop.status(second) == "on_hold"
    must(flagged(shop, first, second), {second: first}, "flagged")
    assert held and not facts(shop, "charge", second), kinds(shop, second)
    shop.docket("order", "release", second, "--reason", "a test")
    shop.wait_status(second, "fulfilled")
    must([fact["intent"] for fact in facts(shop, "charge", second)], [attempt(shop, second)[1]], "charges")
    shop.books().must_balance()


def test_an_earlier_order_is_held_where_the_later_one_is_paid_already(shop):
    first, second, go = let_the_later_one_go_first(shop, customer())
    shop.start("payment", env=HOLD)
    shop.wait_status(second, "fulfilled")
    go()
    shop.wait_status(first, "on_hold")
    must(flagged(shop, first, second), {first: second}, "flagged")
    shop.docket("order", "cancel", first, "--reason", "a test")
    shop.wait_status(first, "canceled")
    shop.books().must_balance()


def test_without_a_hold_a_duplicate_is_said_and_paid(shop):
    shop.restart("payment", env=SAY)
    who = customer()
    first, second = post(shop, **who), post(shop, **who)
    wait_all(shop, [first, second], "fulfilled")
    must(flagged(shop, first, second), {second: first}, "flagged")
    assert "possible_duplicate" in kinds(shop, second) and "possible_duplicate" not in kinds(shop, first)
    shop.restart("payment", env=WORKER)
    third = post(shop, **who)
    shop.wait_status(third, "fulfilled")
    must(flagged(shop, third), {}, "not looked for")
    shop.restart("payment", env=HOLD)
    shop.books().must_balance()
