"""milliseconds from accepted to fulfilled at 200 orders a second, provider and carrier at 20 ms each

Open loop (rate=200), everything runs.  The yardstick is the time that an order's own three calls take outside: 60 ms.
The figure is from the beginning of the transaction that accepts an order to the write that ships it.
"""
from lib import Load, orders
from lib.results import cpu_per_1000, field
from lib.times import curve, rank

DELAY_MS, P50_MORE_MS, P99_MORE_MS = 20, 8, 20
OUTSIDE_MS = DELAY_MS * len(orders.DELAYED)


def hops(bench, shop, load, rate):
    before = shop.one("SELECT count(*) FROM orders")
    accepted = load.orders(32, rate)
    orders.wait_final(shop, before + accepted["count"])
    orders.wait_final(shop, shop.one("SELECT count(*) FROM orders"))
    newest = shop.sql("SELECT id::text FROM orders ORDER BY id DESC OFFSET %s LIMIT 1", accepted["count"])
    times = orders.latencies_ms(shop, newest[0][0])
    steps = {name: {"p50_ms": rank(values, .5), "p99_ms": rank(values, .99)}
             for name, values in orders.hops_ms(shop, newest[0][0]).items()}
    return {**accepted, "report": None, "accept_p50_ms": accepted["p50_ms"], "accept_p99_ms": accepted["p99_ms"],
            "p50_ms": rank(times, .5), "p99_ms": rank(times, .99), "max_ms": times[-1], "curve": curve(times), "hops": steps}


def run(bench):
    rate = bench.option("rate", 200)
    shop = bench.shop("sandbox", "relay", "payment", "fulfilment", env={"sandbox": {"DOCKET_SANDBOX_DIR": ""}})
    orders.delay(shop, DELAY_MS)
    load = Load(bench, shop)
    runs = bench.alternate({f"{rate} orders/s": lambda: hops(bench, shop, load, rate)})
    orders.must_be_single(shop)
    bench.book.table(f"hops: accepted to fulfilled, {OUTSIDE_MS} ms of it outside", runs, {
        "p50 ms": field("p50_ms"), "p99 ms": field("p99_ms"), "max ms": field("max_ms"),
        "accept p50 ms": field("accept_p50_ms"), "accept p99 ms": field("accept_p99_ms"),
        "CPU s/1,000": cpu_per_1000("api", "relay", "payment", "fulfilment", "postgres", "rabbitmq"),
        "foreign cores": field("foreign_cores")})
    (records,) = runs.values()
    bench.book.table("hops: where it goes", {
        name: [record["hops"][name] for record in records if name in record["hops"]]
        for name in records[0]["hops"]}, {"p50 ms": field("p50_ms"), "p99 ms": field("p99_ms")})
    for name, more_ms in (("p50_ms", P50_MORE_MS), ("p99_ms", P99_MORE_MS)):
        bench.book.verdict(f"{name[:3]} from accepted to fulfilled, beyond the {OUTSIDE_MS} ms outside",
                           [record[name] - OUTSIDE_MS for record in records], more_ms, at_least=False, unit="ms")
