"""schema/asyncapi.yaml against real messages, the broker's queues and the table of steps."""
import json
import os
import re

import jsonschema
import pika
import pytest
import yaml

from docket_local import order
from harness import contract, wait_for
from harness.services import ROOT


@pytest.fixture(scope="module")
def document():
    with open(os.path.join(ROOT, "schema/asyncapi.yaml"), encoding="utf-8") as file:
        return yaml.safe_load(file)


@pytest.fixture(scope="module")
def shop(docket):
    for name in ("api", "relay"):
        docket.start(name)
    docket.stock_up()
    docket.make_keys()
    return docket


@pytest.fixture
def channel(shop):
    link = pika.BlockingConnection(pika.URLParameters(shop.world.amqp()))
    yield link.channel()
    link.close()


def take(channel, queue):
    def try_to():
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        return method and (properties, body)

    return wait_for(try_to, 10, f"a message in {queue}")


def must_be_of(schema, value):
    strict = {**schema, "additionalProperties": False}
    errors = list(jsonschema.Draft202012Validator(strict).iter_errors(value))
    assert not errors, [error.message for error in errors]


def test_a_published_message_is_as_documented(shop, channel, document):
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    told = shop.post_order(headers={"traceparent": trace})
    properties, body = take(channel, "docket.payment")
    message = document["components"]["messages"]["taskReady"]
    must_be_of(message["headers"], properties.headers)
    must_be_of(message["payload"], json.loads(body))
    assert properties.message_id == properties.headers["cloudEvents_id"]
    assert properties.type == message["name"] == message["bindings"]["amqp"]["messageType"]
    assert (properties.content_type, properties.delivery_mode) == (message["contentType"], 2)
    assert properties.headers["traceparent"] == trace
    assert json.loads(body)["order"] == order.to_uuid(told.id)


def test_each_queue_is_as_documented(channel, document):
    """To declare a queue once more is refused unless it is the same in every argument."""
    for one in document["channels"].values():
        queue = one["bindings"]["amqp"]["queue"]
        channel.queue_declare(queue["name"], durable=queue["durable"], exclusive=queue["exclusive"],
                              auto_delete=queue["autoDelete"], arguments=one["x-arguments"])


def test_each_step_has_its_channel(document):
    with open(os.path.join(ROOT, "schema/stages.h"), encoding="utf-8") as file:
        stages = re.findall(r"^    STAGE\(\d+, \w+, (\w+)\)", file.read(), re.M)
    assert sorted(document["channels"]) == sorted([*stages, "dead"])
    payload = document["components"]["messages"]["taskReady"]["payload"]
    assert payload["properties"]["stage"]["enum"] == stages
    for name in stages:
        one = document["channels"][name]
        assert (one["address"], one["bindings"]["amqp"]["queue"]["name"]) == (name, f"docket.{name}")
    assert contract.load()["info"]["version"] == document["info"]["version"]
