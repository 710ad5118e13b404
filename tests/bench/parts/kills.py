"""seconds until every order is final after all of Docket was killed, twice, at 200 orders a second

kill -9 of API, relay and workers together, started again half a second later; the clients go on with the same keys.
Counted from each restart: when the orders that had been accepted before the kill are final; and, after the load, that
no order was charged or shipped twice and that each order that was answered 202 is there.
"""
import threading
import time

from harness.wait import wait_for
from lib import Load, orders
from lib.results import field

KILLED, DOWN_S, TARGET_S = ("api", "relay", "payment", "fulfilment"), 0.5, 2
OPEN = "SELECT count(*) FROM orders WHERE NOT final AND id <= %s"


def kill_all(shop):
    """Returns how many accepted orders were under way, how long after the restart the last was final,
    and how long after it everything was ready."""
    for name in KILLED:
        shop.processes[name].child.kill()
    for name in KILLED:
        shop.kill(name)
    newest = orders.last_id(shop)
    open_orders = shop.one(OPEN, newest)
    time.sleep(DOWN_S)
    began = time.monotonic()
    for name in KILLED:
        shop.start(name, wait=False)
    for name in KILLED:
        shop.wait_ready(name)
    ready_s = time.monotonic() - began
    wait_for(lambda: shop.one(OPEN, newest) == 0, 120, "the orders of before the kill are final", every_s=0.02)
    return {"open": open_orders, "final_s": time.monotonic() - began, "ready_s": ready_s}


def kills(shop, load, rate, seconds):
    outcome = {}

    def post():
        outcome.update(load.orders(32, phases=[(rate, seconds), (rate, seconds)], attempts=100, drain_ms=20000))

    before = shop.one("SELECT count(*) FROM orders")
    poster = threading.Thread(target=post)
    poster.start()
    found = []
    for _ in range(2):
        time.sleep(seconds * 0.6)
        found.append(kill_all(shop))
    poster.join()
    began = time.monotonic()
    stored = shop.one("SELECT count(*) FROM orders") - before
    orders.wait_final(shop, before + stored)
    answered = outcome["report"]["statuses"].get("202", 0)
    single = orders.must_be_single(shop)
    keys = sum(phase["offered"] for phase in outcome["report"]["phases"])
    if not answered <= stored <= keys:
        raise RuntimeError(f"{keys} keys were offered, {answered} orders were answered 202, {stored} are stored")
    return {"count": stored, "answered": answered, "fulfilled": single, "kills": found,
            "final_s": max(one["final_s"] for one in found), "ready_s": max(one["ready_s"] for one in found),
            "open": max(one["open"] for one in found), "after_load_s": time.monotonic() - began,
            "report": outcome["report"]}


def run(bench):
    rate = bench.option("rate", 200)
    shop = bench.shop("sandbox", "relay", "payment", "fulfilment", env={"sandbox": {"DOCKET_SANDBOX_DIR": ""}})
    orders.delay(shop, 20)
    load = Load(bench, shop)
    runs = bench.alternate({"Docket": lambda: kills(shop, load, rate, max(bench.seconds, 4))})
    bench.book.table("kills: everything killed twice", runs, {
        "orders": field("count"), "under way": field("open"), "ready again after s": field("ready_s"),
        "all final after s": field("final_s"), "and after the load s": field("after_load_s")})
    bench.book.verdict("from the restart to the last that is final", [run["final_s"] for run in runs["Docket"]], TARGET_S,
                       at_least=False, unit="s")
