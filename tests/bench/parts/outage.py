"""the provider is away for outage=600 s at rate=100 orders a second: nothing is given up, the oldest go first

Orders are accepted all the while, and for a tenth of that time after the provider is back.  It stops if a dead letter is
written, an attempt is counted, an order is refused or lost, the books do not balance, or the programs' memory grows.
An order's place is how many were paid before it; it is held against how many were accepted before it.
"""
import threading
import time

from harness import must
from harness.wait import wait_for
from lib import Load, orders
from lib.meter import pss_mib
from lib.results import cpu_per_1000, field

OPS = ("create", "confirm", "retrieve", "cancel")
PROGRAMS = ("api", "relay", "payment", "fulfilment")
GROWTH, GROWTH_MIB = 1.15, 3  # of a program's memory, from the second quarter of the outage to its last
BURNED = """
    SELECT (SELECT count(*) FROM dead_letter), coalesce(sum(attempt), 0)::int, coalesce(max(crashes), 0),
           count(*) FILTER (WHERE state = 4) FROM task WHERE order_id > %s AND stage = 1"""
PLACES = """
    WITH came AS (SELECT id, row_number() OVER (ORDER BY id) AS place FROM orders WHERE id > %s AND id <= %s),
    went AS (SELECT e.order_id, e.at, row_number() OVER (ORDER BY e.at, e.order_id) AS place
             FROM order_event e WHERE e.kind = 'paid' AND e.order_id > %s AND e.order_id <= %s)
    SELECT percentile_disc(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (ORDER BY abs(went.place - came.place)),
           count(*), extract(epoch FROM max(went.at) - min(went.at))::float8
    FROM came JOIN went ON went.order_id = came.id"""


class Memory(threading.Thread):
    """What each program holds, once a second."""

    def __init__(self, shop):
        super().__init__(daemon=True)
        self.shop, self.samples, self.is_over = shop, [], threading.Event()

    def run(self):
        while not self.is_over.wait(0.25 if len(self.samples) < 8 else 1):
            self.samples.append({name: pss_mib(self.shop.pid(name)) for name in PROGRAMS})

    def end(self):
        """{program: (MiB in the second quarter, MiB in the last)}"""
        self.is_over.set()
        self.join()
        quarter = max(len(self.samples) // 4, 1)
        return {name: tuple(sum(one[name] for one in part) / len(part)
                            for part in (self.samples[quarter:2 * quarter] or self.samples, self.samples[-quarter:]))
                for name in PROGRAMS}


def offer(bench, shop, rate, seconds):
    load = Load(bench, shop)
    record = load.orders(64, phases=[(rate, 0.2), (rate, seconds)])
    load.close()
    lost = {name: record["fates"][name] for name in ("refused", "failed", "late", "lost", "unsent")}
    must(sum(lost.values()), 0, f"orders that were not accepted while the provider was away: {lost}")
    return record | {"report": None}


def must_have_burned_nothing(shop, after):
    letters, attempts, crashes, parked = shop.one(BURNED, after)
    must((letters, attempts, crashes), (0, 0, 0), "dead letters, attempts counted, crashes")
    return parked


def wait_parked(shop, after):
    """First for the newest, by its key; by then hardly any is left to be counted."""
    newest = orders.last_id(shop)
    wait_for(lambda: shop.one("SELECT state FROM task WHERE order_id = %s AND stage = 1", newest) == 4, 120,
             "the newest is parked", every_s=0.2)
    wait_for(lambda: shop.one("SELECT count(*) FROM task WHERE order_id > %s AND stage = 1 AND state <> 4", after)
             <= 1, 120, "all is parked, but for a probe", every_s=1)


def sit_out(bench, shop, rate, seconds, after):
    """The outage; it ends when everything that was accepted is parked."""
    for op in OPS:
        shop.fault(op, "unavailable", ms=20)
    memory = Memory(shop)
    memory.start()
    record = offer(bench, shop, rate, seconds)
    wait_parked(shop, after)
    held = memory.end()
    return record | {"parked": must_have_burned_nothing(shop, after), "memory_mib": held}


def outage(bench, shop, rate, seconds):
    after = orders.last_id(shop)
    record = sit_out(bench, shop, rate, seconds, after)
    newest, began, looked = orders.last_id(shop), time.monotonic(), orders.outside_calls(shop)["retrieve"]
    shop.no_faults()
    back = offer(bench, shop, rate, max(seconds / 10, 1))
    orders.wait_rest_final(shop, after, 60 + 60 * seconds)
    took = time.monotonic() - began
    (middle, most, worst), count, paying_s = shop.one(PLACES, after, newest, after, newest)
    must_have_burned_nothing(shop, after)
    shop.books(settle_s=30).must_balance()
    orders.must_be_single(shop)
    looked = orders.outside_calls(shop)["retrieve"] - looked
    return record | {"count": count, "per_s": count / paying_s, "all_final_s": took, "looked_up": looked / count,
                     "place_off": middle, "place_off_p99": most, "place_off_most": worst,
                     "accepted_after_p99_ms": back["p99_ms"]}


def run(bench):
    rate, seconds = bench.option("rate", 100), bench.option("outage", 600.0)
    shop = bench.shop("sandbox", "relay", "payment", "fulfilment", env={"sandbox": {"DOCKET_SANDBOX_DIR": ""}})
    offer(bench, shop, rate, 1)
    record = outage(bench, shop, rate, seconds)
    bench.book.add(f"{seconds:g} s", 0, record)
    runs = {f"{seconds:g} s at {rate}/s": [record]}
    bench.book.table("outage: the provider away, and back", runs, {
        "parked": field("parked"), "accept p99 ms": field("p99_ms"), "paid/s after": field("per_s"),
        "all final after s": field("all_final_s"), "places off": field("place_off"),
        "p99": field("place_off_p99"), "most": field("place_off_most"), "look-ups an order": field("looked_up"),
        "CPU s/1,000 meanwhile": cpu_per_1000(), "foreign cores": field("foreign_cores")})
    for name, (then, now) in record["memory_mib"].items():
        print(f"{name}: {then:.1f} MiB in the second quarter, {now:.1f} in the last")
        assert seconds < 60 or now <= then * GROWTH + GROWTH_MIB, f"the memory of {name} grows"
    bench.book.verdict("places off by the orders that waited, p99", [record["place_off_p99"] / record["count"]], 0.05,
                       at_least=False)
