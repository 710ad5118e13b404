"""The relay in a quiet world: every message once, nothing skipped, nothing stopped by strangers."""
import json
import re
from random import Random

import pytest

from harness import must, wait_for
from harness.relay import Consumer, finish_tasks, make_orders, metric, outbox_is_empty, queue_count

DEPTH = 20_000  # PUBLISH_DEPTH_MAX


@pytest.fixture(scope="module")
def relay(docket):
    docket.start("relay", env={"DOCKET_SWEEP_S": 3600})
    return docket


@pytest.fixture
def consumer(relay):
    with Consumer(relay) as running:
        yield running
    finish_tasks(relay)


def test_every_order_is_published_once(relay, consumer):
    orders = make_orders(relay, 2500) + make_orders(relay, 40, per_row=1)
    consumer.wait_for_all(orders)
    wait_for(lambda: outbox_is_empty(relay), 20, "an empty outbox")
    consumer.must_have_each_once(orders)


def test_a_message_is_a_hint_without_personal_data(relay, consumer):
    orders = make_orders(relay, 2, per_row=2)
    consumer.wait_for_all(orders)
    properties, body = next(found for found in consumer.messages if found[1]["order"] == orders[1])
    must(sorted(body), ["order", "outbox", "stage"], "the body's members")
    must(body["stage"], "payment", "stage")
    assert re.fullmatch(rf"{body['outbox']}\.[12]", properties.message_id), properties.message_id
    must((properties.type, properties.delivery_mode, properties.content_type),
         ("docket.task.ready", 2, "application/json"), "properties")
    must(properties.headers["cloudEvents_id"], properties.message_id, "cloudEvents_id")
    must(properties.headers["cloudEvents_specversion"], "1.0", "cloudEvents_specversion")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z", properties.headers["cloudEvents_time"])
    trace = relay.one("SELECT trace FROM orders WHERE id = %s", orders[1])
    must(properties.headers["traceparent"], trace, "traceparent")
    json.dumps(properties.headers)


def open_transaction(relay):
    return relay.services.connect(relay.database)


def test_a_row_that_commits_late_is_found(relay, consumer):
    link = open_transaction(relay)
    late = make_orders(relay, 3, link=link)
    early = make_orders(relay, 500, per_row=10)
    consumer.wait_for_all(early)
    wait_for(lambda: outbox_is_empty(relay), 20, "an outbox without the early rows")
    link.commit()
    link.close()
    consumer.wait_for_all(late)
    consumer.must_have_each_once(early + late)


def test_a_strangers_open_transaction_stops_nothing(relay, consumer):
    stranger = relay.services.connect("postgres")
    with stranger.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()")
        for _ in range(5):
            orders = make_orders(relay, 100, per_row=10)
            consumer.wait_for_all(orders)
    stranger.rollback()
    stranger.close()


def floor(relay):
    return relay.one("SELECT max(outbox_floor) FROM rate_sample WHERE at > now() - interval '15 seconds'") or 0


def test_the_floor_waits_for_who_has_written_and_for_no_stranger(relay, consumer):
    """Else whatever a stranger's transaction keeps in the outbox is read again and again."""
    stranger, writer = (relay.services.connect(relay.database) for _ in range(2))
    stranger.cursor().execute("INSERT INTO account (name) VALUES ('held open')")
    late = make_orders(relay, 3, link=writer)
    early = make_orders(relay, 250, per_row=1)
    consumer.wait_for_all(early)
    wait_for(lambda: metric(relay, "docket_outbox_floor_stands_seconds") >= 3, 20, "the floor stands")
    writer.commit()
    consumer.wait_for_all(late)
    newest = relay.one("SELECT last_value FROM outbox_id_seq")
    wait_for(lambda: floor(relay) > newest, 40, "the floor has passed them all")
    stranger.rollback()
    consumer.must_have_each_once(early + late)
    for link in (stranger, writer):
        link.close()


def test_ids_out_of_commit_order_are_published_once(relay, consumer):
    """Twenty transactions at a time, ended in an order of their own, some rolled back."""
    random = Random(7)
    committed = []
    for _ in range(10):
        opened = [open_transaction(relay) for _ in range(20)]
        made = [(link, make_orders(relay, random.randint(1, 3), per_row=1, link=link))
                for link in opened]
        random.shuffle(made)
        for link, orders in made:
            if random.random() < 0.2:
                link.rollback()
            else:
                link.commit()
                committed += orders
            link.close()
    consumer.wait_for_all(committed)
    wait_for(lambda: outbox_is_empty(relay), 20, "an empty outbox")
    consumer.must_have_each_once(committed)


def test_a_queue_that_is_full_enough_holds_up_no_other(relay):
    """A backlog of one step stays in Postgres but for what its workers need, and the next step goes on."""
    backlog = make_orders(relay, 40_000)
    wait_for(lambda: queue_count(relay) >= DEPTH, 30, "a queue that is full enough")
    with Consumer(relay, "docket.fulfilment") as fulfilment:
        later = make_orders(relay, 10, stage=2)
        fulfilment.wait_for_all(later)
    left = relay.one("SELECT coalesce(sum(cardinality(order_ids)), 0)::int FROM outbox WHERE topic = 1")
    assert left > 0 and queue_count(relay) < len(backlog)
    with Consumer(relay) as payment:
        payment.wait_for_all(backlog, deadline_s=60)
        payment.must_have_each_once(backlog)
    finish_tasks(relay)


def test_a_retry_that_is_due_is_published(relay, consumer):
    due = make_orders(relay, 1200, state=3, due_s=-3600) + make_orders(relay, 5, state=3, due_s=1)
    later = make_orders(relay, 5, state=3, due_s=3600)
    consumer.wait_for_all(due, deadline_s=30)  # the past is looked at each 10 s
    assert not consumer.seen.keys() & set(later), "published before its time"
    must(relay.one("SELECT count(*) FROM order_event WHERE kind = 'due' AND process LIKE 'relay%%' "
                   "AND order_id = ANY (%s::uuid[])", due), len(due), "events `due`")
    must(relay.sql("SELECT DISTINCT state, due_at FROM task WHERE order_id = ANY (%s::uuid[])",
                   due), [(1, None)], "the tasks")
    must(relay.sql("SELECT DISTINCT version FROM orders WHERE id = ANY (%s::uuid[])", due), [(2,)],
         "the versions")


def test_an_order_that_somebody_holds_delays_only_itself(relay, consumer):
    held, *free = make_orders(relay, 5, state=3, due_s=2)
    link = open_transaction(relay)
    with link.cursor() as cursor:
        cursor.execute("SELECT FROM orders WHERE id = %s FOR UPDATE", (held,))
    consumer.wait_for_all(free)
    assert held not in consumer.seen
    link.rollback()
    link.close()
    consumer.wait_for_all([held], deadline_s=30)


def test_partitions_are_made_a_year_ahead(docket_fresh):
    docket_fresh.sql("DROP TABLE orders_" + docket_fresh.one(
        "SELECT to_char(now() + interval '3 months', 'YYYY_MM')"))
    docket_fresh.start("relay")
    wait_for(lambda: docket_fresh.one("SELECT to_regclass('orders_' || to_char(now() + interval "
                                      "'3 months', 'YYYY_MM')) IS NOT NULL"), 10, "the partition")
    must(metric(docket_fresh, "docket_partitions_missing"), 0, "the alarm")


def test_the_metrics_show_the_backlog(relay):
    for name in ("docket_outbox_rows", "docket_outbox_oldest_seconds", "docket_relay_lease_held",
                 "docket_relay_broker_blocked", 'docket_relay_verdicts_total{verdict="acked"}',
                 'docket_relay_sweeps_total{why="swept"}', "docket_relay_due_total"):
        assert metric(relay, name) >= 0
    must(metric(relay, "docket_relay_lease_held"), 1, "it leads")
