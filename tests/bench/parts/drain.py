"""messages a second that the relay takes from the outbox to a quorum queue, against a bare librabbitmq publisher

Both publish persistent messages to the same queue, nobody consumes.  The outbox is filled by SQL in rows of 100
messages (messages=200000 of them); the relay is done when the outbox is empty, which is after the confirms.  The bare
publisher keeps 1,000 unconfirmed; its body is as large as the relay's body and headers together.
"""
import os
import subprocess
import time

from docket_local import builds
from harness.services import ROOT
from harness.wait import wait_for
from lib.results import cpu_per_1000, field, ratios

TARGET, WINDOW, BYTES, QUEUE = 0.5, 1000, 420, "docket.payment"
PUBLISHER = "tests/bench/bare_publisher"
FILL = """
INSERT INTO outbox (topic, order_ids, traces)
SELECT 1, array_agg(gen_random_uuid()),
       array_agg('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'::text)
FROM generate_series(0, %s - 1) AS n GROUP BY n / 100
"""


def relay(bench, shop, messages):
    meter = bench.meter(shop)
    shop.sql("TRUNCATE published")
    began = time.monotonic()
    meter.begin()
    shop.sql(FILL, messages)
    filled = time.monotonic()
    wait_for(lambda: shop.one("SELECT count(*) FROM outbox") == 0, 120, "the outbox is empty", every_s=0.02)
    took, used = time.monotonic() - filled, meter.end()
    confirmed = shop.one("SELECT sum(cardinality(order_ids)) FROM published")
    if confirmed != messages:
        raise RuntimeError(f"{messages} messages were in the outbox, {confirmed} are watched")
    purge(bench, shop)
    return {"per_s": messages / took, "count": messages, "fill_s": filled - began, **used}


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
    purge(bench, shop)
    return {"per_s": messages / float(child.stdout.read()), "count": messages, **used}


def purge(bench, shop):
    bench.services.broker_api("DELETE", bench.services.queue_path(shop.vhost, QUEUE) + "/contents",
                              expect=(204,))


def run(bench):
    builds.compile_in(ROOT, os.path.relpath(bench.services.build, ROOT), [PUBLISHER])
    messages = bench.option("messages", 200000)
    shop = bench.shop("relay")
    relay(bench, shop, min(messages, 20000))
    runs = bench.alternate({"bare publisher": lambda: bare(bench, shop, messages),
                            "docket-relay": lambda: relay(bench, shop, messages)})
    bench.book.table("drain: messages a second into a quorum queue", runs, {
        "messages/s": field("per_s"), "CPU s/1,000": cpu_per_1000(),
        "of it client": cpu_per_1000("relay", "publisher"), "Postgres": cpu_per_1000("postgres"),
        "RabbitMQ": cpu_per_1000("rabbitmq"), "foreign cores": field("foreign_cores")})
    bench.book.verdict("messages/s, by a bare publisher", ratios(runs, "docket-relay", ["bare publisher"]), TARGET)
