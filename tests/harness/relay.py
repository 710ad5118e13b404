"""What tests of the relay need: orders without an API, and a consumer that counts."""
import json
import threading
import time
from collections import Counter

import pika

from .wait import wait_for

# Orders as the API would have made them: task ready, named by outbox rows of `per_row` each.
MAKE_ORDERS = """
WITH made AS MATERIALIZED (
    SELECT g AS n, (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0')
                    || '7' || lpad(to_hex((random() * 4095)::int), 3, '0') || '8'
                    || lpad(to_hex((random() * 65535)::int), 4, '0')
                    || lpad(to_hex(g + %(salt)s), 11, '0'))::uuid AS id
    FROM generate_series(1, %(count)s) AS g
), orders_made AS (
    INSERT INTO orders (id, account_id, currency, items_total, shipping_total, total,
                        shipping_method, payment_method, renderer, token_key, trace)
    SELECT id, 1, 'EUR', 100, 0, 100, 'standard', 'pm_card_visa', 1, 1,
           '00-' || lpad(to_hex(n), 32, '0') || '-00f067aa0ba902b7-01'
    FROM made RETURNING id, trace
), tasks_made AS (
    INSERT INTO task (order_id, stage, state, due_at)
    SELECT id, %(stage)s, %(state)s, CASE WHEN %(state)s = 3
           THEN now() + %(due_s)s * interval '1 second' END FROM orders_made
), rows_made AS (
    INSERT INTO outbox (topic, order_ids, traces)
    SELECT %(stage)s, array_agg(id), array_agg(trace)
    FROM (SELECT id, trace, (row_number() OVER () - 1) / %(per_row)s AS part FROM orders_made) AS o
    WHERE %(state)s = 1 GROUP BY part
)
SELECT id::text FROM orders_made"""
salts = iter(range(1, 1 << 40, 10_000_000))


def make_orders(docket, count, stage=1, per_row=100, state=1, due_s=0, link=None):
    """The ids of new orders, each with one task.  `link`: a connection whose transaction stays open."""
    arguments = {"count": count, "stage": stage, "per_row": per_row, "state": state, "due_s": due_s,
                 "salt": next(salts)}
    if link is None:
        link = docket.services.connect(docket.database)
        try:
            with link, link.cursor() as cursor:
                cursor.execute(MAKE_ORDERS, arguments)
                return [row[0] for row in cursor.fetchall()]
        finally:
            link.close()
    with link.cursor() as cursor:
        cursor.execute(MAKE_ORDERS, arguments)
        return [row[0] for row in cursor.fetchall()]


class Consumer:
    """Takes every message of one queue, on a thread of its own, through every fault of the broker;
    counts them by order."""

    def __init__(self, docket, queue="docket.payment", prefetch=500):
        self.uri, self.queue, self.prefetch = docket.world.amqp(), queue, prefetch
        self.seen, self.messages = Counter(), []
        self.is_ending = False
        self.connected = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.is_ending = True
        self.thread.join(20)

    def _run(self):
        while not self.is_ending:
            try:
                self._consume()
            except (pika.exceptions.AMQPError, OSError):
                time.sleep(0.1)

    def _consume(self):
        parameters = pika.URLParameters(self.uri)
        parameters.socket_timeout = parameters.blocked_connection_timeout = 3
        link = pika.BlockingConnection(parameters)
        try:
            channel = link.channel()
            channel.basic_qos(prefetch_count=self.prefetch)
            channel.basic_consume(self.queue, self._on_message)
            self.connected.set()
            while not self.is_ending and channel.is_open and channel.consumer_tags:
                link.process_data_events(time_limit=0.05)
        finally:
            if link.is_open:
                link.close()

    def _on_message(self, channel, method, properties, body):
        channel.basic_ack(method.delivery_tag)
        self.seen[json.loads(body)["order"]] += 1
        if len(self.messages) < 1000:
            self.messages.append((properties, json.loads(body)))

    def wait_for_all(self, orders, deadline_s=20):
        wanted = set(orders)
        wait_for(lambda: wanted <= self.seen.keys(), deadline_s, f"all {len(wanted)} messages")

    def must_have_each_once(self, orders):
        """Exactly one message for each, and none for anybody else."""
        twice = {order: count for order, count in self.seen.items() if count != 1}
        assert not twice and self.seen.keys() == set(orders), (
            f"{len(twice)} not once, {len(self.seen.keys() ^ set(orders))} too many or missing: "
            f"{list(twice.items())[:5]}")


def queue_count(docket, queue="docket.payment"):
    """Messages ready in a queue, as the broker says now; None if there is no such queue."""
    link = pika.BlockingConnection(pika.URLParameters(docket.world.amqp()))
    try:
        return link.channel().queue_declare(queue, passive=True).method.message_count
    except pika.exceptions.ChannelClosedByBroker:
        return None
    finally:
        if link.is_open:
            link.close()


def tell(docket, body, times=1, queue="docket.payment"):
    """A message as the relay sends it, or not quite."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()

    def publish(channel):
        for _ in range(times):
            channel.basic_publish("", queue, body)

    on_channel(docket, publish)


def on_channel(docket, act):
    """act(channel), on a connection made for it."""
    link = pika.BlockingConnection(pika.URLParameters(docket.world.amqp()))
    try:
        return act(link.channel())
    finally:
        if link.is_open:
            link.close()


def outbox_is_empty(docket):
    return docket.one("SELECT count(*) FROM outbox") == 0


def finish_tasks(docket):
    """As if workers had done them all."""
    docket.sql("UPDATE task SET state = 5, due_at = NULL, parked_at = NULL, worker_id = NULL")


def metric(docket, name, label="relay", process="relay"):
    """The value of one line of /metrics; labels are part of the name."""
    from .client import Client
    answer = Client(docket.processes[process].world.ports["relay"]).get("/metrics")
    for line in answer.body.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.rpartition(" ")[2])
    raise AssertionError(f"no metric {name}")
