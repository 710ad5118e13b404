"""What clients and operators do while a process is killed.

Each takes the lane (lane.py), acts until every answer is definitive, and leaves nothing running.
"""
from concurrent.futures import ThreadPoolExecutor

import pika

from docket_local import order
from docket_local.problem import Problem
from harness import wait_for
from harness.client import new_key
from harness.letters import make_letters
from harness.outcomes import pay_again
from harness.outcomes import attempt
from harness.relay import on_channel
from harness.webhooks import send_webhooks, webhooks

DEADLINE_S = 40
FREE_TEXT = 'Zoë "O’Brien" <b>; DROP TABLE \\ orders -- 日本'
LOST = """
    WITH gone AS (DELETE FROM outbox RETURNING topic, order_ids, traces, id)
    INSERT INTO published (topic, order_ids, traces, published_upto, look_at)
    SELECT topic, order_ids, traces, id, now() FROM gone"""


def bodies(docket):
    """One order of each fate; the methods are those that trouble() has rules for."""
    plain = docket.order_body()
    return [
        plain,
        plain | {"customer": {"email": "zoe@example.com", "name": FREE_TEXT}},
        plain | {"payment": {"method": "pm_card_visa_chargeDeclined"}},
        plain | {"payment": {"method": "pm_card_amex"}},
        plain | {"payment": {"method": "pm_card_mastercard"}},
        plain | {"payment": {"method": "pm_card_visa_debit"}},
        plain | {"lines": [{"sku": "LAST-ONE", "quantity": 1}],
                 "expected_total": {"amount": 10390, "currency": "EUR"}},
    ]


def trouble(docket):
    """The outside misbehaves: acts without saying so, does not act, is away."""
    docket.no_faults()
    docket.fault("confirm", "act_then_reset", method="pm_card_amex")
    docket.fault("confirm", "reset", method="pm_card_mastercard", times=1)
    docket.fault("create", "unavailable", method="pm_card_visa_debit", times=1)
    docket.fault("ship", "act_then_reset", times=1)
    docket.fault("ship", "unavailable", times=1)


def checkout(lane):
    """Orders of every fate at once; the first key twice at the same time."""
    wanted = [(body, new_key()) for body in bodies(lane.docket)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: lane.docket.post_until_told(*one, deadline_s=DEADLINE_S),
                      [wanted[0], *wanted]))


def refused(lane):
    """Orders that are refused after a look-up of their key, and one of them put right."""
    docket = lane.docket
    wrong = docket.order_body(expected_total={"amount": 1, "currency": "EUR"})
    for _ in range(2):
        told = docket.post_until_told(wrong, deadline_s=DEADLINE_S)
        assert told.accepted == "no", repr(told)
    docket.post_until_told(docket.order_body(), told.key, deadline_s=DEADLINE_S)


def abandoned(lane):
    """A key given up before its order, and one given up after it."""
    docket = lane.docket
    given_up, kept = new_key(), docket.post_until_told(deadline_s=DEADLINE_S)
    for key in (given_up, kept.key):
        wait_for(lambda key=key: docket.api.post(
            "/v1/orders/abandon", headers={"Idempotency-Key": key}).status == 200, DEADLINE_S,
            "an answer to abandon")
    late = docket.post_until_told(key=given_up, deadline_s=DEADLINE_S)
    assert (late.status, late.accepted) == (409, "no"), repr(late)


def away(lane, ops):
    """An outside does not answer until its breaker is open (or its worker was killed before)."""
    docket = lane.docket
    for op in ops:
        docket.fault(op, "unavailable", ms=50)
    opened = "SELECT coalesce(sum(opened_total), 0) FROM breaker"
    before = docket.one(opened)
    checkout(lane)
    try:
        wait_for(lambda: docket.one(opened) > before, 5, "an open breaker", every_s=0.1)
    except AssertionError:
        pass
    trouble(docket)


def provider_away(lane):
    away(lane, ("create", "confirm", "retrieve"))


def carrier_away(lane):
    away(lane, ("ship", "lookup"))


def watched(lane):
    """Orders whose life is read until it is known."""
    docket = lane.docket
    for _ in range(3):
        told = docket.post_until_told(deadline_s=DEADLINE_S)
        wait_for(lambda told=told: docket.read.get(f"/v1/orders/{told.id}").status == 200,
                 DEADLINE_S, "a look at the order")


def paid_again(lane):
    """Orders whose first payment was declined, or waits for the customer, each paid otherwise."""
    docket = lane.docket
    methods = ["pm_card_visa_chargeDeclined", "pm_card_threeDSecureRequired"] * 2
    told = [docket.post_until_told(docket.order_body(payment={"method": method}), deadline_s=DEADLINE_S)
            for method in methods]
    for one in told:
        key = new_key()
        wait_for(lambda one=one, key=key: is_settled(docket, one.id, key), DEADLINE_S,
                 "an answer to a further attempt")


def is_settled(docket, public, key):
    """202, or the order has ended meanwhile: customers are not waited for long here."""
    answer = pay_again(docket, public, key=key)
    return answer.status == 202 or answer.code == "payment_not_possible"


def listed(lane):
    """Pages of orders, until one comes whole."""
    docket = lane.docket
    told = docket.post_until_told(deadline_s=DEADLINE_S)
    wait_for(lambda: told.id in [one["id"] for one in page(docket)], DEADLINE_S, "a list with it")


def page(docket):
    answer = docket.read.get("/v1/orders?limit=100")
    return answer.json["orders"] if answer.status == 200 else []


def again(command):
    """An operator repeats a command that failed."""
    try:
        return command() or True
    except Problem:
        return None


def told_of(lane):
    """Customers who agree at the provider, which sends an event of it until somebody takes it (one
    who comes too late is told so)."""
    docket = lane.docket
    send_webhooks(docket, retry_ms=50)
    body = docket.order_body(payment={"method": "pm_card_threeDSecureRequired"})
    for _ in range(2):
        public = docket.post_until_told(body, deadline_s=DEADLINE_S).id
        docket.wait_status(public, "requires_action", "canceled", deadline_s=DEADLINE_S)
        docket.sandbox.post(f"/sandbox/intents/{attempt(docket, public)[1]}/finish",
                            {"as": "succeeded"})
        docket.wait_status(public, "fulfilled", "canceled", deadline_s=DEADLINE_S)
    wait_for(lambda: webhooks(docket)["open"] == 0, DEADLINE_S, "every event is taken")
    send_webhooks(docket, urls="")


def operated(lane):
    docket = lane.docket
    docket.post_until_told(deadline_s=DEADLINE_S)
    wait_for(lambda: again(lambda: docket.docket("key", "list")), DEADLINE_S, "docket key list",
             every_s=0.1)


def replayed(lane):
    """A dead letter is replayed, and the order goes on where it stopped."""
    docket = lane.docket
    docket.no_faults()
    docket.fault("confirm", "wrong_amount", times=1)
    told = docket.post_until_told(deadline_s=DEADLINE_S)
    letter = wait_for(lambda: docket.sql(
        "SELECT id FROM dead_letter WHERE order_id = %s AND state = 'open'",
        order.to_uuid(told.id)), DEADLINE_S, "a dead letter")[0][0]
    wait_for(lambda: again(lambda: docket.docket("dead", "replay", str(letter), "--reason", "test"))
             or not is_open(docket, letter), DEADLINE_S, "docket dead replay", every_s=0.1)
    docket.wait_status(told.id, "fulfilled", deadline_s=DEADLINE_S)


def is_open(docket, letter):
    return docket.one("SELECT state = 'open' FROM dead_letter WHERE id = %s", letter)


def until_told(ask, statuses):
    """Repeats what failed until its answer is one of these; the answer."""
    def told():
        answer = ask()
        return answer if answer.status in statuses else None

    return wait_for(told, DEADLINE_S, f"an answer of {statuses}", every_s=0.1)


def cancel(docket, told):
    headers = {"Client-Token": told.answer.json["client_token"]}
    return until_told(lambda: docket.api.post(f"/v1/orders/{told.id}/cancel", headers=headers),
                      (200, 202, 409))


def taken_back(lane):
    """Orders canceled at once and while their customer is waited for; one that the carrier refuses
    for good; one that is shipped, and some of its money given back."""
    docket, plain = lane.docket, lane.docket.order_body()
    asks = plain | {"payment": {"method": "pm_card_threeDSecureRequired"}}
    wanted = [asks, plain, plain, plain, asks]
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda body: docket.post_until_told(body, deadline_s=DEADLINE_S), wanted))
    docket.fault("ship", "decline", order=told[3].id, code="address_undeliverable")
    cancel(docket, told[1])
    docket.wait_status(told[0].id, "requires_action", "canceled", deadline_s=DEADLINE_S)
    cancel(docket, told[0])
    docket.wait_status(told[2].id, "fulfilled", deadline_s=DEADLINE_S)
    wait_for(lambda: again(lambda: docket.docket("order", "refund", told[2].id, "--amount", "100",
                                                 "--reason", "test")), DEADLINE_S, "docket order refund")


def lost(lane):
    """As checkout, where lose_messages went before."""
    checkout(lane)


def lose_messages(lane):
    """Before the relay is started: what it would publish is as if the broker had lost it."""
    told = [lane.docket.post_until_told(deadline_s=DEADLINE_S) for _ in range(2)]
    lane.docket.sql(LOST)
    return told


def malformed(lane):
    """Messages that nobody can read, besides good ones."""
    def send(channel):
        for queue in ("docket.payment", "docket.fulfilment", "docket.dead"):
            channel.basic_publish("", queue, b"not of ours", pika.BasicProperties(
                message_id=new_key(), delivery_mode=2))

    on_channel(lane.docket, send)
    checkout(lane)


def begin_run(lane):
    """A replay run of a few dead letters."""
    docket = lane.docket
    docket.sql("INSERT INTO replay_run (ids, actor, reason, rate, ramp, stop_share) "
               "VALUES (%s, 'test', 'test', 0, '{1, 5}', 20)", list(make_letters(docket, 8)))


def ran(lane):
    """Replay runs come to their end, each member once."""
    docket = lane.docket
    begin_run(lane)
    wait_for(lambda: docket.one("SELECT count(*) FROM replay_run WHERE state <> 'done'") == 0,
             DEADLINE_S, "every run is done", every_s=0.1)
    assert docket.sql("SELECT DISTINCT state FROM replay_item") == [("succeeded",)]
    assert docket.one("SELECT count(*) FROM order_event WHERE kind = 'replayed' AND detail ? 'run'") \
        == docket.one("SELECT count(*) FROM replay_item")


BEFORE = {lost: lose_messages, ran: begin_run}  # while the process that is to die does not run
