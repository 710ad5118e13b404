"""drain, accept and end to end with a backlog of backlog=300000 orders and transactions held open, against 10,000

The large shop has that many orders in outbox and task (one in ten waits for a retry, due while they are worked off),
and for the whole run a reader holds a snapshot and a writer a transaction open; the small one has 10,000 and nobody.
The drain is the relay alone, with as many messages in the outbox, and a queue that is purged all the while, since the
relay rests when it has 20,000; it goes on for `seconds`, and the outbox is filled up by as much as went, since the first
10,000 go faster than those after them, however many wait.  It is counted from the first confirm to the last.  The two take
turns.  Where orders are accepted, the small shop grows by them; another one is worked off.  Of that one 10,000 orders are in
the outbox, behind as many as the relay publishes ahead, when its workers begin: so each publishes an order for one that it
works off.
"""
import contextlib
import time

from harness.relay import metric, queue_count
from harness.wait import wait_for
from lib import Load, fill
from lib.results import cpu_per_1000, field, ratios

from . import drain as drain_part

SMALL, TARGET = 10_000, 0.9
AHEAD = (SMALL + drain_part.AT_ONCE) * 10 // 9  # that wait, one in ten for a retry: the queue is full, SMALL are behind it
WORKERS = ("payment", "fulfilment")
WORKING = ("relay", *WORKERS)
COUNTERS = ("docket_relay_due_total", "docket_relay_published_total")


def hold(bench, shop):
    """A reader's snapshot and a writer's transaction, until the bench ends."""
    reader, writer = shop.services.connect(shop.database), shop.services.connect(shop.database)
    with reader.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM outbox")
    with writer.cursor() as cursor:
        cursor.execute("BEGIN; INSERT INTO account (name) VALUES ('held open')")
    bench.cleanups += [reader.close, writer.close]


def rate_of(shop):
    """Messages a second, from the first row of `published` to the last, and their number."""
    return shop.one("SELECT coalesce((sum(cardinality(order_ids)) - min(cardinality(order_ids)))::float8 "
                    "/ nullif(extract(epoch FROM max(confirmed_at) - min(confirmed_at)), 0), 0)::float8, "
                    "coalesce(sum(cardinality(order_ids)), 0)::int FROM published")


def drain(bench, shop, size):
    there = shop.one("SELECT coalesce(sum(cardinality(order_ids)), 0)::int FROM outbox")
    shop.sql(drain_part.FILL, max(size - there, 1))
    shop.sql("TRUNCATE published")
    meter = bench.meter(shop).begin()
    shop.start("relay")
    until, filled_up = time.monotonic() + bench.seconds, 0
    while time.monotonic() < until:
        drain_part.purge(bench, shop)
        gone = shop.one("SELECT coalesce(sum(cardinality(order_ids)), 0)::int FROM published")
        shop.sql(drain_part.FILL, gone - filled_up)
        filled_up = gone
        time.sleep(0.05)
    shop.stop("relay")
    used = meter.end()
    per_s, count = rate_of(shop)
    drain_part.purge(bench, shop)
    return {"per_s": per_s, "count": count, **used}


def accept(load):
    return {**load.orders(64), "report": None}


def is_under_way(shop):
    """The relay has published ahead what it may, and has seen to what came due while nobody ran: retries, and looks at
    messages."""
    return queue_count(shop) > drain_part.AT_ONCE * 0.9 and shop.one(
        "SELECT NOT EXISTS (SELECT FROM task WHERE state = 3 AND due_at < now() - interval '1 second') "
        "AND NOT EXISTS (SELECT FROM published WHERE look_at < now() - interval '1 second')")


def end_to_end(bench, shop, size, rate=fill.WORKED_OFF_PER_S):
    """The small shop is filled up each time; of the large one a round works off some thousands of so many."""
    if size == SMALL:
        fill.fill(bench, shop, "ready", AHEAD - shop.one("SELECT count(*) FROM orders WHERE NOT final"),
                  worked_off_per_s=rate)
    shop.start("relay")
    wait_for(lambda: is_under_way(shop), 300, "the relay is ahead", every_s=0.2)
    for name in WORKERS:
        shop.start(name, wait=False)
    newest = shop.one("SELECT coalesce(max(shipped_at), '2000-01-01') FROM shipment")  # few, whatever waits
    wait_for(lambda: shop.one("SELECT max(shipped_at) > %s FROM shipment", newest), 60, "the first is shipped", every_s=0.05)
    counted = [metric(shop, name) for name in COUNTERS]
    meter, began = bench.meter(shop).begin(), shop.one("SELECT clock_timestamp()")
    time.sleep(bench.seconds)
    used, ended = meter.end(), shop.one("SELECT clock_timestamp()")
    due, published = (metric(shop, name) - before for name, before in zip(COUNTERS, counted))
    for name in WORKING:
        shop.stop(name)
    count, took = shop.one("SELECT count(*), extract(epoch FROM max(shipped_at) - min(shipped_at))::float8 FROM shipment "
                           "WHERE shipped_at BETWEEN %s AND %s", began, ended)
    return {"per_s": count / took, "count": count, "messages": published / count, "retries": due / count, **used}


def compare(bench, what, small, large, size, columns=None):
    labels = (f"{SMALL:,}", f"{size:,}, held open")
    runs = bench.alternate(dict(zip(labels, (small, large))))
    bench.book.table(f"backlog: {what}", runs, {"per s": field("per_s"), "CPU s/1,000": cpu_per_1000(),
                                                "Postgres": cpu_per_1000("postgres"), **(columns or {}),
                                                "foreign cores": field("foreign_cores")})
    bench.book.verdict(f"{what}, by that at {SMALL:,}", ratios(runs, labels[1], labels[:1]), TARGET)


def run(bench):
    size = bench.option("backlog", 300_000)
    if size < 2 * AHEAD:
        raise RuntimeError(f"backlog={size} is no large backlog: say {2 * AHEAD} at least")
    small, large = (bench.shop(start=False) for _ in range(2))
    hold(bench, large)
    compare(bench, "messages drained", lambda: drain(bench, small, SMALL), lambda: drain(bench, large, size), size)
    small, large, accepting = (bench.shop("sandbox", env={"sandbox": {"DOCKET_SANDBOX_DIR": ""}}) for _ in range(3))
    rate = end_to_end(bench, small, SMALL)["per_s"]
    due_s = fill.fill(bench, large, "ready", size, worked_off_per_s=rate)
    fill.fill(bench, accepting, "ready", SMALL)
    hold(bench, large)
    with contextlib.ExitStack() as stack:
        loads = [Load(bench, shop) for shop in (accepting, large)]
        for load in loads:
            stack.callback(load.close)
        compare(bench, "orders accepted", lambda: accept(loads[0]), lambda: accept(loads[1]), size)
    wait_for(lambda: time.time() > due_s, 1800, "the first retry is due", every_s=0.5)
    compare(bench, "orders fulfilled", lambda: end_to_end(bench, small, SMALL, rate), lambda: end_to_end(bench, large, size), size,
            {"messages an order": field("messages"), "retries an order": field("retries")})
