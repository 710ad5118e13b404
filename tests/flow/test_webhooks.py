"""The provider's events: kept once, and never believed; an order goes on at once."""
import json
import time
import uuid

import pytest

from harness import Client, must, wait_for
from harness.outcomes import (WORKER, attempt, facts, kinds, open_quick_shop, paying_with, post,
                              wait_all, wait_task)
from harness.webhooks import deliver, event_of, inbox, send_webhooks, sign, webhooks

ASKS_CUSTOMER = "pm_card_threeDSecureRequired"
PATIENT = WORKER | {"DOCKET_CUSTOMER_WAIT_S": 600}


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    return open_quick_shop(docket, **PATIENT)


@pytest.fixture(autouse=True)
def leave_no_faults(shop):
    yield
    shop.no_faults()
    send_webhooks(shop, urls="", copies=1, delay_ms=0, reverse=False)


def waiting_for_customer(shop):
    """An order and its intent, which nobody has told us of anything yet."""
    public = post(shop, **paying_with(ASKS_CUSTOMER))
    shop.wait_status(public, "requires_action")
    wait_task(shop, public, "waiting")
    return public, attempt(shop, public)[1]


def finish(shop, intent, how="succeeded"):
    must(shop.sandbox.post(f"/sandbox/intents/{intent}/finish", {"as": how}).status, 200, "finish")


def outcome(shop, event_id):
    rows = inbox(shop, event_id)
    return rows[0][0] if rows else None


def wait_outcome(shop, event_id, wanted, deadline_s=20):
    wait_for(lambda: outcome(shop, event_id) == wanted, deadline_s,
             f"{event_id} is {wanted}: {inbox(shop, event_id)}")


def test_3d_secure_that_is_finished_at_the_provider_goes_on_at_once(shop):
    """By its event: the first look-up would be after five seconds."""
    send_webhooks(shop)
    public, intent = waiting_for_customer(shop)
    finish(shop, intent)
    shop.wait_status(public, "confirmed", "fulfilled")
    happened = kinds(shop, public)
    assert "webhook" in happened[:happened.index("paid")], happened
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()


def test_a_decline_after_3d_secure_is_heard_of_at_once(shop):
    send_webhooks(shop)
    public, intent = waiting_for_customer(shop)
    finish(shop, intent, "failed")
    shop.wait_status(public, "payment_failed")
    must(facts(shop, "charge", public), [], "charges")
    shop.books().must_balance()


def test_what_an_event_says_is_not_believed(shop):
    """Signed, well-formed, and a lie: the provider is asked, and says otherwise."""
    public, intent = waiting_for_customer(shop)
    for kind in ("succeeded", "canceled", "payment_failed"):
        event = event_of(intent, public, f"payment_intent.{kind}")
        must(deliver(shop, event).status, 200, kind)
        wait_outcome(shop, event["id"], "looked_up")
        wait_task(shop, public, "waiting")
        must(shop.status(public), "requires_action", f"after {kind}")
    must(facts(shop, "charge", public), [], "charges")
    finish(shop, intent)
    must(deliver(shop, event_of(intent, public)).status, 200, "the truth")
    shop.wait_status(public, "fulfilled")
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()


def test_pinelab_studio_620_an_event_that_comes_three_times_has_one_effect(shop):
    public, intent = waiting_for_customer(shop)
    finish(shop, intent)
    event = event_of(intent, public)
    answers = [deliver(shop, event) for _ in range(3)]
    must([answer.status for answer in answers], [200] * 3, "answers")
    must([answer.json["duplicate"] for answer in answers], [False, True, True], "duplicates")
    shop.wait_status(public, "fulfilled")
    must(len(inbox(shop, event["id"])), 1, "rows")
    must(kinds(shop, public).count("webhook"), 1, "effects")
    shop.books().must_balance()


def test_a_late_event_changes_nothing(shop):
    public = post(shop)
    shop.wait_status(public, "fulfilled")
    before, intent = shop.events(public), attempt(shop, public)[1]
    for kind in ("succeeded", "requires_action", "payment_failed", "processing", "canceled"):
        event = event_of(intent, public, f"payment_intent.{kind}")
        must(deliver(shop, event).status, 200, kind)
        wait_outcome(shop, event["id"], "late")
    must(shop.events(public), before, "its timeline")
    shop.books().must_balance()


def test_vendure_2569_events_may_come_before_the_answer_twice_and_out_of_order(shop):
    """Each answer drips for longer than its events need; while a worker has the task, they wait."""
    send_webhooks(shop, copies=2, delay_ms=200, reverse=True)
    shop.fault("confirm", "drip", ms=500, times=-1)
    orders = [post(shop) for _ in range(6)]
    orders += [post(shop, **paying_with("pm_card_visa_chargeDeclined")) for _ in range(2)]
    wait_all(shop, orders, "fulfilled", "payment_failed")
    wait_for(lambda: webhooks(shop)["open"] == 0, 20, "everything is told")
    wait_for(lambda: not shop.sql("SELECT id FROM webhook_inbox WHERE due_at IS NOT NULL"), 20,
             "everything is dealt with")
    must([shop.status(public) for public in orders[6:]], ["payment_failed"] * 2, "the declined")
    must(len(facts(shop, "charge", *orders)), 6, "charges")
    shop.books().must_balance()


def test_medusa_13301_the_answer_and_the_event_race_and_no_order_is_missing(shop):
    """Both come at about the same moment, again and again: one transition each, and every order is seen
    paid by whoever reads it from then on."""
    send_webhooks(shop, delay_ms=0)
    shop.fault("confirm", "delay", ms=1, times=-1)
    orders = [post(shop) for _ in range(40)]
    wait_all(shop, orders, "fulfilled")
    wait_for(lambda: webhooks(shop)["open"] == 0, 20, "everything is told")
    wait_for(lambda: not shop.sql("SELECT id FROM webhook_inbox WHERE due_at IS NOT NULL"), 20,
             "everything is dealt with")
    for public in orders:
        must(kinds(shop, public).count("paid"), 1, f"{public} became paid so often")
        must(shop.status(public), "fulfilled", f"{public} as it is read")
    must(len(facts(shop, "charge", *orders)), len(orders), "charges")
    shop.books().must_balance()


def test_an_unknown_payment_is_settled_by_its_event_and_not_by_the_clock(shop):
    """The confirm's answer is lost, and look-ups are minutes apart."""
    shop.restart("payment", env=PATIENT | {"DOCKET_RETRY_BASE_MS": 3600000,
                                           "DOCKET_RETRY_MAX_MS": 3600000})
    shop.freeze("payment")
    public = post(shop)
    shop.fault("confirm", "act_then_reset", order=public, times=1)
    shop.thaw("payment")
    wait_task(shop, public, "waiting")
    must(deliver(shop, event_of(attempt(shop, public)[1], public)).status, 200, "kept")
    shop.wait_status(public, "fulfilled")
    shop.restart("payment", env=PATIENT)
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()


def test_an_event_that_is_not_the_provider_s_is_refused_before_it_is_read(shop):
    public, intent = waiting_for_customer(shop)
    event = event_of(intent, public)
    body = json.dumps(event).encode()
    wrong = {"none": None, "other secret": sign(body, "whsec_" + "0" * 32),
             "old": sign(body, shop.world.webhook_secret(), time.time() - 301),
             "of the future": sign(body, shop.world.webhook_secret(), time.time() + 302),
             "other body": sign(body + b" ", shop.world.webhook_secret()),
             "no digest": f"t={int(time.time())},v1=00"}
    before = shop.operator.get("/metrics").body.decode()
    for why, signature in wrong.items():
        answer = deliver(shop, body, signature)
        must((answer.status, answer.code), (400, "webhook_signature_invalid"), why)
    must(inbox(shop, event["id"]), [], "rows")
    counted = 'docket_webhooks_total{outcome="bad_signature"} '
    after = shop.operator.get("/metrics").body.decode()
    must(int(after.split(counted)[1].split()[0]) - int(before.split(counted)[1].split()[0]),
         len(wrong), "counted")
    assert event["id"] not in shop.log("api"), "its body is in the log"
    answer = deliver(shop, b"{", sign(b"{", shop.world.webhook_secret()))
    must((answer.status, answer.code), (400, "webhook_event_invalid"), "no JSON")


def test_a_wrong_secret_loses_no_payment(shop):
    """Every event is refused: the order is looked up all the same, only later."""
    send_webhooks(shop, secret="whsec_" + "1" * 32)
    public, intent = waiting_for_customer(shop)
    finish(shop, intent)
    shop.wait_status(public, "fulfilled", deadline_s=30)
    assert "webhook" not in kinds(shop, public)
    assert webhooks(shop)["refused"] > 0
    shop.books().must_balance()


def test_secrets_are_rotated_without_losing_an_event(shop):
    old, new = shop.world.webhook_secret(), "whsec_" + uuid.uuid4().hex
    shop.start("api", label="api2", env={"DOCKET_STRIPE_WEBHOOK_SECRETS": f"{new},{old}"})
    public, intent = waiting_for_customer(shop)
    port = shop.processes["api2"].world.ports["api"]
    for secret in (old, new):
        event = event_of(intent, public)
        body = json.dumps(event).encode()
        must(deliver(shop, body, sign(body, secret), port).status, 200, "signed with either")
    both = sign(body, "whsec_" + "2" * 32) + "," + sign(body, new).partition(",")[2]
    must(deliver(shop, body, both, port).status, 200, "one of several signatures")
    shop.stop("api2")


def test_without_a_secret_there_is_no_such_route(shop):
    shop.start("api", label="api2", env={"DOCKET_STRIPE_WEBHOOK_SECRETS": ""})
    answer = deliver(shop, event_of("pi_1", "ord_1"), port=shop.processes["api2"].world.ports["api"])
    must((answer.status, answer.code), (404, "not_found"), "answer")
    shop.stop("api2")


def test_a_body_that_is_too_large_is_refused(shop):
    body = b" " * 70000
    must(deliver(shop, body, sign(body, shop.world.webhook_secret())).status, 413, "status")


def test_an_event_of_an_intent_that_is_not_ours_is_kept_and_remarked(shop):
    public = post(shop)
    shop.wait_status(public, "fulfilled")
    for intent, of in (("pi_stranger", None), ("pi_stranger", public),
                       ("pi_stranger", "ord_" + "0" * 26)):
        event = event_of(intent, of)
        must(deliver(shop, event).status, 200, "kept")
        wait_outcome(shop, event["id"], "unknown_intent", deadline_s=20)
    event = event_of("pi_1", None, "customer.created")
    must(deliver(shop, event).status, 200, "kept")
    must(outcome(shop, event["id"]), "not_needed", "of no interest")
    shop.books().must_balance()


def test_postgres_is_away_and_the_event_is_sent_again_until_it_is_kept(shop):
    public, intent = waiting_for_customer(shop)
    event = event_of(intent, public)
    shop.services.postgres_freeze()
    try:
        answer = deliver(shop, event, timeout_s=15)
        must((answer.status, answer.code), (503, "temporarily_unavailable"), "answer")
    finally:
        shop.services.postgres_thaw()
    finish(shop, intent)
    wait_for(lambda: deliver(shop, event).status == 200, 20, "it is kept")
    shop.wait_status(public, "fulfilled")
    must(len(inbox(shop, event["id"])), 1, "rows")
    shop.books().must_balance()


def test_the_sandbox_sends_an_event_again_until_it_is_taken(shop):
    send_webhooks(shop, retry_ms=50)
    public, intent = waiting_for_customer(shop)
    shop.stop("api")
    finish(shop, intent)
    wait_for(lambda: webhooks(shop)["refused"] > 1, 20, "nobody takes it")
    shop.start("api")
    shop.api = Client(shop.port("api"), shop.checkout)  # the old connection is of no use
    shop.wait_status(public, "fulfilled")  # by the event, or by a look-up that was due before
    wait_for(lambda: webhooks(shop)["open"] == 0, 20, "it is taken")
    must(webhooks(shop)["given_up"], 0, "events that were given up")
    shop.books().must_balance()


def test_the_relay_that_was_away_finds_what_was_kept(shop):
    public, intent = waiting_for_customer(shop)
    shop.stop("relay")
    finish(shop, intent)
    event = event_of(intent, public)
    must(deliver(shop, event).status, 200, "kept")
    shop.start("relay", env={"DOCKET_SWEEP_S": 1})
    shop.wait_status(public, "fulfilled")
    wait_for(lambda: outcome(shop, event["id"]), 10, "it is dealt with")
    shop.books().must_balance()
