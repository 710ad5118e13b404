"""accept with time-ordered and with random keys, status and `docket dead list`, with a history of history=300000 orders

Against the same with 10,000; the orders are filled in by SQL as fulfilled ones, under random keys.  Status is polled with
10,000 ids from all of it, nearly each of which was read before (the first time it may come from the disk).  Then a month that is older than what is kept, with a fifth as many orders, is taken away by
`docket migrate retire` while orders come in (rate=500 a second): how long its tables take to go, and how long the
order waited that waited longest.  The keys of its orders are forgotten one stretch of the table at a time; that has no target.
"""
import time

from docket_local import order
from lib import Load, fill
from lib.results import cpu_per_1000, field, ratios

from . import _month as month

SMALL, TARGET, TARGET_RANDOM, IDS = 10_000, 0.9, 0.7, 10_000
LETTERS = """
INSERT INTO dead_letter (order_id, stage, fingerprint, fault_kind, fault_code, fault_text, attempts, crashes, amount,
                         currency, history)
SELECT id, 1, '', 'broken', 'provider_400', 'bench', 1, 0, total, 'EUR', '[]' FROM orders LIMIT 1000
"""


def accept(load, is_random):
    return {**load.orders(64, random=int(is_random)), "report": None}


def status(load, ids):
    return {**load.polls(ids, 64), "report": None}


def dead_list(shop, times=5):
    began = time.monotonic()
    for _ in range(times):
        shop.docket("dead", "list")
    took = time.monotonic() - began
    return {"per_s": times / took, "count": times}


def read_before(load, ids, times=5):
    read = 0
    while read < times * len(ids):
        read += status(load, ids)["count"]


def public_ids(shop):
    rows = shop.sql("SELECT id::text FROM orders ORDER BY random() LIMIT %s", IDS)
    return [order.to_public(row[0]) for row in rows]


def run(bench):
    size = bench.option("history", 300_000)
    shops, loads, ids = {}, {}, {}
    for label, count in ((f"{SMALL:,}", SMALL), (f"{size:,}", size)):
        shop = shops[label] = bench.shop("api")
        fill.fill(bench, shop, "fulfilled", count)
        shop.sql(LETTERS)
        shop.sql("ANALYZE")
        loads[label] = Load(bench, shop)
    small, large = shops
    columns = {"per s": field("per_s"), "p50 ms": field("p50_ms"), "p99 ms": field("p99_ms"),
               "CPU s/1,000": cpu_per_1000(), "foreign cores": field("foreign_cores")}

    def compare(what, contestant, target):
        runs = bench.alternate({label: lambda label=label: contestant(label) for label in shops})
        bench.book.table(f"history: {what}", runs, columns)
        bench.book.verdict(f"{what}, by that at {SMALL:,}", ratios(runs, large, [small]), target)

    compare("orders accepted, time-ordered keys", lambda label: accept(loads[label], False), TARGET)
    compare("orders accepted, random keys", lambda label: accept(loads[label], True), TARGET_RANDOM)
    for label, shop in shops.items():
        ids[label] = public_ids(shop)
        read_before(loads[label], ids[label])
    compare("status polled", lambda label: status(loads[label], ids[label]), TARGET)
    compare("docket dead list", lambda label: dead_list(shops[label]), TARGET)
    month.compare(bench, shops[large], loads[large], max(size // 5, 1))
