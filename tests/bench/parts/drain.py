"""messages a second that the relay takes from the outbox to a quorum queue, against a bare librabbitmq publisher

Both publish persistent messages (messages=200000) to the same queue, 20,000 at a time, since the relay rests when its
queue has so many; nobody consumes, the queue is purged in between.  The outbox is filled by SQL in rows of 100 messages; the
relay's time is from the first confirm to the last.  The bare publisher keeps 1,000 unconfirmed; its body is as large as
the relay's body and headers together.
"""
import os
import subprocess
import time

from docket_local import builds
from harness.services import ROOT
from harness.wait import wait_for
from lib.results import cpu_per_1000, field, ratios

TARGET, WINDOW, BYTES, QUEUE = 0.5, 1000, 420, "docket.payment"
AT_ONCE = 20_000  # PUBLISH_DEPTH_MAX of queue/publish.h
PUBLISHER = "tests/bench/bare_publisher"
FILL = """
INSERT INTO outbox (topic, order_ids, traces)
SELECT 1, array_agg(gen_random_uuid()),
       array_agg('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'::text)
FROM generate_series(0, %s - 1) AS n GROUP BY n / 100
"""


# Of what was confirmed: messages, those after the first row, and seconds from that row to the last.
CONFIRMED = """
SELECT sum(cardinality(order_ids))::int,
       (sum(cardinality(order_ids)) - (array_agg(cardinality(order_ids) ORDER BY confirmed_at))[1])::int,
       extract(epoch FROM max(confirmed_at) - min(confirmed_at))::float8
FROM published
"""


def relay(bench, shop, messages):
    meter = bench.meter(shop)
    shop.sql("TRUNCATE published")
    meter.begin()
    shop.sql(FILL, messages)
    wait_for(lambda: shop.one("SELECT count(*) FROM outbox") == 0, 120, "the outbox is empty", every_s=0.02)
    used = meter.end()
    confirmed, timed, took = shop.one(CONFIRMED)
    if confirmed != messages:
        raise RuntimeError(f"{messages} messages were in the outbox, {confirmed} are watched")
    return {"timed": timed, "took_s": took, "count": messages, **used}


def bare(bench, shop, messages):
    child = subprocess.Popen([os.path.join(bench.services.build, PUBLISHER), shop.world.amqp(), QUEUE,
                              str(messages), str(WINDOW), str(BYTES)], stdout=subprocess.PIPE, text=True)
    meter = bench.meter(publisher=[child.pid]).begin()
    while child.poll() is None:
        meter.look()
        time.sleep(0.02)
    used = meter.end()
    if child.returncode != 0:
        raise RuntimeError(f"the bare publisher ended with {child.returncode}")
    return {"timed": messages, "took_s": float(child.stdout.read()), "count": messages, **used}


def in_turns(bench, shop, messages, publish):
    """AT_ONCE and the queue purged, until all are through; the sum."""
    turns = []
    for done in range(0, messages, AT_ONCE):
        turns.append(publish(bench, shop, min(AT_ONCE, messages - done)))
        purge(bench, shop)
    whole = {name: sum(turn[name] for turn in turns) for name in ("timed", "took_s", "count", "wall_s")}
    foreign_s = sum(turn["foreign_cores"] * turn["wall_s"] for turn in turns)
    return {**whole, "per_s": whole["timed"] / whole["took_s"], "foreign_cores": round(foreign_s / whole["wall_s"], 2),
            "cpu_s": {group: sum(turn["cpu_s"][group] for turn in turns) for group in turns[0]["cpu_s"]}}


def purge(bench, shop):
    bench.services.broker_api("DELETE", bench.services.queue_path(shop.vhost, QUEUE) + "/contents",
                              expect=(204,))


def run(bench):
    builds.compile_in(ROOT, os.path.relpath(bench.services.build, ROOT), [PUBLISHER])
    messages = bench.option("messages", 200000)
    shop = bench.shop("relay")
    in_turns(bench, shop, min(messages, AT_ONCE), relay)
    runs = bench.alternate({"bare publisher": lambda: in_turns(bench, shop, messages, bare),
                            "docket-relay": lambda: in_turns(bench, shop, messages, relay)})
    bench.book.table("drain: messages a second into a quorum queue", runs, {
        "messages/s": field("per_s"), "CPU s/1,000": cpu_per_1000(),
        "of it client": cpu_per_1000("relay", "publisher"), "Postgres": cpu_per_1000("postgres"),
        "RabbitMQ": cpu_per_1000("rabbitmq"), "foreign cores": field("foreign_cores")})
    bench.book.verdict("messages/s, by a bare publisher", ratios(runs, "docket-relay", ["bare publisher"]), TARGET)
