"""Docket side by side with what a team would run instead (tests/bench/peers): end to end, latency, kills

systems=docket,fastify-outbox,graphile-worker,pg-boss,naive-dual-write,bullmq (that order; the last is left out where
there is no redis-server), orders=10000.  For each, once it has done a fifth of that: orders that were accepted while
its workers were down, from the first call to the last that is fulfilled, with provider and carrier at 0 and at 20 ms;
from accepted to fulfilled at 200 orders/s (60 ms of it outside); and two kills of all its processes at that rate,
whose clients go on with the same keys: orders missing, doubled, charged twice, and how long the last was under way
after the load.  Every system makes the same three calls an order to the same sandbox.
"""
import collections
import contextlib
import datetime
import shutil
import threading
import time

from docket_local import order
from lib import Load, orders
from lib.peer import SYSTEMS, Peer
from lib.results import field, ratios
from lib.times import curve, rank

PATIENCE_S, DOWN_S = 100, 0.5
WARM_SHARE = 5  # before any is counted: whoever came first paid for files and code that nobody had used yet
TARGETS = {"per_s": 2.5, "cpu": 0.4}
COUNT = {"docket": "SELECT count(*) FROM orders WHERE final", "peer": "SELECT count(*) FROM orders WHERE status = 'fulfilled'"}
TIMES = {"docket": "SELECT o.id::text, extract(epoch FROM o.accepted_at)::float8, extract(epoch FROM e.at)::float8 "
                   "FROM orders o JOIN order_event e ON e.order_id = o.id AND e.kind = 'shipped'",
         "peer": "SELECT id::text, extract(epoch FROM created_at)::float8, extract(epoch FROM fulfilled_at)::float8 "
                 "FROM orders WHERE status = 'fulfilled'"}
KEYS = {"docket": "SELECT key FROM order_key", "peer": "SELECT idempotency_key FROM orders"}


class Docket:
    """A shop, used as a Peer is."""

    kind, workers, servers = "docket", ("relay", "payment", "fulfilment"), {}

    def __init__(self, bench, sandbox_url):
        self.shop = bench.shop("api")
        self.env = {"DOCKET_PROVIDER_URL": sandbox_url, "DOCKET_CARRIER_URL": sandbox_url}
        self.checkout, self.services = self.shop.checkout, self.shop.services

    def __getattr__(self, name):
        return getattr(self.shop, name)

    def start(self, name):
        """The API is waited for, as a peer's is."""
        self.shop.start(name, env=self.env if name in self.workers and name != "relay" else None, wait=name == "api")

    def end(self, name, sig=None):
        self.shop.kill(name) if sig else self.shop.stop(name)

    def rows(self, query):
        return self.shop.sql(query)


def system(bench, name, sandbox_url):
    if name == "docket":
        return Docket(bench, sandbox_url)
    peer = Peer(bench, name, sandbox_url)
    peer.kind = "peer"
    peer.start("api")
    bench.cleanups.append(peer.close)
    return peer


def done(system):
    return system.one(COUNT[system.kind])


def wait_done(system, count):
    """False: they were not done in time."""
    until = time.monotonic() + PATIENCE_S
    while done(system) < count and time.monotonic() < until:
        time.sleep(0.25)
    return done(system) >= count


def each(names, act):
    for name in names:
        act(name)


def first_charge(sandbox, began):
    return min(at for fact in sandbox.ledger() if fact["kind"] == "charge"
               and (at := datetime.datetime.fromisoformat(fact["at"].replace("Z", "+00:00")).timestamp()) >= began)


def flow(bench, sandbox, system, load, count, ms):
    """From the first call to when the last is fulfilled.  The meter knows who runs when it begins."""
    while system.one("SELECT count(*) FROM orders") - done(system) < count:
        load.orders(64, phases=[(0, 0.1), (0, 1.0)])
    time.sleep(1)  # the naive one writes its rows later
    there, before = system.one("SELECT count(*) FROM orders"), done(system)
    began = time.time()
    each(system.workers, system.start)
    meter = bench.meter(system, **system.servers).begin()
    all_done = wait_done(system, there)
    used = meter.end()
    each(system.workers, system.end)
    ends = [end for _, _, end in system.rows(TIMES[system.kind]) if end >= began]
    first = first_charge(sandbox, began) - 2 * ms / 1000
    cpu = sum(value for group, value in used["cpu_s"].items() if group not in ("load", "bench", "sandbox"))
    return {"per_s": len(ends) / (max(ends) - first), "count": there - before, "is_all": all_done,
            "cpu": cpu * 1000 / max(len(ends), 1), **used}


def latency(bench, system, load, rate):
    each(system.workers, system.start)
    began = time.time()
    load.orders(32, rate)
    wait_done(system, system.one("SELECT count(*) FROM orders"))
    times = sorted((end - start) * 1000 for _, start, end in system.rows(TIMES[system.kind]) if start >= began + bench.warm)
    return {"p50_ms": rank(times, .5), "p99_ms": rank(times, .99), "curve": curve(times)}


def kills(system, load, rate, seconds):
    outcome = {}
    everything = ("api", *system.workers)
    poster = threading.Thread(target=lambda: outcome.update(
        load.orders(32, phases=[(rate, seconds), (rate, seconds)], attempts=100, drain_ms=20000)))
    before = len(system.rows(KEYS[system.kind]))
    poster.start()
    for _ in range(2):
        time.sleep(seconds * 0.6)
        each(everything, lambda name: system.processes[name].child.kill())
        each(everything, lambda name: system.end(name, 9))
        time.sleep(DOWN_S)
        each(everything, system.start)
    poster.join()
    began = time.monotonic()
    is_all = wait_done(system, system.one("SELECT count(*) FROM orders"))
    keys = system.rows(KEYS[system.kind])
    answered = outcome["report"]["statuses"].get("202", 0)
    return {"settle_s": time.monotonic() - began, "is_all": is_all, "left": system.one("SELECT count(*) FROM orders") - done(system),
            "missing": max(0, answered - (len(keys) - before)), "doubled": len(keys) - len(set(keys)),
            "stored": len(keys) - before, "answered": answered}


def double_charges(sandbox, system):
    """Orders with more than one charge, or more than one shipment, in the ledger."""
    mine = {row[0] for row in system.rows(TIMES[system.kind])}
    mine |= {order.to_public(one) for one in mine}
    facts = collections.Counter((fact["order"], fact["kind"]) for fact in sandbox.ledger()
                                if fact["kind"] in ("charge", "shipment") and fact["order"] in mine)
    return sum(count > 1 for count in facts.values())


def measure(bench, sandbox, name):
    one = system(bench, name, sandbox.world.url("sandbox"))
    load, count, rate = Load(bench, one), bench.option("orders", 10000), bench.option("rate", 200)
    record = {}
    with contextlib.closing(load):
        orders.delay(sandbox, 0)
        flow(bench, sandbox, one, load, max(count // WARM_SHARE, 1), 0)
        for ms in (0, 20):
            orders.delay(sandbox, ms)
            record[f"flow_{ms}"] = flow(bench, sandbox, one, load, count, ms)
        record["latency"] = latency(bench, one, load, rate)
        record["kills"] = kills(one, load, rate, max(bench.seconds, 4)) | {"charged_twice": double_charges(sandbox, one)}
    bench.close_shop(one.shop) if name == "docket" else one.close()
    return {**record, "per_s": record["flow_0"]["per_s"], "cpu": record["flow_0"]["cpu"], **record["latency"]}


def here(systems):
    return [name for name in systems if name != "bullmq" or shutil.which("redis-server")]


def of(part, name):
    return lambda record: record[part][name]


def run(bench):
    names = bench.option("systems", ",".join(["docket", *here(SYSTEMS)])).split(",")
    sandbox = bench.shop("sandbox", env={"sandbox": {"DOCKET_SANDBOX_DIR": ""}})
    runs = bench.alternate({name: lambda name=name: measure(bench, sandbox, name) for name in names})
    bench.book.table("peers: the same load, services and provider", runs, {
        "orders/s at 0 ms": of("flow_0", "per_s"), "at 20 ms": of("flow_20", "per_s"), "CPU s/1,000": field("cpu"),
        "PSS MiB": of("flow_20", "pss_mib"), "p50 ms": field("p50_ms"), "p99 ms": field("p99_ms"),
        "missing": of("kills", "missing"), "doubled": of("kills", "doubled"),
        "charged or shipped twice": of("kills", "charged_twice"), "left after 100 s": of("kills", "left"),
        "settled after s": of("kills", "settle_s")})
    if "docket" in names and "fastify-outbox" in names:
        bench.book.verdict("orders/s end to end, by fastify-outbox", ratios(runs, "docket", ["fastify-outbox"]), TARGETS["per_s"])
    others = [name for name in names if name != "docket"]
    if "docket" in names and others:
        best = [min(runs[name][number]["cpu"] for name in others) for number in range(bench.rounds)]
        bench.book.verdict("CPU an order, by the best peer", [run["cpu"] / least for run, least in zip(runs["docket"], best)],
                           TARGETS["cpu"], at_least=False)
