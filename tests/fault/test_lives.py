"""Random lives of orders through real workers: drawn troubles of the outside, kills, the provider's events
(true, false, twice, late, out of order), customers who act, pay otherwise or cancel, operators who replay and
refund; and at the end of each round the comparison of the three books.

tests/workers/life lives 100,000 through the same steps in memory; here are 200, or DOCKET_REAL_LIVES=2000.
A failure names its seed: DOCKET_LIFE_SEED=… draws the same again (what runs at the same time may differ).
"""
import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from lane import SETTINGS, Lane

from docket_local import order
from docket_local.problem import Problem
from harness import TRAVELLERS, wait_for
from harness.client import new_key
from harness.outcomes import paying_with
from harness.webhooks import deliver, event_of, send_webhooks

LIVES = int(os.environ.get("DOCKET_REAL_LIVES", "200"))
SEED = int(os.environ.get("DOCKET_LIFE_SEED", "1"))
LIVES_A_ROUND = 25
ROUNDS = [SEED + n for n in range(max(1, LIVES // LIVES_A_ROUND))]

METHODS = ["pm_card_visa", "pm_card_mastercard", "pm_card_amex", "pm_card_visa_debit",
           "pm_card_visa_chargeDeclined", "pm_card_chargeDeclinedInsufficientFunds",
           "pm_card_threeDSecureRequired",
           "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"]
OPS = ["create", "confirm", "retrieve", "cancel", "ship", "lookup"]
TROUBLES = ["delay", "act_then_hang", "act_then_reset", "act_then_500", "fail_500", "rate_limit",
            "unavailable", "torn", "drip", "hang", "reset", "wrong_amount", "decline"]
SHORT_MS = 200  # less than DOCKET_PROVIDER_LONGEST_MS: what the provider promises


@pytest.fixture(scope="module")
def lane(request, services):
    running = Lane(services)
    request.node.stash[TRAVELLERS] = [running.docket]
    yield running
    running.close()


def draw_troubles(docket, rng):
    docket.fault("confirm", "wrong_amount", times=rng.randint(1, 2))  # for an operator
    docket.fault("confirm", "act_then_reset", times=rng.randint(1, 2))  # for a look-up
    for _ in range(rng.randint(2, 10)):
        op, kind = rng.choice(OPS), rng.choice(TROUBLES)
        if kind == "wrong_amount" and op in ("ship", "lookup", "cancel"):
            continue
        if kind == "decline" and op not in ("confirm", "ship"):
            continue
        more = {"method": rng.choice(METHODS)} if rng.random() < 0.5 and op not in (
            "ship", "lookup", "retrieve", "cancel") else {}
        docket.fault(op, kind, times=rng.randint(1, 6), ms=rng.randint(1, SHORT_MS), **more)


def draw_body(docket, rng):
    if rng.random() < 0.1:  # there are few of these
        return docket.order_body(lines=[{"sku": "LAST-ONE", "quantity": 1}],
                                 expected_total={"amount": 10390, "currency": "EUR"})
    return docket.order_body(payment={"method": rng.choice(METHODS)})


def kill_one(docket, rng):
    name = rng.choice(["payment", "payment", "fulfilment", "relay", "api"])
    docket.kill(name)
    docket.start(name, env=SETTINGS.get(name))


def stop_one(docket, rng):
    name = rng.choice(["payment", "fulfilment", "relay"])
    docket.restart(name, env=SETTINGS.get(name))


def customer(docket, rng):
    """Somebody who is asked agrees, or fails."""
    rows = docket.sql("SELECT intent_id FROM payment_attempt WHERE state = 5 AND intent_id <> ''")
    for intent, in rng.sample(rows, min(3, len(rows))):
        docket.sandbox.post(f"/sandbox/intents/{intent}/finish",
                            {"as": rng.choice(["succeeded", "succeeded", "failed"])})


def replay(docket, rng):
    rows = docket.sql("SELECT id FROM dead_letter WHERE state = 'open'")
    for letter, in rng.sample(rows, min(3, len(rows))):
        try:
            docket.docket("dead", "replay", str(letter), "--reason", "a life")
        except Problem:
            pass  # somebody else was faster, or the API is being killed


def last_orders(docket, *statuses):
    """The last orders that are at one of these, by their public ids."""
    rows = docket.sql("SELECT id::text FROM orders WHERE status = ANY (%s::int2[]) ORDER BY id DESC LIMIT 25",
                      [order.STATUSES.index(status) for status in statuses])
    return [order.to_public(row[0]) for row in rows]


def some_orders(docket, rng, *statuses):
    orders = last_orders(docket, *statuses)
    return rng.sample(orders, min(3, len(orders)))


def cancel(docket, rng):
    """Whatever they are at; those that are shipped meanwhile are told that it is too late."""
    for public in some_orders(docket, rng, "accepted", "processing", "confirmed", "requires_action",
                              "payment_failed", "on_hold", "refunding"):
        docket.server.post(f"/v1/orders/{public}/cancel")


def pay_otherwise(docket, rng):
    """Whose payment failed, and whose customer is being waited for."""
    for public in some_orders(docket, rng, "requires_action", "payment_failed"):
        docket.server.post(f"/v1/orders/{public}/payment_attempts", paying_with(rng.choice(METHODS)),
                           headers={"Idempotency-Key": new_key()})


def refund(docket, rng):
    for public in some_orders(docket, rng, "confirmed", "fulfilled"):
        try:
            docket.docket("order", "refund", public, "--amount", str(rng.randint(1, 9000)),
                          "--reason", "a life")
        except Problem:
            pass  # more than is left, or the API is being killed


def false_events(docket, rng):
    """Signed and well-formed, of what did not happen, or did long ago; some of them twice."""
    rows = docket.sql("SELECT order_id::text, intent_id FROM payment_attempt WHERE intent_id <> ''")
    for uuid, intent in rng.sample(rows, min(6, len(rows))):
        kind = rng.choice(["succeeded", "payment_failed", "canceled", "requires_action", "processing"])
        event = event_of(intent, order.to_public(uuid), f"payment_intent.{kind}")
        for _ in range(rng.randint(1, 2)):
            deliver(docket, event)


def draw_events(docket, rng):
    """How the provider tells of what happens in this round; sometimes it does not."""
    if rng.random() < 0.2:
        send_webhooks(docket, urls="")
    else:
        send_webhooks(docket, copies=rng.randint(1, 3), delay_ms=rng.choice([0, 0, 20, 200, 1000]),
                      retry_ms=50, reverse=rng.random() < 0.5)


ACTS = [kill_one, stop_one, customer, replay, cancel, pay_otherwise, refund, false_events]


def live(docket, rng):
    """One round: orders come while the outside misbehaves and things are killed."""
    docket.no_faults()
    draw_troubles(docket, rng)
    draw_events(docket, rng)
    bodies = [draw_body(docket, rng) for _ in range(LIVES_A_ROUND)]
    with ThreadPoolExecutor(4) as pool:
        told = [pool.submit(docket.post_until_told, body, deadline_s=60) for body in bodies]
        for _ in range(rng.randint(4, 8)):
            rng.choice(ACTS)(docket, rng)
        orders = [public for public in (one.result().id for one in told) if public]
    for needed, act in ((None, customer), (None, false_events), (None, replay),
                        ("payment_failed", pay_otherwise), ("fulfilled", refund), (None, cancel),
                        (None, customer), (None, replay)):
        if needed:  # else a slow machine has seen nothing yet that one could do this to
            wait_for(lambda status=needed: last_orders(docket, status) or is_at_rest(docket, orders),
                     60, f"an order that is {needed}, or all at rest", every_s=0.1)
        act(docket, rng)
    docket.no_faults()
    return orders


def is_at_rest(docket, orders):
    """Each is final, or waits for a person."""
    return docket.one(
        "SELECT count(*) FROM orders o WHERE id = ANY (%s::uuid[]) AND NOT final AND NOT EXISTS ("
        "SELECT FROM dead_letter d WHERE d.order_id = o.id AND d.state = 'open')",
        [order.to_uuid(public) for public in orders]) == 0


@pytest.mark.parametrize("seed", ROUNDS)
def test_no_life_breaks_a_promise(lane, seed):
    docket = lane.docket
    first = len(docket.told)
    orders = live(docket, random.Random(seed))
    wait_for(lambda: is_at_rest(docket, orders), 60, "every life comes to its end, or to a person",
             every_s=0.1)
    lane.must_balance(first)


def test_the_lives_have_seen_what_there_is(lane):
    """Rounds in which nothing went wrong would prove nothing."""
    docket = lane.docket
    seen = {row[0] for row in docket.sql("SELECT DISTINCT kind FROM order_event")}
    wanted = {"payment_unknown", "retry", "payment_declined", "requires_action", "canceled", "shipped",
              "out_of_stock", "dead_letter", "webhook", "cancel_requested", "payment_attempt_opened",
              "refund_made", "refunded"}
    assert wanted <= seen, wanted - seen
