"""A provider or carrier that is away: tasks are parked, nothing is counted, all get out, the oldest
first.  Each test ends in the comparison of the three books."""
import pytest

from docket_local import order
from harness import must, wait_for
from harness.outcomes import (WORKER, facts, kinds, post, post_many, task, wait_all, wait_task)
from harness.relay import metric

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


def wait_parked(docket, orders, stage=1, deadline_s=20):
    def is_shut():
        return parked(docket, orders, stage)[0] == len(orders) and docket.sql(
            "SELECT 1 FROM breaker WHERE stage = %s AND state = 2", stage)

    wait_for(is_shut, deadline_s, f"all {len(orders)} are parked, and the breaker is open",
             every_s=0.05)
    must(parked(docket, orders, stage)[1:], (0, 0), "attempts and crashes of what is parked")


def released(docket, orders, stage=1):
    """Orders as they were let out for the last time."""
    return [order.to_public(row[0]) for row in docket.sql(
        "SELECT order_id::text FROM order_event WHERE order_id = ANY (%s::uuid[]) AND "
        "kind = 'released' AND (detail->>'stage')::int = %s GROUP BY order_id ORDER BY max(at), "
        "order_id", uuids(orders), stage)]


def must_have_cost_nothing(docket, orders):
    must(docket.one("SELECT count(*) FROM dead_letter"), 0, "dead letters")
    must(docket.sql("SELECT DISTINCT (detail->>'attempt')::int FROM order_event WHERE order_id = "
                    "ANY (%s::uuid[]) AND detail ? 'attempt'", uuids(orders)), [(0,)],
         "attempts that were counted")
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
