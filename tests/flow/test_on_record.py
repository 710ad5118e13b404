"""Losses and double charges that other shops have on record, each made to happen here: those rows
that no other file names (tests/static/test_record.py has the whole list)."""
from concurrent.futures import ThreadPoolExecutor

import pytest

from docket_local import order
from harness import Client, Raw, must, wait_for
from harness.client import new_key, request_bytes
from harness.outcomes import (WORKER, attempt, facts, kinds, open_quick_shop, post, post_many,
                              wait_all)
from harness.relay import queue_count, tell

RANK = ("accepted", "processing", "confirmed", "fulfilled")


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    return open_quick_shop(docket)


@pytest.fixture(autouse=True)
def leave_no_faults(shop):
    yield
    shop.no_faults()


def at_once(count, call):
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def orders_of_cart(shop, cart):
    return shop.one("SELECT count(*) FROM order_key WHERE cart = %s", cart)


def test_magento_31967_at_a_peak_of_lock_waits_no_order_is_a_ghost_and_nobody_pays_twice(shop):
    """Somebody holds the table of orders: transactions run into their lock timeout and are rolled
    back, customers press the button again.  No charge is without its order, none is there twice."""
    lock = shop.services.connect(shop.database)
    lock.cursor().execute("LOCK TABLE orders IN SHARE MODE")
    with ThreadPoolExecutor(16) as pool:
        told = [pool.submit(shop.post_until_told) for _ in range(16)]
        wait_for(lambda: shop.one("SELECT count(*) FROM pg_stat_activity WHERE datname = "
                                  "current_database() AND wait_event_type = 'Lock'"), 10,
                 "transactions that wait")
        wait_for(lambda: "lock timeout" in shop.log("api") or any(
            one.status == 503 for one in shop.told), 20, "one that was rolled back")
        lock.rollback()
        told = [one.result() for one in told]
    lock.close()
    must({one.status for one in told}, {202}, "answers in the end")
    orders = [one.id for one in told]
    wait_all(shop, orders, "fulfilled")
    must(sorted(fact["order"] for fact in facts(shop, "charge", *orders)), sorted(orders), "charges")
    must(shop.one("SELECT count(*) FROM orders"), len({one.id for one in shop.told if one.status in (200, 202)}),
         "orders, of which each was told to somebody")
    shop.books().must_balance()


def test_magento_13952_who_never_got_the_answer_and_orders_the_cart_anew_gets_that_order(shop):
    """The order was saved, what came after failed: the customer is gone before the answer, and
    comes back with a new session and so a new key."""
    body = shop.order_body(cart_id=new_key())
    raw = Raw(shop.port("api"))
    raw.send(request_bytes(shop.checkout, new_key(), body))
    wait_for(lambda: orders_of_cart(shop, body["cart_id"]), 10, "the order is saved")
    raw.reset()
    again = [shop.post_order(body) for _ in range(3)]
    must([one.status for one in again], [200] * 3, "answers to the cart under other keys")
    [public] = {one.id for one in again}
    shop.wait_status(public, "fulfilled")
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()


def test_magento_19034_what_was_to_happen_after_the_commit_happens_though_all_die_at_it(shop):
    """API and relay are killed with the order just committed: nothing was published or hinted."""
    shop.stop("relay")
    orders = post_many(shop, 5)
    shop.kill("api")
    must(queue_count(shop), 0, "messages")
    shop.start("api")
    shop.start("relay", env={"DOCKET_SWEEP_S": 1})
    wait_all(shop, orders, "fulfilled")
    must(len(facts(shop, "charge", *orders)), 5, "charges")
    shop.books().must_balance()


def test_medusa_2948_what_was_shown_as_paid_is_never_shown_as_unpaid_again(shop):
    """Many look while answers, look-ups and a worker that is killed overtake each other."""
    shop.fault("confirm", "act_then_reset", times=4)
    orders = post_many(shop, 12)
    seen = {public: ["accepted"] for public in orders}

    def look(public):
        answer = shop.read.get(f"/v1/orders/{public}")
        seen[public].append(answer.json["status"])
        return answer.json["final"]

    wait_for(lambda: facts(shop, "charge", *orders), 10, "the first charge")
    shop.kill("payment")
    shop.start("payment", env=WORKER)
    wait_for(lambda: all([look(public) for public in orders]), 30, "all are final", every_s=0.02)
    for public, statuses in seen.items():
        ranks = [RANK.index(status) for status in statuses]
        must(ranks, sorted(ranks), f"what was shown of {public}")
        versions = [version for version, *_ in shop.events(public)]
        must(versions, list(range(1, len(versions) + 1)), "its versions, without a gap")
    must(len(facts(shop, "charge", *orders)), 12, "charges")
    shop.books().must_balance()


def test_saleor_12229_an_order_that_was_charged_is_not_processed_again(shop):
    """Messages of its payment come again after it was paid, and while it is looked at."""
    orders = post_many(shop, 4)
    wait_all(shop, orders, "fulfilled")
    before = {public: shop.events(public) for public in orders}
    for public in orders:
        for stage in ("payment", "fulfilment"):
            tell(shop, {"order": order.to_uuid(public), "stage": stage, "outbox": 1}, times=5,
                 queue=f"docket.{stage}")
    wait_for(lambda: queue_count(shop) == queue_count(shop, "docket.fulfilment") == 0, 10,
             "every message is acked")
    must({public: shop.events(public) for public in orders}, before, "their timelines")
    must(len(facts(shop, "intent", *orders)), 4, "intents")
    must(len(facts(shop, "charge", *orders)), 4, "charges")
    shop.books().must_balance()


def test_woocommerce_62659_a_cart_checked_out_at_once_in_two_processes_is_one_order(shop):
    shop.start("api", label="api2")
    second = Client(shop.processes["api2"].world.ports["api"], shop.checkout)
    for _ in range(5):
        body = shop.order_body(cart_id=new_key())
        told = at_once(8, lambda n, body=body: shop.post_order(
            body, client=second if n % 2 else shop.api))
        must({one.status for one in told} <= {200, 202}, True, "answers")
        [public] = {one.id for one in told}
        must(orders_of_cart(shop, body["cart_id"]), 1, "orders of the cart")
        shop.wait_status(public, "fulfilled")
        must(len(facts(shop, "charge", public)), 1, "charges")
    shop.stop("api2")
    shop.books().must_balance()


def leave_unknown(shop, **changes):
    """An order whose charge happened, and of which the provider tells nobody yet."""
    shop.freeze("payment")
    told = shop.post_until_told(**changes)
    shop.fault("confirm", "act_then_reset", order=told.id, times=1)
    shop.fault("retrieve", "unavailable", order=told.id)
    shop.thaw("payment")
    wait_for(lambda: "payment_unknown" in kinds(shop, told.id), 10, "its outcome is unknown")
    return told


def test_ps_checkout_1546_who_is_not_told_yet_finds_the_order_and_pays_once(shop):
    """The outcome does not arrive; the customer reloads, and orders the same again."""
    told = leave_unknown(shop, cart_id=new_key())
    found = shop.api.get(f"/v1/orders?idempotency_key={told.key}")
    must((found.status, found.json["id"]), (200, told.id), "found by its key after a reload")
    must(shop.post_order(told.body).id, told.id, "the same cart under a new key")
    must(shop.post_order(told.body, told.key).answer.body, told.answer.body, "the same key")
    shop.no_faults()
    shop.wait_status(told.id, "fulfilled")
    must(len(facts(shop, "charge", told.id)), 1, "charges")
    shop.books().must_balance()


def test_hyperswitch_13180_an_unknown_outcome_is_called_that(shop):
    """Not just `processing`: the reason says that the provider has not told."""
    told = leave_unknown(shop)
    now = wait_for(lambda: (answer := shop.read.get(f"/v1/orders/{told.id}")).json.get("reason")
                   and answer.json, 10, "a reason")
    must((now["status"], now["reason"], now["final"]),
         ("processing", "payment_outcome_unknown", False), "what is shown")
    must(attempt(shop, told.id)[0], 6, "the state of the payment: unknown")
    shop.no_faults()
    shop.wait_status(told.id, "fulfilled")
    must(shop.read.get(f"/v1/orders/{told.id}").json.get("reason", ""), "", "the reason afterwards")
    shop.books().must_balance()


def test_checkout_woocommerce_361_after_a_decline_another_order_is_not_refused_for_its_key(shop):
    """The customer's second try is an order of its own here: no key of the first is in its way."""
    first = post(shop, payment={"method": "pm_card_visa_chargeDeclined"})
    wait_all(shop, [first], "payment_failed", "canceled")
    second = post(shop)
    shop.wait_status(second, "fulfilled")
    must(len(facts(shop, "charge", first, second)), 1, "charges")
    used = {fact["key"] for fact in facts(shop, "intent", first)}
    assert used and not used & {fact["key"] for fact in facts(shop, "intent", second)}, used
    shop.books().must_balance()
