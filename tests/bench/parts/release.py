"""the relay lets out what was parked, of parked=1000000 tasks, against out=10000: as fast, however many there are

Each time that many tasks get out, the oldest first, up to 500 a statement, and are published; the provider is back, and
no worker runs.  The time is that of the statement (release_write.sql, by pg_stat_statements); the two take turns.
"""
from harness.wait import wait_for
from lib import fill
from lib.results import field

PAGE, TARGET = 500, 1.2
STATEMENT = "query LIKE '%parked AS MATERIALIZED%' AND query NOT LIKE '%pg_stat_statements%'"


def parked(shop):
    return shop.one("SELECT count(*) FROM task WHERE parked_at IS NOT NULL")


def oldest_that_wait(shop, count):
    """The ids behind and before which the next are let out."""
    return shop.one("SELECT min(order_id::text), max(order_id::text) FROM (SELECT order_id FROM task WHERE stage = 1 AND "
                    "parked_at IS NOT NULL ORDER BY order_id LIMIT %s) AS t", count)


def let_out(bench, shop, size, out):
    there = parked(shop)
    if there < out:
        fill.fill(bench, shop, "parked", size - there)
    first, last = oldest_that_wait(shop, out)
    shop.one("SELECT pg_stat_statements_reset() IS NULL")
    meter = bench.meter(shop).begin()
    shop.start("relay")
    wait_for(lambda: shop.one("SELECT parked_at IS NULL FROM task WHERE order_id = %s AND stage = 1", last), 60,
             "the last of them is out", every_s=0.02)
    shop.stop("relay")
    used = meter.end()
    count, took = shop.one("SELECT count(*), extract(epoch FROM max(at) - min(at))::float8 FROM order_event WHERE "
                           "kind = 'released' AND order_id BETWEEN %s AND %s", first, last)
    page_ms, most_ms = shop.one(f"SELECT total_exec_time * {PAGE} / rows, max_exec_time FROM pg_stat_statements "
                                f"WHERE {STATEMENT}")
    return {"count": count, "per_s": count / took, "parked": max(there, size), "page_ms": page_ms, "most_ms": most_ms, **used}


def run(bench):
    size, out = bench.option("parked", 1_000_000), bench.option("out", 10_000)
    shops = {f"{count:,}": (bench.shop(start=False), count) for count in (out, size)}
    for shop, count in shops.values():
        shop.sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        fill.fill(bench, shop, "parked", count)
    runs = bench.alternate({label: lambda shop=shop, count=count: let_out(bench, shop, count, out)
                            for label, (shop, count) in shops.items()})
    bench.book.table("release: parked tasks let out", runs, {
        "tasks/s": field("per_s"), "ms a page of 500": field("page_ms"), "most": field("most_ms"),
        "foreign cores": field("foreign_cores")})
    few, many = runs.values()
    bench.book.verdict(f"ms a page, by that of {out:,}", [with_many["page_ms"] / with_few["page_ms"]
                                                         for with_few, with_many in zip(few, many)], TARGET, at_least=False)
