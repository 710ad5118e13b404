"""accept with time-ordered and with random keys, status and `docket dead list`, with a history of history=300000 orders

Against the same with 10,000; the orders are filled in by SQL as fulfilled ones, under random keys.  Status is polled with
10,000 ids from all of it.  Then a month that is older than what is kept, with a fifth as many orders, is taken away by
`docket migrate retire` while orders come in (rate=500 a second): how long its tables take to go, and how long the
order waited that waited longest.  The keys of its orders are forgotten one stretch of the table at a time; that has no target.
"""
import datetime
import json
import threading
import time

from docket_local import order
from harness.months import make_month, month_ago, tables_of
from lib import Load, fill
from lib.results import cpu_per_1000, field, ratios

SMALL, TARGET, TARGET_RANDOM, IDS = 10_000, 0.9, 0.7, 10_000
KEPT_MONTHS, GONE_S, WAITED_S = 3, 1, 1
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


def public_ids(shop):
    rows = shop.sql("SELECT id::text FROM orders ORDER BY random() LIMIT %s", IDS)
    return [order.to_public(row[0]) for row in rows]


class Watch(threading.Thread):
    """Looks at a month's tables again and again: when each number of them was first seen, that can be reached and that
    is there at all."""

    def __init__(self, shop, month):
        super().__init__(daemon=True)
        self.link, self.tables, self.ending, self.seen = shop.services.connect(shop.database), tables_of(shop, month), False, {}
        self.link.autocommit = True

    def run(self):
        with self.link.cursor() as cursor:
            while not self.ending:
                cursor.execute("SELECT count(*) FILTER (WHERE NOT i.inhdetachpending), count(c.oid) FROM unnest(%s) AS t "
                               "JOIN pg_class c ON c.relname = t LEFT JOIN pg_inherits i ON i.inhrelid = c.oid", (self.tables,))
                for what, count in zip(("reached", "there"), cursor.fetchone()):
                    self.seen.setdefault((what, count), time.monotonic())
                time.sleep(0.002)

    def end(self):
        self.ending = True
        self.join()
        self.link.close()

    def took_s(self, what):
        """From when the first was missed to when none was left."""
        at = {count: at for (seen, count), at in self.seen.items() if seen == what}
        return at[0] - min(at[count] for count in at if count < len(self.tables))


def drop(bench, shop, load, count):
    month = month_ago(KEPT_MONTHS + 1)
    make_month(shop, month)
    newest_ms = int(datetime.datetime(month.year, month.month, 20, tzinfo=datetime.timezone.utc).timestamp() * 1000)
    fill.fill(bench, shop, "fulfilled", count, newest_ms)
    shop.sql("ANALYZE")
    bench.settle()
    accepted, watch = {}, Watch(shop, month)
    poster = threading.Thread(target=lambda: accepted.update(load.orders(64, bench.option("rate", 500))))
    poster.start()
    time.sleep(bench.warm + bench.seconds * 0.2)
    watch.start()
    began = time.monotonic()
    (gone,) = json.loads(shop.docket("migrate", "retire", "--json", env={"DOCKET_RETENTION_MONTHS": str(KEPT_MONTHS)}))
    whole_s = time.monotonic() - began
    poster.join()
    watch.end()
    if gone["fate"] != "gone" or gone["keys"] != count:
        raise RuntimeError(f"{count} orders, and the month: {gone}")
    tables_s = {"detach_s": watch.took_s("reached"), "drop_s": watch.took_s("there")}
    return {**accepted, "report": None, **tables_s, "gone_s": sum(tables_s.values()), "whole_s": whole_s, "count": count,
            "waited_s": accepted["max_ms"] / 1000}


def drop_month(bench, shop, load, count):
    runs = bench.alternate({f"{count:,} orders": lambda: drop(bench, shop, load, count)})
    bench.book.table("history: a month goes", runs, {
        "detached in s": field("detach_s"), "dropped in s": field("drop_s"), "with its keys s": field("whole_s"),
        "orders/s meanwhile": field("per_s"), "p99 ms": field("p99_ms"), "longest wait s": field("waited_s"),
        "foreign cores": field("foreign_cores")})
    (records,) = runs.values()
    for what, name, target in (("the tables of a month go", "gone_s", GONE_S),
                               ("the longest wait of an order meanwhile", "waited_s", WAITED_S)):
        bench.book.verdict(what, [record[name] for record in records], target, at_least=False, unit="s")


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
    compare("status polled", lambda label: status(loads[label], ids.setdefault(label, public_ids(shops[label]))),
            TARGET)
    compare("docket dead list", lambda label: dead_list(shops[label]), TARGET)
    drop_month(bench, shops[large], loads[large], max(size // 5, 1))
