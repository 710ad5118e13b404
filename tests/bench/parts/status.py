"""reads of 10,000 orders over 64 connections, against nginx with a constant answer; and none is stale

200: the whole order; 304: the client knows the version.  Then orders change all the while, and each read that began
after the commit of a change was known must show it.
"""
import mmap
import random
import threading

from docket_local import order

from lib import Load, yardstick
from lib.results import cpu_per_1000, field, ratios

TARGETS = {"Docket, 304": 0.5, "Docket, 200": 0.35}
CHANGED_AT_ONCE = 50


class Changes:
    """Raises the versions of random orders, and tells the generator of each once it is committed."""

    def __init__(self, shop, ids, path):
        self.shop, self.ids = shop, ids
        with open(path, "wb") as file:
            file.write(b"\0" * 4 * len(ids))
        self.file = open(path, "r+b")
        self.floors = memoryview(mmap.mmap(self.file.fileno(), 0)).cast("i")
        self.count, self.stop = 0, threading.Event()
        self.thread = threading.Thread(target=self._change, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.stop.set()
        self.thread.join()

    def _change(self):
        places = {order.to_uuid(public): place for place, public in enumerate(self.ids)}
        link = self.shop.services.connect(self.shop.database)
        link.autocommit = True
        with link.cursor() as cursor:
            while not self.stop.is_set():
                chosen = random.sample(list(places), CHANGED_AT_ONCE)
                cursor.execute("UPDATE orders SET version = version + 1, updated_at = now() "
                               "WHERE id = ANY(%s::uuid[]) RETURNING id::text, version", (chosen,))
                for uuid, version in cursor.fetchall():
                    self.floors[places[uuid]] = version
                self.count += len(chosen)
        link.close()


def fill(load, shop, count):
    """That many orders; their public ids."""
    while shop.one("SELECT count(*) FROM orders") < count:
        load.orders(256)
    shop.sql("VACUUM (ANALYZE)")  # now, instead of beside what is measured
    return [order.to_public(row[0]) for row in shop.sql("SELECT id::text FROM orders ORDER BY id LIMIT %s", count)]


def never_stale(bench, shop, load, ids, connections):
    path = load.file("floors", "")
    with Changes(shop, ids, path) as changes:
        run = load.polls(ids, connections, phases=[(0, 0.5), (0, bench.option("stale_seconds", bench.seconds * 4))],
                         conditional=1, floors=path)
    stale = sum(phase["stale"] for phase in run["report"]["phases"])
    bench.book.add("stale reads", 0, run | {"changes": changes.count, "stale": stale})
    bench.book.table("status: reads while orders change", {"Docket": [run | {"changes": changes.count, "stale": stale}]}, {
        "reads": field("count"), "changes": field("changes"), "stale": field("stale")})
    bench.book.verdict("reads older than what was committed before they began", [stale], 0, at_least=False, unit="")
    if stale:
        raise RuntimeError(f"{stale} stale reads")


def run(bench):
    shop = bench.shop("api")
    load, connections = Load(bench, shop), bench.option("connections", 64)
    ids = fill(load, shop, bench.option("orders", 10000))
    body = shop.read.get(f"/v1/orders/{ids[0]}").body.decode()
    port, pids = yardstick.nginx(bench, body)
    constant = Load(bench, shop, port, nginx=pids)
    runs = bench.alternate({
        "nginx": lambda: constant.get("/", connections),
        "Docket, 304": lambda: load.polls(ids, connections, conditional=1),
        "Docket, 200": lambda: load.polls(ids, connections)})
    bench.book.table("status: reads a second", runs, {
        "reads/s": field("per_s"), "p50 ms": field("p50_ms"), "p99 ms": field("p99_ms"),
        "CPU s/1,000": cpu_per_1000("nginx", "api", "postgres"), "of it API": cpu_per_1000("api"),
        "foreign cores": field("foreign_cores")})
    for label, target in TARGETS.items():
        bench.book.verdict(f"reads/s, {label[8:]}, by nginx", ratios(runs, label, ["nginx"]), target)
    never_stale(bench, shop, load, ids, connections)
