"""orders accepted a second over 64 and 256 connections, against pgbench with one order and outbox row a transaction

The yardstick is the better of 16 and 64 clients of pgbench, round by round.  Afterwards the rows are counted: every
answer 202 has its order, and there are no more orders than requests.
"""
from lib import Load, yardstick
from lib.results import cpu_per_1000, field, ratios

TARGET = 2.0


def accept(bench, shop, load, connections):
    before = shop.one("SELECT count(*) FROM orders")
    run = load.orders(connections)
    stored = shop.one("SELECT count(*) FROM orders") - before
    answered = run["report"]["statuses"].get("202", 0)
    if not answered <= stored <= answered + connections:
        raise RuntimeError(f"{answered} orders were answered 202, {stored} are stored")
    return run | {"stored": stored}


def run(bench):
    shop, database = bench.shop("api"), yardstick.order_database(bench)
    load = Load(bench, shop)
    counts, clients_of = ([int(word) for word in bench.option(name, default).split(",")]
                          for name, default in (("connections", "64,256"), ("clients", "16,64")))
    contestants = {f"pgbench, {clients} clients": lambda clients=clients: yardstick.orders(bench, database, clients)
                   for clients in clients_of}
    best = list(contestants)
    contestants |= {f"Docket, {count} connections": lambda count=count: accept(bench, shop, load, count)
                    for count in counts}
    runs = bench.alternate(contestants)
    bench.book.table("accept: orders a second", runs, {
        "orders/s": field("per_s"), "p50 ms": field("p50_ms"), "p99 ms": field("p99_ms"),
        "CPU s/1,000": cpu_per_1000(), "of it API": cpu_per_1000("api"), "Postgres": cpu_per_1000("postgres"),
        "PSS MiB": field("pss_mib"), "foreign cores": field("foreign_cores")})
    for count in counts:
        bench.book.verdict(f"orders/s over {count} connections, by the best pgbench",
                ratios(runs, f"Docket, {count} connections", best), TARGET)
