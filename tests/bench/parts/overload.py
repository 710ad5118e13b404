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
from lib.results import cpu_per_1000, field, spread, verdict

TIMES = (0.5, 0.8, 1, 1.5, 2, 4, 7, 10)
COMMIT_MS, BATCH = 40, 100
GOODPUT = {4: 0.95, 10: 0.90}
P99_MS, BASELINE, RECOVERY_S = 250, 0.95, 5


def slow_shop(bench):
    shop = bench.shop(start=False)
    for setting, to in (("commit_delay", bench.option("commit_ms", COMMIT_MS) * 1000), ("commit_siblings", 0)):
        bench.services.admin(f"ALTER ROLE docket_api IN DATABASE {shop.database} SET {setting} = {to}")
    pin(process.working_in(bench.services.home.data("postgres")))
    shop.start("api", env={"DOCKET_ACCEPT_BATCH_MAX": bench.option("batch", BATCH)})
    pin([shop.pid("api"), *process.working_in(bench.services.home.data("postgres"))])
    shop.stock_up(bench.endless_catalogue())
    shop.make_keys()
    return shop


def pin(pids):
    if os.cpu_count() > 1:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # a worker of autovacuum that has ended
                os.sched_setaffinity(pid, {0})


def offer(bench, load, rate, connections):
    return load.orders(connections, timeout_ms=3000, phases=[(rate, bench.warm), (rate, bench.seconds)])


def curve(bench, load, capacity, connections):
    runs = {f"{times:g} ×": [] for times in TIMES}
    for number in range(bench.rounds):
        for times in TIMES:
            bench.settle()
            run = offer(bench, load, round(capacity * times), connections)
            bench.book.add(f"{times:g} ×", number, run)
            runs[f"{times:g} ×"].append(run)
            bench.say(f"{times:g} × capacity: offered {run['offered_per_s']:,.0f}/s, good {run['per_s']:,.0f}/s, "
                      f"p99 {run['p99_ms']:.0f} ms, foreign {run['foreign_cores']}")
    return runs


def recover(bench, load, capacity, connections):
    """Seconds after the flood until the goodput of a second is that of before, and the run."""
    calm, flood, after = 8, bench.option("flood_seconds", 60), 12
    series = load.file("series", "")
    run = load.orders(connections, timeout_ms=3000, attempts=3, series=series, measured=1,
                      phases=[(round(capacity * 0.7), calm), (round(capacity * 10), flood),
                              (round(capacity * 0.7), after)])
    with open(series, encoding="utf-8") as file:
        good = {line["second"]: line["good"] for line in map(json.loads, file)}
    baseline = statistics.median(good.get(second, 0) for second in range(2, calm))
    took = next((second for second in range(after)
                 if good.get(calm + flood + second, 0) >= baseline * BASELINE), after)
    bench.book.add("a minute of ten times", 0, run | {"recovery_s": took, "series": good, "baseline": baseline})
    return took, run, baseline


def run(bench):
    process.raise_file_limit()
    shop, connections = slow_shop(bench), bench.option("connections", 3000)
    load = Load(bench, shop)
    load.taskset = "1" if os.cpu_count() > 1 else None
    bench.rounds = bench.option("rounds", 1)
    capacity = max(load.orders(400)["per_s"] for _ in range(2))
    print(f"\ncapacity: {capacity:,.0f} orders/s in a closed loop")
    runs = curve(bench, load, capacity, connections)
    bench.book.table("overload", runs, {
        "offered/s": field("offered_per_s"), "good/s": field("per_s"),
        "refused/s": lambda run: run["fates"]["refused"] / bench.seconds,
        "unanswered/s": lambda run: (run["fates"]["late"] + run["fates"]["lost"] + run["fates"]["unsent"])
        / bench.seconds,
        "accepted p50 ms": field("p50_ms"), "p99 ms": field("p99_ms"),
        "refused p99 ms": lambda run: run["report"]["phases"][1]["turned_away"]["p99_ms"],
        "CPU s/1,000 accepted": cpu_per_1000("api", "postgres"), "foreign cores": field("foreign_cores")})
    peak = max(statistics.median(run["per_s"] for run in records) for records in runs.values())
    for times, target in GOODPUT.items():
        verdict(f"overload, goodput at {times} × by the peak", [run["per_s"] / peak for run in runs[f"{times} ×"]], target)
    verdict("overload, accepted p99 at 10 ×, ms", [run["p99_ms"] for run in runs["10 ×"]], P99_MS, at_least=False)
    took, flood, baseline = recover(bench, load, capacity, connections)
    print(f"a minute of ten times with three tries: offered {flood['offered_per_s']:,.0f} new orders/s, goodput "
          f"{flood['per_s']:,.0f}/s, accepted p99 {spread([flood['p99_ms']])} ms; before it {baseline:,.0f}/s")
    verdict("overload, seconds until the goodput is that of before", [took], RECOVERY_S, at_least=False)
