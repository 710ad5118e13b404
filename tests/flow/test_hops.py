"""docket order show: where the time of an order went, hop by hop; from what the claim and the outcome write
anyway (order_event.hop), so that no hop costs a row."""
import json

import pytest

from docket_local import order
from harness import must, wait_for
from harness.outcomes import WORKER, post, wait_dead

PARTS = ("outbox_ms", "queue_ms", "outside_ms", "work_ms")


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    """Its relay sweeps late, as one does by itself: what was swept has a pause that is told of no hop."""
    worker = WORKER | {"DOCKET_ATTEMPTS_MAX": 2}
    docket.open_shop(payment=worker, fulfilment=worker)
    return docket


def life(shop, public):
    return json.loads(shop.docket("order", "show", public, "--json"))["events"]


def hops_of(events, kind, nth=0):
    """Of the nth event of this kind."""
    return [event["hops"] for event in events if event["kind"] == kind][nth]


def wait_old(shop, public, ms, what):
    wait_for(lambda: shop.one("SELECT clock_timestamp() - max(at) > %s * interval '1 ms' FROM order_event "
                              "WHERE order_id = %s", ms, order.to_uuid(public)), 10, what)


def wait_published(shop):
    wait_for(lambda: shop.one("SELECT count(*) FROM outbox") == 0, 10, "the outbox is empty")


def must_add_up(shop, public, events):
    """The hops of a pause are that pause, whatever the clocks of relay and worker say."""
    pauses = shop.sql("SELECT (extract(epoch FROM at - lag(at) OVER (ORDER BY version)) * 1000)::float8 "
                      "FROM order_event WHERE order_id = %s ORDER BY version", order.to_uuid(public))
    for event, (pause,) in zip(events, pauses):
        if event["hops"] and pause > 0:
            assert abs(sum(event["hops"].values()) - pause) < 0.01, (event, pause)


def test_each_hop_of_an_order_is_told_apart(shop):
    shop.freeze("relay")
    shop.freeze("payment")
    shop.fault("confirm", "delay", ms=250, times=1)
    public = post(shop)
    wait_old(shop, public, 300, "it has waited in the outbox")
    shop.thaw("relay")
    wait_published(shop)
    wait_old(shop, public, 600, "it has waited in the queue")
    shop.thaw("payment")
    shop.wait_status(public, "fulfilled")
    events = life(shop, public)
    must(events[0]["hops"], None, "of its acceptance")
    claim, paid = hops_of(events, "payment_started"), hops_of(events, "paid")
    must(set(claim), {"outbox_ms", "queue_ms", "work_ms"}, "hops of a claim")
    assert claim["outbox_ms"] > 200 and claim["queue_ms"] > 200, claim  # of 300; three clocks' readings differ
    assert paid["outside_ms"] > 165, paid  # of 250; likewise
    assert {"outbox_ms", "queue_ms", "work_ms"} == set(hops_of(events, "fulfilment_started"))
    assert "outside_ms" in hops_of(events, "shipped")
    must_add_up(shop, public, events)
    said = shop.docket("order", "show", public)
    for words in ("time ", "in the outbox", "in the queue", "outside", "at work", "waiting"):
        assert words in said, (words, said)


def test_an_order_that_an_older_program_wrote_is_shown_without(shop):
    public = post(shop)
    shop.wait_status(public, "fulfilled")
    shop.sql("UPDATE order_event SET hop = NULL WHERE order_id = %s", order.to_uuid(public))
    must({json.dumps(event["hops"]) for event in life(shop, public)}, {"null"}, "hops")
    said = shop.docket("order", "show", public)
    assert "shipped" in said and "in the outbox" not in said and "\ntime " not in said, said


def test_a_message_of_an_older_relay_has_no_time_and_is_worked_on_all_the_same(shop):
    """Nor may an end that seems to be before its beginning stop the claim."""
    for message in ((0, 5), (7_000_000, 3_000_000)):
        begun, ended = shop.one("SELECT lower(h), upper(h) FROM (SELECT hop_of(%s, %s) AS h) AS x", *message)
        assert begun is None or begun == ended, (begun, ended)


def test_what_was_replayed_has_its_hops_again(shop):
    """A dead letter; the message of its replay is told from that of its first way."""
    shop.fault("create", "unavailable")
    public = post(shop)
    wait_dead(shop, public)
    shop.no_faults()
    letter = shop.one("SELECT id FROM dead_letter WHERE order_id = %s", order.to_uuid(public))
    shop.freeze("relay")
    shop.docket("dead", "replay", str(letter), "--reason", "test")
    wait_old(shop, public, 150, "the replay waits in the outbox")
    shop.thaw("relay")
    shop.wait_status(public, "fulfilled")
    events = life(shop, public)
    replayed = next(event["version"] for event in events if event["kind"] == "replayed")
    again = next(event for event in events if event["version"] > replayed)
    must(again["kind"], "payment_started", "what follows the replay")
    assert again["hops"]["outbox_ms"] > 75, again  # of 150
    must(hops_of(events, "replayed"), None, "of the wait for a person")
    must_add_up(shop, public, events)


def test_a_message_that_comes_again_is_not_counted_twice(shop):
    """The worker dies during the call; who takes over has the message that was published long before."""
    def confirms():
        return shop.sandbox.get("/sandbox/calls").json["begun"]["confirm"]

    before = confirms()
    shop.fault("confirm", "hang", times=1)
    public = post(shop)
    wait_for(lambda: confirms() > before, 10, "an open call")
    shop.kill("payment")
    shop.start("payment", env={"DOCKET_PROVIDER_LONGEST_MS": 1000, "DOCKET_RETRY_BASE_MS": 50})
    shop.wait_status(public, "fulfilled")
    events = life(shop, public)
    must(hops_of(events, "payment_started", 1)["outbox_ms"], 0, "it was in no outbox since")
    must_add_up(shop, public, events)
