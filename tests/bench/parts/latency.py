"""how long accepting takes at half of the peak, against one transaction of one pgbench client

The peak is that of 64 connections a moment before; then orders come at random at half of it, whatever the server
does, and are timed from when each was meant to be sent.
"""
from lib import Load, yardstick
from lib.results import cpu_per_1000, field

P50_TIMES, P99_MS = 6, 25


def at_half(bench, load, connections):
    peak = load.orders(connections)["per_s"]
    return load.orders(connections, rate=round(peak / 2)) | {"peak_per_s": peak}


def run(bench):
    shop, database = bench.shop("api"), yardstick.order_database(bench)
    load, connections = Load(bench, shop), bench.option("connections", 64)
    runs = bench.alternate({
        "pgbench, 1 client": lambda: yardstick.orders(bench, database, 1),
        "Docket at half of its peak": lambda: at_half(bench, load, connections)})
    bench.book.table("latency: accepting an order", runs, {
        "orders/s": field("per_s"), "p50 ms": field("p50_ms"), "p99 ms": field("p99_ms"),
        "p99.9 ms": field("p999_ms"), "peak/s": field("peak_per_s"), "CPU s/1,000": cpu_per_1000(),
        "foreign cores": field("foreign_cores")})
    ours, theirs = runs["Docket at half of its peak"], runs["pgbench, 1 client"]
    bench.book.verdict("p50 at half of the peak, by that of one pgbench client",
                       [run["p50_ms"] / base["p50_ms"] for run, base in zip(ours, theirs)], P50_TIMES, at_least=False)
    bench.book.verdict("p99 at half of the peak", [run["p99_ms"] for run in ours], P99_MS, at_least=False, unit="ms")
