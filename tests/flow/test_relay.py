"""The relay in a quiet world: every message once, nothing skipped, nothing stopped by strangers."""
import json
import re

import pytest

from harness import must, wait_for
from harness.relay import (Consumer, finish_tasks, make_orders, metric, outbox_is_empty)


@pytest.fixture(scope="module")
def relay(docket):
    docket.start("relay", env={"DOCKET_SWEEP_S": 1})
    return docket


@pytest.fixture
def consumer(relay):
    with Consumer(relay) as running:
        yield running
    finish_tasks(relay)


def test_every_order_is_published_once(relay, consumer):
    orders = make_orders(relay, 2500) + make_orders(relay, 40, per_row=1)
    consumer.wait_for_all(orders)
    wait_for(lambda: outbox_is_empty(relay), 5, "an empty outbox")
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
    trace = relay.one("SELECT trace FROM orders WHERE id = %s", orders[1])
    must(properties.headers["traceparent"], trace, "traceparent")
    json.dumps(properties.headers)
