"""half to ten times the capacity, and a minute of ten times with clients that repeat: goodput, latency, recovery

The capacity is held low (commits that wait as for a far standby, small batches) so that ten times it can really be
offered; API and Postgres have one core, the generator the other.  Orders come at random, whatever the server does; the
rate that was really offered is printed.  In the last run clients have three tries and heed Retry-After.
"""
import contextlib
import json
import os
import statistics

from docket_local import process

from lib import Load
from lib.results import cpu_per_1000, field

TIMES = "0.5,0.8,1,1.5,2,4,7,10"
COMMIT_MS, BATCH = 40, 100
GOODPUT = {4: 0.95, 10: 0.90}
P99_MS, BASELINE, RECOVERY_S = 250, 0.95, 5
FLOOD = "ten times, three tries"


def slow_shop(bench):
    shop = bench.shop(start=False)
    for setting, to in (("commit_delay", bench.option("commit_ms", COMMIT_MS) * 1000), ("commit_siblings", 0)):
        bench.services.admin(f"ALTER ROLE docket_api IN DATABASE {shop.database} SET {setting} = {to}")
    bench.cleanups.append(lambda: pin(process.working_in(bench.services.home.data("postgres")), range(os.cpu_count())))
    pin(process.working_in(bench.services.home.data("postgres")))
    shop.start("api", env={"DOCKET_ACCEPT_BATCH_MAX": bench.option("batch", BATCH)})
    pin([shop.pid("api"), *process.working_in(bench.services.home.data("postgres"))])
    shop.stock_up(bench.endless_catalogue())
    shop.make_keys()
    return shop


def pin(pids, cores=(0,)):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # a worker of autovacuum that has ended
            os.sched_setaffinity(pid, cores)


def offer(bench, load, rate, connections):
    return load.orders(connections, timeout_ms=3000, phases=[(rate, bench.warm), (rate, bench.seconds)])


def curve(bench, load, capacity, connections):
    offers = [float(word) for word in bench.option("times", TIMES).split(",")]
    runs = {f"{times:g} ×": [] for times in offers}
    for number in range(bench.rounds):
        for times in offers:
            bench.settle()
            run = offer(bench, load, round(capacity * times), connections)
            bench.book.add(f"{times:g} ×", number, run)
            runs[f"{times:g} ×"].append(run)
            bench.say(f"{times:g} × capacity: offered {run['offered_per_s']:,.0f}/s, good {run['per_s']:,.0f}/s, "
                      f"p99 {run['p99_ms']:.0f} ms, foreign {run['foreign_cores']}")
    return runs


def recover(bench, load, capacity, connections):
    """Of the flood: with seconds from its end until the goodput of a second is that of before, and each second's."""
    calm, flood, after = (bench.option(name, default) for name, default in (
        ("calm_seconds", 8), ("flood_seconds", 60), ("after_seconds", 12)))
    series = load.file("series", "")
    run = load.orders(connections, timeout_ms=3000, attempts=3, series=series, measured=1,
                      phases=[(round(capacity * 0.7), calm), (round(capacity * 10), flood),
                              (round(capacity * 0.7), after)])
    with open(series, encoding="utf-8") as file:
        seconds = {line["second"]: line for line in map(json.loads, file)}
    good, offered = ([seconds.get(second, {}).get(name, 0) for second in range(calm + flood + after)]
                     for name in ("good", "offered"))
    baseline = statistics.median(good[calm // 4:calm])
    took = next((second for second in range(after)
                 if good[calm + flood + second] >= baseline * BASELINE), after)
    record = run | {"recovery_s": took, "good": good, "offered": offered, "calm_s": calm, "flood_s": flood,
                    "baseline_per_s": baseline, "report": None}
    bench.book.add(FLOOD, 0, record)
    return record


def run(bench):
    process.raise_file_limit()
    shop, connections = slow_shop(bench), bench.option("connections", 3000)
    load = Load(bench, shop)
    load.taskset = "1" if os.cpu_count() > 1 else None
    bench.rounds = bench.option("rounds", 1)
    capacity = max(load.orders(min(connections, 400))["per_s"] for _ in range(2))
    bench.book.add("capacity", 0, {"per_s": capacity})
    print(f"\ncapacity: {capacity:,.0f} orders/s in a closed loop")
    runs = curve(bench, load, capacity, connections)
    bench.book.table("overload: by the capacity of a closed loop", runs, {
        "offered/s": field("offered_per_s"), "good/s": field("per_s"),
        "refused/s": lambda run: run["fates"]["refused"] / bench.seconds,
        "unanswered/s": lambda run: (run["fates"]["late"] + run["fates"]["lost"] + run["fates"]["unsent"])
        / bench.seconds,
        "accepted p50 ms": field("p50_ms"), "p99 ms": field("p99_ms"),
        "refused p99 ms": lambda run: run["report"]["phases"][1]["turned_away"]["p99_ms"],
        "CPU s/1,000 accepted": cpu_per_1000("api", "postgres"), "foreign cores": field("foreign_cores")})
    peak = max(statistics.median(run["per_s"] for run in records) for records in runs.values())
    for times, target in GOODPUT.items():
        bench.book.verdict(f"goodput at {times} × the capacity, by the peak", [run["per_s"] / peak for run in runs[f"{times} ×"]],
                           target)
    bench.book.verdict("p99 of the accepted at 10 ×", [run["p99_ms"] for run in runs["10 ×"]], P99_MS, at_least=False, unit="ms")
    flood = recover(bench, load, capacity, connections)
    bench.book.table("overload: ten times, with clients that have three tries", {f"{flood['flood_s']} s": [flood]}, {
        "offered/s": field("offered_per_s"), "good/s": field("per_s"), "accepted p99 ms": field("p99_ms"),
        "good/s before": field("baseline_per_s"), "foreign cores": field("foreign_cores")})
    bench.book.verdict("from the end of the flood until the goodput is that of before", [flood["recovery_s"]], RECOVERY_S, at_least=False,
                       unit="s")
