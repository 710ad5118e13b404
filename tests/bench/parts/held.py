"""orders fulfilled while transactions stay open through held=720000 of them, an hour's at 200 a second: tenth by tenth

All wait in outbox and task from the start (filled in by SQL; one in ten waits for a retry besides, and is not counted);
a reader's snapshot and a writer's transaction are open from before the first to after the last.  What such a
transaction keeps from being removed grows with every order: the last three tenths are held against the first three.
"""
import statistics

from harness.wait import wait_for
from lib import fill, orders
from lib.results import cpu_per_1000, field

from .backlog import WORKING, hold

TARGET, PARTS, EDGE = 0.9, 10, 3
# How many are shipped, by the counters of the tables: counting rows would be a load of its own.
SHIPPED = "SELECT coalesce(sum(n_tup_ins), 0)::int FROM pg_stat_user_tables WHERE relname LIKE 'shipment\\_%'"


def through(bench, shop, size):
    """{which tenth: [its record]}"""
    runs, done = {}, 0
    for number in range(1, PARTS + 1):
        meter = bench.meter(shop).begin()
        wait_for(lambda until=size * number // PARTS: shop.one(SHIPPED) >= until, 1200, "the next tenth is shipped",
                 every_s=0.2)
        used, before, done = meter.end(), done, shop.one(SHIPPED)
        record = {"count": done - before, "per_s": (done - before) / used["wall_s"], **used}
        label = f"tenth {number}"
        bench.book.add(label, 0, record)
        bench.say(f"held, {label}: {record['per_s']:,.0f} orders/s")
        runs[label] = [record]
    return runs


def run(bench):
    size = bench.option("held", 720_000)
    shop = bench.shop("sandbox", env={"sandbox": {"DOCKET_SANDBOX_DIR": ""}})
    fill.fill(bench, shop, "ready", size * 10 // 9 + 1)
    hold(bench, shop)
    bench.settle()
    for name in WORKING:
        shop.start(name, wait=False)
    runs = through(bench, shop, size)
    orders.wait_final(shop, shop.one("SELECT count(*) FROM orders"), 300)
    for name in WORKING:
        shop.stop(name)
    orders.must_be_single(shop)
    bench.book.table("held: orders fulfilled while transactions stay open", runs, {
        "orders/s": field("per_s"), "CPU s/1,000": cpu_per_1000(), "Postgres": cpu_per_1000("postgres"),
        "PSS MiB": field("pss_mib"), "foreign cores": field("foreign_cores")})
    rates = [record["per_s"] for (record,) in runs.values()]
    bench.book.verdict("orders fulfilled in the last three tenths, by the first three",
                       [statistics.median(rates[-EDGE:]) / statistics.median(rates[:EDGE])], TARGET)
