"""Everybody wants the same product: exactly what is there is sold, nobody waits in a circle, and a hot
product costs no more per order than many cold ones.

DOCKET_HOT_ORDERS (default 200) is how many want it; a tenth is there.  The long run: 1000.
"""
import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import metrics, must, wait_for
from harness.outcomes import WORKER, available, facts, wait_all

ORDERS = int(os.environ.get("DOCKET_HOT_ORDERS", "200"))
PIECES = ORDERS // 10
LABELS = ["payment"] + [f"payment{n}" for n in range(2, 9)]
PRICE = {"amount": 100, "currency": "EUR"}
COST_TIMES = 3  # a hot order may cost this many times a cold one: the machine is shared


def product(sku, stock):
    return {"sku": sku, "name": sku, "price": PRICE, "stock": stock}


def catalogue():
    """One product that all want and, for comparison, as many cold ones as there are pieces of it."""
    return {"products": [product("HOT", PIECES), *(product(f"COLD-{n}", 1) for n in range(PIECES)),
                         *(product(f"BESIDE-{n}", 1000000) for n in range(20))],
            "shipping_methods": [{"code": "standard", "name": "Standard", "price": PRICE}]}


def body(shop, sku, dice):
    """The product and some others, in any order: locks are taken in one order all the same."""
    skus = [sku, *(f"BESIDE-{n}" for n in dice.sample(range(1, 20), 3))]
    dice.shuffle(skus)
    return shop.order_body(lines=[{"sku": one, "quantity": 1} for one in skus],
                           expected_total={"amount": 500, "currency": "EUR"},
                           shipping=shop.order_body()["shipping"] | {"method": "standard"})


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    env = WORKER | {"DOCKET_CUSTOMER_WAIT_S": 60}
    for name in ("sandbox", "api", "relay", "fulfilment"):
        docket.start(name, env=WORKER if name == "fulfilment" else None, wait=False)
    for label in LABELS:
        docket.start("payment", label=label, env=env, wait=False)
    for label in list(docket.processes):
        docket.wait_ready(label, deadline_s=60)
    docket.stock_up(catalogue())
    docket.make_keys()
    return docket


def reserving(shop):
    """(seconds, orders refused) of all workers so far: stock is held by a claim, or refused after it."""
    read = [metrics.read(shop, label) for label in LABELS]
    return [sum(one[name, f'batch="{batch}"'] for one in read for batch in batches) for name, batches in
            (("docket_batch_seconds_sum", ("claim", "reserve")), ("docket_batch_tickets_sum", ("reserve",)))]


def sell(shop, skus):
    """Orders that all workers take up at once; what an order's reservation took, in ms."""
    dice = random.Random(1)
    shop.docket("pause", "payment", "--reason", "so that all begin at once")
    for label in LABELS:
        wait_for(lambda label=label: shop.log(label).count('"paused"') >
                 shop.log(label).count('"resumed"'), 10, f"{label} is paused")
    bodies = [body(shop, skus[n % len(skus)], dice) for n in range(ORDERS)]
    with ThreadPoolExecutor(8) as pool:
        orders = [told.id for told in pool.map(shop.post_until_told, bodies)]
    before = reserving(shop)
    shop.docket("resume", "payment", "--reason", "now")
    wait_all(shop, orders, "fulfilled", "canceled", deadline_s=60)
    seconds, refused = (now - then for now, then in zip(reserving(shop), before))
    sold = [public for public in orders if shop.status(public) == "fulfilled"]
    must(refused, ORDERS - len(sold), "orders that were refused")
    return sold, orders, seconds * 1000 / ORDERS


def test_a_hot_product_is_sold_exactly_as_often_as_it_is_there_and_costs_no_more(shop):
    sold, orders, hot_ms = sell(shop, ["HOT"])
    must(len(sold), PIECES, "orders that got one")
    must(len(facts(shop, "charge", *orders)), PIECES, "charges")
    must(available(shop, "HOT"), 0, "pieces left")
    sold, _, cold_ms = sell(shop, [f"COLD-{n}" for n in range(PIECES)])
    must(len(sold), PIECES, "orders of cold ones")
    print(f"a reservation took {hot_ms:.2f} ms an order of one hot product, {cold_ms:.2f} ms of "
          f"{PIECES} cold ones ({ORDERS} orders each, 8 workers)")
    assert hot_ms <= COST_TIMES * cold_ms + 5, (hot_ms, cold_ms)
    shop.books().must_balance()


def test_what_dead_and_canceled_orders_held_can_be_sold_again(shop):
    """The pieces of orders that end without being shipped, while somebody else changes the product's row."""
    before = available(shop, "BESIDE-0")
    dice = random.Random(2)
    shop.freeze("fulfilment")
    declined = body(shop, "BESIDE-0", dice) | {"payment": {"method": "pm_card_visa_chargeDeclined"}}
    paid = body(shop, "BESIDE-0", dice)
    told = [shop.post_order(one) for one in (declined, paid)]
    shop.wait_status(told[0].id, "payment_failed")
    shop.wait_status(told[1].id, "confirmed")
    other = shop.services.connect(shop.database)
    other.cursor().execute("UPDATE stock SET version = version + 1 WHERE sku = 'BESIDE-0'")
    for one in told:
        shop.docket("order", "cancel", one.id, "--reason", "test")
    wait_for(lambda: shop.one("SELECT count(*) FROM pg_stat_activity WHERE usename = 'docket_worker' AND "
                              "datname = current_database() AND wait_event_type = 'Lock'") > 0, 10, "a batch waits for it")
    other.commit()
    other.close()
    shop.wait_status(told[0].id, "canceled")
    shop.wait_status(told[1].id, "refunded")
    shop.thaw("fulfilment")
    must(available(shop, "BESIDE-0"), before, "pieces that can be sold")
    shop.books().must_balance()


def test_nobody_waited_in_a_circle(shop):
    """Last: sessions tell their counts when they end."""
    for label in LABELS:
        shop.stop(label)
    wait_for(lambda: shop.one("SELECT count(*) FROM pg_stat_activity WHERE usename = 'docket_worker' "
                              "AND datname = current_database()") <= 20, 10, "their sessions are over")
    must(shop.one("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"), 0,
         "deadlocks")
