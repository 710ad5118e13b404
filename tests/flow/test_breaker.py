"""A provider or carrier that is away: tasks are parked, nothing is counted, all get out, the oldest
first.  Each test ends in the comparison of the three books."""
import json

import pytest

from docket_local import order
from harness import Client, must, wait_for
from harness.outcomes import WORKER, facts, post, post_many, task, wait_all
from harness.relay import metric, on_channel, queue_count

BREAKER = WORKER | {"DOCKET_BREAKER_FAILURES": 5, "DOCKET_ATTEMPTS_MAX": 3}
RELAY = {"DOCKET_SWEEP_S": 1, "DOCKET_BREAKER_PAUSE_MS": 100, "DOCKET_BREAKER_PAUSE_MAX_MS": 500}
ORDERS = 24
OUTAGES = ["unavailable", "fail_500", "rate_limit", "hang", "reset", "refused"]
PARKED = """
    SELECT count(*), coalesce(sum(t.attempt), 0), coalesce(max(t.crashes), 0) FROM task t
    WHERE t.order_id = ANY (%s::uuid[]) AND t.stage = %s AND t.state = 4"""


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    docket.open_shop(payment=BREAKER, fulfilment=BREAKER, relay=RELAY)
    return docket


@pytest.fixture(autouse=True)
def begin_with_a_sound_outside(shop):
    yield
    end_outage(shop)
    wait_for(lambda: all(state == "closed" for state in states(shop).values()), 20,
             "every breaker is closed")


def states(docket, column="class"):
    names = ("", "closed", "open", "probing", "ramping")
    return {key: names[state] for key, state in docket.sql(f"SELECT {column}, state FROM breaker")}


def begin_outage(docket, kind, ops):
    if kind == "refused":
        docket.kill("sandbox")
        return
    for op in ops:
        docket.fault(op, kind, **({"ms": 100} if kind in ("rate_limit", "unavailable") else {}))


def end_outage(docket):
    if "sandbox" not in docket.processes:
        docket.start("sandbox")
    docket.no_faults()


def uuids(orders):
    return [order.to_uuid(public) for public in orders]


def parked(docket, orders, stage=1):
    """How many are parked, and the sum of their attempts and crashes."""
    return docket.one(PARKED, uuids(orders), stage)


def wait_parked(docket, orders, stage=1, deadline_s=20, costs_nothing=True):
    def is_shut():
        return parked(docket, orders, stage)[0] == len(orders) and docket.sql(
            "SELECT 1 FROM breaker WHERE stage = %s AND state = 2", stage)

    wait_for(is_shut, deadline_s, f"all {len(orders)} are parked, and the breaker is open",
             every_s=0.05)
    if costs_nothing:
        must(parked(docket, orders, stage)[1:], (0, 0), "attempts and crashes of what is parked")


def released(docket, orders, stage=1):
    """Orders as they were let out for the last time."""
    return [order.to_public(row[0]) for row in docket.sql(
        "SELECT order_id::text FROM order_event WHERE order_id = ANY (%s::uuid[]) AND "
        "kind = 'released' AND (detail->>'stage')::int = %s GROUP BY order_id ORDER BY max(at), "
        "order_id", uuids(orders), stage)]


def must_have_cost_nothing(docket, orders):
    must(docket.one("SELECT count(*) FROM dead_letter"), 0, "dead letters")
    must(docket.sql("SELECT DISTINCT ON (order_id) order_id::text, (detail->>'attempt')::int "
                    "FROM order_event WHERE order_id = ANY (%s::uuid[]) AND detail ? 'attempt' "
                    "ORDER BY order_id, version DESC", uuids(orders)),
         [(uuid, 0) for uuid in sorted(uuids(orders))], "attempts that were counted in the end")
    docket.books().must_balance()


@pytest.mark.parametrize("kind", OUTAGES)
def test_a_provider_that_is_away_costs_no_attempt_and_the_oldest_go_first(shop, kind):
    begin_outage(shop, kind, ("create", "confirm", "retrieve"))
    orders = post_many(shop, ORDERS)
    wait_parked(shop, orders)
    reasons = {row[0] for row in shop.sql("SELECT DISTINCT reason FROM orders WHERE id = ANY "
                                          "(%s::uuid[])", uuids(orders))}
    must(reasons, {"provider_unavailable"}, "reasons")
    end_outage(shop)
    wait_all(shop, orders, "fulfilled")
    out = released(shop, orders)
    must(out[1:], sorted(out[1:], key=order.to_uuid), "the oldest first, after the probe")
    must_have_cost_nothing(shop, orders)


@pytest.mark.parametrize("kind", ["hang", "unavailable"])
def test_the_first_that_meets_an_outage_gets_its_attempt_back(shop, kind):
    """It fails alone: nothing tells yet that the provider is away, and the attempt is counted.
    Once others fail too, it is not the order's own any more."""
    begin_outage(shop, kind, ("create", "confirm", "retrieve"))
    first = post(shop)
    wait_for(lambda: task(shop, first)[1] > 0, 10, "its first failure was counted", every_s=0.02)
    orders = [first, *post_many(shop, ORDERS)]
    wait_parked(shop, orders)
    end_outage(shop)
    wait_all(shop, orders, "fulfilled")
    must_have_cost_nothing(shop, orders)


def unpaid(shop, orders):
    return [public for public in orders if shop.status(public) not in ("fulfilled", "confirmed")]


def test_a_provider_that_comes_and_goes_costs_no_attempt_and_is_charged_once(shop):
    """Away again as soon as the first are let out: it opens anew each time, and everything stays."""
    def opened():
        return shop.one("SELECT coalesce(sum(opened_total), 0) FROM breaker WHERE stage = 1")

    ops = ("create", "confirm", "retrieve")
    begin_outage(shop, "unavailable", ops)
    orders = post_many(shop, ORDERS)
    wait_parked(shop, orders)
    for _ in range(3):
        before = opened()
        end_outage(shop)
        wait_for(lambda: "ramping" in states(shop).values() or "closed" == states(shop)["server_error"],
                 20, "some are let out", every_s=0.01)
        shop.freeze("payment")  # away from one moment on: what fails between two that do not is the order's own
        begin_outage(shop, "unavailable", ops)
        shop.thaw("payment")
        orders += post_many(shop, 8)
        wait_for(lambda before=before: opened() > before, 20, "it is open again", every_s=0.02)
    wait_for(lambda: parked(shop, (left := unpaid(shop, orders)))[0] == len(left) > 0, 20, "what is not paid is parked")
    end_outage(shop)
    wait_all(shop, orders, "fulfilled", deadline_s=60)
    must(len(facts(shop, "charge", *orders)), len(orders), "charges")
    must(shop.one("SELECT count(*) FROM dead_letter"), 0, "dead letters")
    shop.books().must_balance()


def test_another_worker_sees_with_its_beat_that_a_provider_is_away(shop):
    """It would never open by itself, and calls nobody any more once it has seen it."""
    shop.restart("relay", env=RELAY | {"DOCKET_BREAKER_PAUSE_MS": 60000,
                                       "DOCKET_BREAKER_PAUSE_MAX_MS": 60000})  # no probe meanwhile
    shop.start("payment", label="payment2", env=BREAKER | {"DOCKET_BREAKER_FAILURES": 900000})
    try:
        begin_outage(shop, "unavailable", ("create", "confirm", "retrieve"))
        orders = post_many(shop, ORDERS)
        wait_parked(shop, orders)
        wait_for(lambda: "stripe is open" in shop.log("payment2"), 20, "the other one has seen it")
        assert "breaker_opened" not in shop.log("payment2")
        called = calls_of(shop, "payment2")
        assert called > 0, "the test wants both of them to have met it"
        more = post_many(shop, 10)
        wait_parked(shop, orders + more)
        must(calls_of(shop, "payment2"), called, "calls of the other one")
        end_outage(shop)
        shop.docket("resume", "stripe", "--reason", "it is over")
        wait_all(shop, orders + more, "fulfilled")
        must_have_cost_nothing(shop, orders + more)
    finally:
        shop.stop("payment2")
        shop.restart("relay", env=RELAY)


def calls_of(shop, label):
    body = Client(shop.processes[label].world.ports["payment"]).get("/metrics").body.decode()
    return sum(int(line.rpartition(" ")[2]) for line in body.splitlines()
               if line.startswith("docket_outside_calls_total{"))


def test_a_carrier_that_is_away_costs_no_attempt_and_ships_each_once(shop):
    begin_outage(shop, "act_then_500", ("ship",))
    begin_outage(shop, "unavailable", ("lookup",))
    orders = post_many(shop, ORDERS)
    wait_parked(shop, orders, stage=2)
    end_outage(shop)
    wait_all(shop, orders, "fulfilled")
    must(len(facts(shop, "shipment", *orders)), ORDERS, "shipments")
    must_have_cost_nothing(shop, orders)


def test_a_confirm_that_an_outage_left_unknown_stays_so_and_is_looked_up(shop):
    """The provider charges and says 500, answers no look-up, but takes creates: some failures look
    like an order's own, until it is seen that they are not.  Each is charged once."""
    begin_outage(shop, "act_then_500", ("confirm",))
    begin_outage(shop, "unavailable", ("retrieve",))
    orders = post_many(shop, ORDERS)
    wait_parked(shop, orders, costs_nothing=False)
    asked = shop.sql("SELECT reason, count(*) FROM orders o JOIN payment_attempt p ON p.order_id = "
                     "o.id WHERE o.id = ANY (%s::uuid[]) AND p.state = 6 GROUP BY reason",
                     uuids(orders))
    assert [reason for reason, _ in asked] == ["payment_outcome_unknown"], asked
    end_outage(shop)
    wait_all(shop, orders, "fulfilled")
    must(len(facts(shop, "charge", *orders)), ORDERS, "charges")
    must(shop.one("SELECT count(*) FROM dead_letter"), 0, "dead letters")
    shop.books().must_balance()


def test_a_worker_and_a_relay_that_die_meanwhile_forget_nothing(shop):
    begin_outage(shop, "unavailable", ("create", "confirm", "retrieve"))
    orders = post_many(shop, ORDERS)
    wait_for(lambda: parked(shop, orders)[0] > 0, 10, "the first is parked")
    shop.kill("payment")
    shop.start("payment", env=BREAKER)
    wait_for(lambda: parked(shop, orders)[0] == ORDERS, 20, "all are parked")
    end_outage(shop)
    wait_for(lambda: parked(shop, orders)[0] < ORDERS - 2, 20, "they are being let out")
    shop.kill("relay")
    shop.start("relay", env=RELAY)
    wait_all(shop, orders, "fulfilled")
    must(shop.one("SELECT count(*) FROM dead_letter"), 0, "dead letters")
    shop.books().must_balance()


def wait_known(shop):
    wait_for(lambda: "stripe is open" in shop.log("payment").rpartition("stripe is closed")[2], 20,
             "the worker knows")


def test_a_paused_provider_is_not_called_until_it_is_resumed(shop):
    shop.docket("pause", "stripe", "--reason", "maintenance")
    again = shop.docket("pause", "stripe", "--reason", "maintenance")
    assert "nothing was done" in again, again
    wait_known(shop)
    orders = post_many(shop, 10)
    wait_parked(shop, orders)
    for label, env in (("payment", BREAKER), ("relay", RELAY), ("api", None)):
        shop.restart(label, env=env)
    must(parked(shop, orders)[0], 10, "parked, after every restart")
    must(facts(shop, "intent", *orders), [], "intents")
    shop.docket("resume", "stripe", "--reason", "it is over")
    wait_all(shop, orders, "fulfilled")
    must(shop.sql("SELECT act, target, reason FROM audit WHERE act IN ('pause', 'resume') "
                  "ORDER BY id DESC LIMIT 2"), [("resume", "outside stripe", "it is over"),
                                                ("pause", "outside stripe", "maintenance")],
         "the audit")
    must_have_cost_nothing(shop, orders)


def test_a_paused_queue_keeps_its_messages_and_nothing_is_swept(shop):
    shop.docket("pause", "payment", "--reason", "a release")
    wait_for(lambda: "paused" in shop.log("payment"), 20, "the worker knows")
    wait_for(lambda: consumers(shop) == 0, 10, "nobody consumes")
    orders = post_many(shop, 10)
    wait_for(lambda: queue_count(shop) == 10, 10, "their messages wait")
    shop.restart("payment", env=BREAKER)  # is ready, and takes nothing up
    wait_for(lambda: metric(shop, "docket_paused{stage=\"payment\"}") == 1, 20, "the relay shows it")
    must(consumers(shop), 0, "consumers")
    states_then = shop.sql("SELECT DISTINCT state, sweeps FROM task WHERE order_id = ANY "
                           "(%s::uuid[])", uuids(orders))
    must(states_then, [(1, 0)], "ready, and never swept")
    shop.docket("resume", "payment", "--reason", "released")
    wait_all(shop, orders, "fulfilled")
    shop.books().must_balance()


def test_all_that_was_paused_goes_on_with_one_command(shop):
    for name in ("stripe", "fulfilment", "refund"):
        shop.docket("pause", name, "--reason", "a restore")
    wait_known(shop)
    orders = post_many(shop, 3)
    wait_parked(shop, orders)
    said = json.loads(shop.docket("resume", "--all", "--reason", "restored", "--json"))
    must(said, {"resumed": ["fulfilment", "refund", "stripe"]}, "what was let go on")
    must(shop.one("SELECT count(*) FROM audit WHERE act = 'resume' AND reason = 'restored'"), 3, "acts")
    assert "nothing was done" in shop.docket("resume", "--all", "--reason", "once more")
    wait_all(shop, orders, "fulfilled")
    shop.books().must_balance()


def test_what_went_on_before_one_could_not_is_said(shop):
    for name in ("fulfilment", "stripe"):
        shop.docket("pause", name, "--reason", "a restore")
    holder = shop.services.connect(shop.database)
    holder.cursor().execute("SELECT FROM breaker WHERE name = 'stripe' FOR UPDATE")
    done = shop.world.try_docket("resume", "--all", "--reason", "restored", "--json")
    holder.close()
    must((done.returncode, json.loads(done.stdout)), (1, {"resumed": ["fulfilment"]}), done.stderr)
    assert "temporarily_unavailable" in done.stderr, done.stderr
    must(json.loads(shop.docket("resume", "--all", "--reason", "restored", "--json")), {"resumed": ["stripe"]}, "the rest")


def test_a_name_that_nobody_has_is_refused(shop):
    from docket_local.problem import Problem
    with pytest.raises(Problem, match="payment, stripe, fulfilment, carrier"):
        shop.docket("pause", "paypal", "--reason", "test")


def consumers(docket):
    return on_channel(docket, lambda channel: channel.queue_declare(
        "docket.payment", passive=True).method.consumer_count)
