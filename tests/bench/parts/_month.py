"""Of the part history: a month that is older than what is kept goes while orders come in."""
import datetime
import json
import threading
import time

from harness.months import make_month, month_ago, tables_of
from lib import fill
from lib.results import field

KEPT_MONTHS, GONE_S, WAITED_S = 3, 1, 1


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

    def at(self, what, is_over):
        """When the first of them was missed; or none was left."""
        return min(at for (seen, count), at in self.seen.items() if seen == what and count < (1 if is_over else len(self.tables)))


class Orders(threading.Thread):
    """Orders come in, one run of the generator after another, until it is ended."""

    def __init__(self, bench, load):
        super().__init__(daemon=True)
        self.bench, self.load, self.ending, self.runs = bench, load, False, []

    def run(self):
        while not self.ending:
            rate = self.bench.option("rate", 500)
            self.runs.append(self.load.orders(64, phases=[(rate, 0.2), (rate, self.bench.seconds)]))

    def end(self):
        self.ending = True
        self.join()
        phases = [phase for run in self.runs for phase in run["report"]["phases"]]
        return {"per_s": sum(phase["good"] for phase in phases) / sum(phase["seconds"] for phase in phases),
                "p99_ms": max(phase["answered"]["p99_ms"] for phase in phases),
                "waited_s": max(phase["answered"]["max_ms"] for phase in phases) / 1000,
                "foreign_cores": max(run["foreign_cores"] for run in self.runs)}


def drop(bench, shop, load, count):
    month = month_ago(KEPT_MONTHS + 1)
    make_month(shop, month)
    newest_ms = int(datetime.datetime(month.year, month.month, 20, tzinfo=datetime.timezone.utc).timestamp() * 1000)
    fill.fill(bench, shop, "fulfilled", count, newest_ms)
    shop.sql("ANALYZE")
    bench.settle()
    orders, watch = Orders(bench, load), Watch(shop, month)
    orders.start()
    time.sleep(bench.warm)
    watch.start()
    began = time.monotonic()
    (gone,) = json.loads(shop.docket("migrate", "retire", "--json", env={"DOCKET_RETENTION_MONTHS": str(KEPT_MONTHS)}))
    whole_s = time.monotonic() - began
    watch.end()
    if gone["fate"] != "gone" or gone["keys"] != count:
        raise RuntimeError(f"{count} orders, and the month: {gone}")
    began, unreached, ended = watch.at("reached", False), watch.at("reached", True), watch.at("there", True)
    return {**orders.end(), "detach_s": unreached - began, "drop_s": ended - unreached, "gone_s": ended - began,
            "whole_s": whole_s, "count": count}


def compare(bench, shop, load, count):
    runs = bench.alternate({f"{count:,} orders": lambda: drop(bench, shop, load, count)})
    bench.book.table("history: a month goes", runs, {
        "detached in s": field("detach_s"), "dropped in s": field("drop_s"), "with its keys s": field("whole_s"),
        "orders/s meanwhile": field("per_s"), "p99 ms at most": field("p99_ms"), "longest wait s": field("waited_s"),
        "foreign cores": field("foreign_cores")})
    (records,) = runs.values()
    for what, name, target in (("the tables of a month go", "gone_s", GONE_S),
                               ("the longest wait of an order meanwhile", "waited_s", WAITED_S)):
        bench.book.verdict(what, [record[name] for record in records], target, at_least=False, unit="s")
