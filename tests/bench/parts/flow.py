"""orders a second from the outbox to fulfilled, with provider and carrier at 0 and at 20 ms

orders=20000 are accepted while relay and workers are down; then those start, and the figure is the orders by the time
from the first that is taken up to the last that is shipped.  Each order is three calls to the sandbox, which keeps
its ledger in memory.  tests/bench/run peers holds the same against what others run.
"""
from lib import Load, orders
from lib.results import cpu_per_1000, field

DELAYS, PSS_MIB = (0, 20), 96
WORKING = ("relay", "payment", "fulfilment")
SYSTEM = ("api", *WORKING, "postgres", "rabbitmq")


def fill(bench, shop, count):
    load, seconds = Load(bench, shop), max(0.1, min(1.0, count / 4000))
    before = shop.one("SELECT count(*) FROM orders")
    while shop.one("SELECT count(*) FROM orders") - before < count:
        load.orders(64, phases=[(0, 0.1), (0, seconds)])
    load.close()


def flow(bench, shop, count, delay_ms):
    orders.delay(shop, delay_ms)
    after, before = orders.last_id(shop), shop.one("SELECT count(*) FROM orders")
    fill(bench, shop, count)
    everything = shop.one("SELECT count(*) FROM orders")
    calls = sum(orders.outside_calls(shop).values())
    for name in WORKING:
        shop.start(name, wait=False)
    meter = bench.meter(shop).begin()
    orders.wait_final(shop, everything, 300)
    used = meter.end()
    calls = sum(orders.outside_calls(shop).values()) - calls
    took = shop.one("SELECT extract(epoch FROM max(at) - min(at))::float8 FROM order_event "
                    "WHERE order_id > %s AND kind IN ('payment_started', 'shipped')", after)
    for name in WORKING:
        shop.stop(name)
    done = everything - before
    return {"per_s": done / took, "count": done, "delay_ms": delay_ms, "calls_per_order": calls / done, **used}


def run(bench):
    shop = bench.shop("sandbox", env={"sandbox": {"DOCKET_SANDBOX_DIR": ""}})
    count = bench.option("orders", 20000)
    flow(bench, shop, min(count, 1000), 0)
    runs = bench.alternate({f"{ms} ms": lambda ms=ms: flow(bench, shop, count, ms) for ms in DELAYS})
    orders.must_be_single(shop)
    bench.book.table("flow: orders a second from accepted to fulfilled", runs, {
        "orders/s": field("per_s"), "CPU s/1,000": cpu_per_1000(*SYSTEM),
        **{name: cpu_per_1000(name) for name in (*WORKING, "postgres", "rabbitmq", "sandbox")},
        "calls/order": field("calls_per_order"), "PSS MiB": field("pss_mib"),
        "foreign cores": field("foreign_cores")})
    bench.book.verdict("memory of all processes", [run["pss_mib"] for label in runs for run in runs[label]], PSS_MIB,
                       at_least=False, unit="MiB")
