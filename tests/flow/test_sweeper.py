"""What was confirmed and makes no progress is looked at, and published again only when it is owed."""
import json
import uuid

import pytest

from harness import must, wait_for
from harness.plans import prepare, ran, scans_of
from harness.relay import (Consumer, finish_tasks, make_orders, metric, on_channel, outbox_is_empty,
                           queue_count)


@pytest.fixture(scope="module")
def relay(docket):
    docket.start("relay", env={"DOCKET_SWEEP_S": 1})
    return docket


@pytest.fixture
def consumer(relay):
    with Consumer(relay) as running:
        yield running
    finish_tasks(relay)


def watched(relay, orders):
    return relay.one("SELECT count(*) FROM published WHERE order_ids && %s::uuid[]", orders)


def make_and(relay, count, act):
    """New orders whose tasks act(orders) changes in the same transaction: no sweep finds them as they were before."""
    link = relay.services.connect(relay.database)
    try:
        with link, link.cursor() as cursor:
            orders = make_orders(relay, count, link=link)
            for statement, *arguments in act(orders):
                cursor.execute(statement, arguments)
    finally:
        link.close()
    return orders


def test_what_has_moved_on_is_watched_no_more(relay, consumer):
    relay.sql("INSERT INTO breaker (name, class, stage, state, held) "
              "VALUES ('stripe', 'operator', 1, 2, true)")  # or what is parked is let out
    before = metric(relay, "docket_relay_looks_total")
    orders = make_and(relay, 250, lambda orders: [
        ("UPDATE task SET state = %s, parked_at = CASE WHEN %s = 4 THEN now() END, "
         "due_at = CASE WHEN %s = 3 THEN now() + interval '1 hour' END "
         "WHERE order_id = ANY (%s::uuid[])", state, state, state, some)
        for state, some in [(5, orders[:100]), (3, orders[100:150]), (4, orders[150:200]), (6, orders[200:])]])
    consumer.wait_for_all(orders)
    wait_for(lambda: outbox_is_empty(relay), 20, "an empty outbox")
    wait_for(lambda: watched(relay, orders) == 0, 20, "nothing watched")
    wait_for(lambda: metric(relay, "docket_relay_looks_total") > before, 20, "it was looked at")
    consumer.must_have_each_once(orders)
    relay.sql("UPDATE task SET state = 5, parked_at = NULL WHERE state = 4")
    relay.sql("DELETE FROM breaker")


def test_a_message_that_was_lost_is_swept_with_growing_intervals(relay):
    """A consumer takes the message and does nothing about it."""
    with Consumer(relay) as careless:
        order, = make_orders(relay, 1)
        wait_for(lambda: careless.seen[order] >= 3, 15, "two sweeps")
    must(relay.one("SELECT sweeps, state, crashes FROM task WHERE order_id = %s", order)[1:], (1, 0),
         "state and crashes")
    at = [row[0] for row in relay.sql("SELECT at FROM order_event WHERE order_id = %s AND kind = "
                                      "'swept' ORDER BY version", order)]
    assert (at[1] - at[0]).total_seconds() >= 2, at
    finish_tasks(relay)


def test_workers_are_read_once_a_page(relay):
    """Not once a message: a transaction held open keeps a row a second of each."""
    order, = make_orders(relay, 1)
    link = relay.services.connect(relay.database, "docket_relay")
    with link.cursor() as cursor:
        cursor.execute("INSERT INTO published (topic, order_ids, traces, published_upto, look_at) "
                       "SELECT 1, ARRAY[%s::uuid], ARRAY[''], 0, now() FROM generate_series(1, 100)", (order,))
        prepare(cursor, "sweep_page")
        plan = ran(cursor, "sweep_page (0, 100)")
        must((plan["Actual Rows"] >= 100, scans_of(plan, "published"), scans_of(plan, "worker")), (True, 1, 1), "scans")
    link.close()  # nothing was committed
    finish_tasks(relay)


def make_claimed(relay, worker):
    """An order whose task is the worker's already."""
    order, = make_and(relay, 1, lambda orders: [
        ("UPDATE task SET state = 2, worker_id = %s, fence = fence + 1 WHERE order_id = %s", worker, *orders)])
    return order


def begin_worker(relay, lasts_s):
    """A worker's session; closing it ends the worker."""
    worker, link = str(uuid.uuid4()), relay.services.connect(relay.database)
    link.autocommit = True
    with link.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(worker_lock(%s))", (worker,))
        cursor.execute("INSERT INTO worker (id, process, stage, alive_until) VALUES (%s, 'test', 1, "
                       "now() + %s * interval '1 second')", (worker, lasts_s))
    return worker, link


def test_a_task_whose_worker_has_died_is_ready_again(relay, consumer):
    worker, link = begin_worker(relay, 3600)
    order = make_claimed(relay, worker)
    consumer.wait_for_all([order])
    wait_for(lambda: metric(relay, "docket_relay_looks_total") > 0, 20, "a look")
    look = relay.one("SELECT look_at FROM published WHERE order_ids && %s::uuid[]", [order])
    wait_for(lambda: relay.one("SELECT look_at FROM published WHERE order_ids && %s::uuid[]",
                               [order]) > look, 20, "a look that lets it alone")
    must(consumer.seen[order], 1, "messages while its worker lives")
    link.close()
    wait_for(lambda: consumer.seen[order] == 2, 20, "a second message")
    must(relay.one("SELECT state, crashes, sweeps, worker_id FROM task WHERE order_id = %s", order),
         (1, 1, 0, None), "the task")
    kinds = [row[0] for row in relay.sql("SELECT kind FROM order_event WHERE order_id = %s", order)]
    must(kinds, ["worker_lost"], "events")


def test_a_frozen_workers_task_is_ready_again_when_its_lease_has_passed(relay, consumer):
    worker, link = begin_worker(relay, 2)
    order = make_claimed(relay, worker)
    consumer.wait_for_all([order])
    wait_for(lambda: consumer.seen[order] == 2, 20, "a second message")
    link.close()


def dead_letter(relay, body):
    on_channel(relay, lambda channel: channel.basic_publish("", "docket.dead", body))


def test_what_the_broker_gave_up_makes_its_task_looked_at(relay, consumer):
    worker, link = begin_worker(relay, 3600)
    order = make_claimed(relay, worker)
    consumer.wait_for_all([order])
    dead_letter(relay, json.dumps({"order": order, "stage": "payment", "outbox": 1}).encode())
    wait_for(lambda: queue_count(relay, "docket.dead") == 0, 20, "docket.dead is empty")
    wait_for(lambda: relay.one("SELECT count(*) FROM published WHERE order_ids && %s::uuid[] AND "
                               "published_upto = -1", [order]) == 1, 20, "it is watched")
    must(relay.one("SELECT state, crashes FROM task WHERE order_id = %s", order), (2, 0),
         "a broker's count proves nothing about the task")
    link.close()
    wait_for(lambda: consumer.seen[order] == 2, 20, "a second message")


@pytest.mark.parametrize("body", [
    b"\x00\xff not json", b'{"order": "no uuid", "stage": "payment"}', b"{}", b"[1]", b"",
    b'{"order": "01000000-0000-7000-8000-000000000000", "stage": "payment"}', b"x" * 100_000],
    ids=["bytes", "no_uuid", "empty_object", "list", "nothing", "no_task", "too_long"])
def test_what_cannot_be_read_becomes_a_dead_letter(relay, body):
    before = relay.one("SELECT coalesce(max(id), 0) FROM dead_letter")
    dead_letter(relay, body)
    dead_letter(relay, body)
    wait_for(lambda: queue_count(relay, "docket.dead") == 0, 20, "docket.dead is empty")
    rows = wait_for(lambda: relay.sql(
        "SELECT order_id, stage, fault_kind, fault_code, state, history FROM dead_letter "
        "WHERE id > %s", before), 20, "a dead letter")
    must(len(rows), 1, "dead letters of the same message")
    must(rows[0][:5], (None, 0, "refused", "unreadable_message", "open"), "the dead letter")
    must(rows[0][5]["body_bytes"], len(body), "its length")
    assert len(rows[0][5]["body"]) <= 2000
