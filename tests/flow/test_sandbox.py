"""The sandbox from outside: what Stripe and a carrier would answer, every trouble, and the witness.

Needs nothing but build/ops/sandbox/docket-sandbox (DOCKET_BUILD names another build directory).
"""
import asyncio
import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import time
import urllib.parse

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("DOCKET_BUILD", "build"))
BINARY = os.path.join(BUILD, "ops/sandbox/docket-sandbox")
FSYNC_FAILS = os.path.join(BUILD, "tests/ops/sandbox/libfsync_fails.so")
INSUFFICIENT = "pm_card_chargeDeclinedInsufficientFunds"
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "halt_on_error=1"}


def wait_for(predicate, what, deadline_s=5.0):
    until = time.monotonic() + deadline_s
    while True:
        value = predicate()
        if value:
            return value
        assert time.monotonic() < until, f"after {deadline_s} s still not: {what}"
        time.sleep(0.01)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"<{self.status} {self.body!r}>"

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


class Sandbox:
    def __init__(self, directory, log):
        self.directory, self.log, self.child, self.port = directory, log, None, None

    # The process

    def start(self, **env):
        listen = {"DOCKET_SANDBOX_LISTEN": "127.0.0.1:0",
                  "DOCKET_SANDBOX_DIR": str(self.directory) if self.directory else ""}
        begin = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen([BINARY], stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log, env=SANITIZERS | listen | env)
        said = wait_for(lambda: self._ready(begin), "the sandbox is ready")
        self.port = int(said.group(1))
        return self

    def _ready(self, begin):
        text = self.log.read_text()[begin:]
        assert self.child.poll() is None, text
        return re.search(r"listening on port (\d+)", text)

    def kill(self):
        self.child.kill()
        self.child.wait()

    def stop(self):
        """Its exit status; a sanitizer's complaint makes it one that is not 0."""
        if self.child.poll() is None:
            self.child.terminate()
        return self.child.wait(timeout=10)

    # Calls

    def call(self, method, path, body=None, key=None, fault=None, timeout=5.0, auth="sk_test"):
        headers = {"Authorization": f"Bearer {auth}"} if auth else {}
        headers |= {"Idempotency-Key": key} if key else {}
        headers |= {"Sandbox-Fault": fault} if fault else {}
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            link.request(method, path, body, headers)
            response = link.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            link.close()

    def post(self, path, key=None, fault=None, timeout=5.0, **form):
        return self.call("POST", path, urllib.parse.urlencode(form), key, fault, timeout)

    def create(self, order="ord_1", method="pm_card_visa", key=None, fault=None, **form):
        form = {"amount": 1250, "currency": "eur", "payment_method": method,
                "metadata[order_id]": order} | form
        return self.post("/v1/payment_intents", key, fault, **form)

    def made(self, *args, **options):
        answer = self.create(*args, **options)
        assert answer.status == 200, answer
        return answer.json["id"]

    def paid(self, *args, **options):
        intent = self.made(*args, **options)
        answer = self.confirm(intent)
        assert answer.json["status"] == "succeeded", answer
        return intent

    def confirm(self, intent, **options):
        return self.post(f"/v1/payment_intents/{intent}/confirm", **options)

    def retrieve(self, intent):
        return self.call("GET", f"/v1/payment_intents/{intent}").json

    def ship(self, reference="ref_1", order="ord_1", key=None, fault=None, timeout=5.0, **more):
        body = {"reference": reference, "order": order, "name": "A",
                "lines": [{"sku": "TEA", "quantity": 2}], "method": "standard",
                "address": {"line1": "1 Road", "country": "DE"}} | more
        return self.call("POST", "/shipments", json.dumps(body), key, fault, timeout)

    def look_up(self, reference):
        return self.call("GET", f"/shipments?reference={reference}").json["data"]

    # The sandbox's own

    def rule(self, fault, times=-1, **more):
        match = {name: more.pop(name) for name in ("op", "order", "method") if name in more}
        answer = self.call("POST", "/sandbox/rules", json.dumps(
            {"match": match, "fault": fault, "times": times, **more}))
        assert answer.status == 201, answer

    def set(self, **settings):
        answer = self.call("PUT", "/sandbox/settings", json.dumps(settings))
        assert answer.status == 200, answer

    def ledger(self, order=None):
        body = self.call("GET", "/ledger" + (f"?order={order}" if order else "")).body
        return [json.loads(line) for line in body.splitlines()]

    def kinds(self, order=None):
        return [fact["kind"] for fact in self.ledger(order)]

    def calls(self):
        return self.call("GET", "/sandbox/calls").json


@pytest.fixture
def sandbox(tmp_path):
    running = Sandbox(tmp_path / "ledgers", tmp_path / "log").start()
    yield running
    assert running.stop() in (0, -signal.SIGKILL), running.log.read_text()


# --- the provider's states -------------------------------------------------------------------


def test_a_confirmed_intent_is_charged_once(sandbox):
    intent = sandbox.made(key="k1")
    assert sandbox.retrieve(intent)["status"] == "requires_confirmation"
    assert sandbox.confirm(intent, key="k2").json["amount_received"] == 1250
    assert sandbox.retrieve(intent)["status"] == "succeeded"
    made, charge = sandbox.ledger("ord_1")
    assert (made["kind"], made["key"], made["intent"]) == ("intent", "k1", intent)
    assert (charge["kind"], charge["key"], charge["intent"]) == ("charge", "k2", intent)
    assert (charge["amount"], charge["currency"], charge["order"]) == (1250, "eur", "ord_1")
    assert charge["seq"] > made["seq"]


def test_a_second_confirm_is_refused_with_the_intent_in_it(sandbox):
    intent = sandbox.paid()
    answer = sandbox.confirm(intent, key="another")
    assert (answer.status, answer.error["code"]) == (400, "payment_intent_unexpected_state")
    assert answer.error["payment_intent"]["id"] == intent
    assert answer.error["payment_intent"]["status"] == "succeeded"
    assert sandbox.kinds() == ["intent", "charge"]


def test_a_second_intent_of_one_order_charges_again(sandbox):
    sandbox.paid("ord_1")
    sandbox.paid("ord_1")
    assert sandbox.kinds("ord_1").count("charge") == 2


def test_create_can_confirm_at_once(sandbox):
    assert sandbox.create(confirm="true").json["status"] == "succeeded"
    assert sandbox.kinds() == ["intent", "charge"]


@pytest.mark.parametrize("method, code, decline", [
    ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
    (INSUFFICIENT, "card_declined", "insufficient_funds"),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
])
def test_a_decline_is_402_and_asks_for_another_card(sandbox, method, code, decline):
    intent = sandbox.made(method=method)
    answer = sandbox.confirm(intent)
    assert answer.status == 402
    assert answer.error["type"] == "card_error"
    assert (answer.error["code"], answer.error["decline_code"]) == (code, decline)
    assert answer.error["payment_intent"]["status"] == "requires_payment_method"
    assert sandbox.retrieve(intent)["last_payment_error"]["decline_code"] == decline
    assert sandbox.kinds() == ["intent"]
    assert sandbox.confirm(intent, payment_method="pm_card_visa").json["status"] == "succeeded"


def test_a_3ds_card_waits_for_the_customer(sandbox):
    intent = sandbox.made(method="pm_card_authenticationRequired")
    asked = sandbox.confirm(intent).json
    assert asked["status"] == "requires_action"
    assert asked["next_action"]["type"] == "redirect_to_url"
    assert sandbox.kinds() == ["intent"]
    finish = f"/sandbox/intents/{intent}/finish"
    assert sandbox.call("POST", finish, '{"as":"succeeded"}').json["status"] == "succeeded"
    assert sandbox.kinds() == ["intent", "charge"]
    assert sandbox.call("POST", finish, '{"as":"succeeded"}').status == 409


def test_a_manual_capture_charges_once(sandbox):
    intent = sandbox.made(capture_method="manual")
    assert sandbox.confirm(intent).json["amount_capturable"] == 1250
    assert sandbox.kinds() == ["intent"]
    path = f"/v1/payment_intents/{intent}/capture"
    assert sandbox.post(path, amount_to_capture=1300).error["code"] == "amount_too_large"
    assert sandbox.post(path, amount_to_capture=1000).json["amount_received"] == 1000
    again = sandbox.post(path)
    assert (again.status, again.error["code"]) == (400, "payment_intent_unexpected_state")
    assert [fact["amount"] for fact in sandbox.ledger() if fact["kind"] == "charge"] == [1000]


def test_a_cancel_is_a_fence(sandbox):
    intent = sandbox.made()
    path = f"/v1/payment_intents/{intent}/cancel"
    assert sandbox.post(path, cancellation_reason="abandoned").json["status"] == "canceled"
    late = sandbox.confirm(intent)
    assert (late.status, late.error["code"]) == (400, "payment_intent_unexpected_state")
    assert late.error["payment_intent"]["status"] == "canceled"
    assert sandbox.kinds() == ["intent", "cancel"]


def test_what_was_paid_cannot_be_canceled(sandbox):
    intent = sandbox.paid()
    answer = sandbox.post(f"/v1/payment_intents/{intent}/cancel")
    assert (answer.status, answer.error["code"]) == (400, "payment_intent_unexpected_state")
    assert answer.error["payment_intent"]["status"] == "succeeded"


def test_two_refunds_with_two_keys_refund_twice(sandbox):
    intent = sandbox.paid()
    first = sandbox.post("/v1/refunds", key="r1", payment_intent=intent, amount=500).json
    again = sandbox.post("/v1/refunds", key="r1", payment_intent=intent, amount=500).json
    second = sandbox.post("/v1/refunds", key="r2", payment_intent=intent, amount=500).json
    assert first["id"] == again["id"] != second["id"]
    assert sandbox.kinds() == ["intent", "charge", "refund", "refund"]
    listed = sandbox.call("GET", f"/v1/refunds?payment_intent={intent}").json["data"]
    assert [refund["id"] for refund in listed] == [second["id"], first["id"]]
    assert sandbox.call("GET", f"/v1/refunds/{first['id']}").json["amount"] == 500


def test_no_more_is_refunded_than_was_charged(sandbox):
    intent = sandbox.paid()
    charge = sandbox.retrieve(intent)["latest_charge"]
    too_much = sandbox.post("/v1/refunds", payment_intent=intent, amount=1251)
    assert (too_much.status, too_much.error["param"]) == (400, "amount")
    assert sandbox.post("/v1/refunds", charge=charge).json["amount"] == 1250
    over = sandbox.post("/v1/refunds", payment_intent=intent)
    assert (over.status, over.error["code"]) == (400, "charge_already_refunded")
    assert sandbox.kinds().count("refund") == 1


def test_intents_are_listed_newest_first_by_pages(sandbox):
    made = [sandbox.made(f"ord_{i}") for i in range(5)]
    page = sandbox.call("GET", "/v1/payment_intents?limit=3&created%5Bgte%5D=1").json
    assert [intent["id"] for intent in page["data"]] == made[:1:-1]
    assert page["has_more"] is True
    rest = sandbox.call("GET", f"/v1/payment_intents?limit=3&starting_after={made[2]}").json
    assert [intent["id"] for intent in rest["data"]] == made[1::-1]
    assert rest["has_more"] is False
    later = int(time.time()) + 100
    assert sandbox.call("GET", f"/v1/payment_intents?created[gte]={later}").json["data"] == []


@pytest.mark.parametrize("form, code, param", [
    ({"amount": 0}, "parameter_invalid_integer", "amount"),
    ({"amount": "1.5"}, "parameter_invalid_integer", "amount"),
    ({"amount": "100000000"}, "amount_too_large", "amount"),
    ({"currency": "EUR"}, None, "currency"),
    ({"payment_method": "pm_nobody"}, "resource_missing", "payment_method"),
    ({"capture_method": "maybe"}, None, "capture_method"),
    ({"confirm": "yes"}, None, "confirm"),
    ({"amout": 1}, "parameter_unknown", "amout"),
])
def test_wrong_parameters_are_named_and_leave_the_key_free(sandbox, form, code, param):
    answer = sandbox.create(key="k", **form)
    assert (answer.status, answer.error.get("code"), answer.error["param"]) == (400, code, param)
    assert answer.error["type"] == "invalid_request_error"
    assert sandbox.kinds() == []
    right = sandbox.create(key="k")
    assert right.status == 200
    assert "Idempotent-Replayed" not in right.headers


def test_strangers_and_unknown_things_are_told_apart(sandbox):
    assert sandbox.call("GET", "/v1/payment_intents/pi_x", auth=None).status == 401
    assert sandbox.call("GET", "/v1/payment_intents/pi_x", auth="dk_x").status == 401
    missing = sandbox.call("GET", "/v1/payment_intents/pi_x")
    assert (missing.status, missing.error["code"]) == (404, "resource_missing")
    assert sandbox.confirm("pi_x").status == 404
    assert sandbox.call("GET", "/v1/nothing").status == 404
    assert sandbox.call("DELETE", "/v1/payment_intents").status == 405


# --- idempotency -----------------------------------------------------------------------------


def test_a_key_replays_status_and_body(sandbox):
    intent = sandbox.made(method=INSUFFICIENT)
    first = sandbox.confirm(intent, key="k")
    again = sandbox.confirm(intent, key="k")
    assert (first.status, first.body) == (again.status, again.body) == (402, first.body)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Idempotency-Key"] == "k"


def test_a_key_belongs_to_its_parameters_and_endpoint(sandbox):
    sandbox.made("ord_1", key="k")
    other = sandbox.create("ord_2", key="k")
    assert (other.status, other.error["type"]) == (400, "idempotency_error")
    assert sandbox.post("/v1/refunds", key="k", payment_intent="pi_x").status == 400
    assert sandbox.create("ord_1", key="k").headers["Idempotent-Replayed"] == "true"
    assert sandbox.kinds() == ["intent"]


def test_a_key_in_flight_is_409(sandbox):
    intent = sandbox.made()
    sandbox.rule("delay", times=1, op="confirm", ms=2000)
    link = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=10)
    link.request("POST", f"/v1/payment_intents/{intent}/confirm", "",
                 {"Authorization": "Bearer sk_x", "Idempotency-Key": "k"})
    wait_for(lambda: sandbox.calls()["open"] == 1, "the first confirm is under way")
    second = sandbox.confirm(intent, key="k")
    assert (second.status, second.error["code"]) == (409, "idempotency_key_in_use")
    assert second.headers["Stripe-Should-Retry"] == "true"
    assert link.getresponse().status == 200
    link.close()
    assert sandbox.confirm(intent, key="k").headers["Idempotent-Replayed"] == "true"
    assert sandbox.kinds() == ["intent", "charge"]


def test_a_500_is_kept_under_its_key_and_only_there(sandbox):
    intent = sandbox.made()
    first = sandbox.confirm(intent, key="k", fault="fail_500")
    assert (first.status, first.headers["Stripe-Should-Retry"]) == (500, "false")
    again = sandbox.confirm(intent, key="k")
    assert (again.status, again.headers["Idempotent-Replayed"]) == (500, "true")
    assert sandbox.retrieve(intent)["status"] == "requires_confirmation"
    assert sandbox.confirm(intent, key="next").json["status"] == "succeeded"
    assert sandbox.kinds() == ["intent", "charge"]


def test_a_key_of_the_past_is_a_new_request(sandbox):
    first = sandbox.made(key="k")
    assert sandbox.made(key="k") == first
    sandbox.set(key_lifetime_s=0)
    assert sandbox.made(key="k") != first
    assert sandbox.kinds() == ["intent", "intent"]


def test_a_key_of_256_characters_is_refused(sandbox):
    assert sandbox.create(key="k" * 255).status == 200
    assert sandbox.create(key="k" * 256).error["type"] == "idempotency_error"


# --- the carrier -----------------------------------------------------------------------------


def test_a_reference_ships_once_for_ever(sandbox):
    first = sandbox.ship(key="k1")
    assert first.status == 201
    assert first.json["id"].startswith("shp_") and first.json["tracking"]
    again = sandbox.ship(key="k2")
    assert (again.status, again.json) == (200, first.json)
    sandbox.set(key_lifetime_s=0)
    assert sandbox.ship(key="k1").json == first.json
    assert sandbox.look_up("ref_1") == [first.json]
    assert sandbox.look_up("ref_2") == []
    fact, = sandbox.ledger("ord_1")
    assert (fact["kind"], fact["shipment"], fact["reference"], fact["key"]) == \
        ("shipment", first.json["id"], "ref_1", "k1")


def test_a_reference_with_other_content_conflicts(sandbox):
    sandbox.ship()
    other = sandbox.ship(lines=[{"sku": "TEA", "quantity": 3}])
    assert (other.status, other.error["code"]) == (409, "reference_conflict")
    assert sandbox.kinds() == ["shipment"]


def test_a_carrier_without_references_ships_again(sandbox):
    sandbox.set(reference_unaware=True)
    sandbox.ship(key="k1")
    assert sandbox.ship(key="k1").headers["Idempotent-Replayed"] == "true"
    assert sandbox.ship(key="k2").status == 201
    assert len(sandbox.look_up("ref_1")) == 2
    assert sandbox.kinds() == ["shipment", "shipment"]


def test_a_permanent_refusal_of_the_carrier(sandbox):
    answer = sandbox.ship(address={"line1": "Undeliverable Road 1"})
    assert answer.status == 422
    assert answer.error["code"] == "address_undeliverable" and answer.error["permanent"] is True
    sandbox.rule("decline", times=1, op="ship", code="too_heavy")
    assert sandbox.ship("ref_2").error["code"] == "too_heavy"
    assert sandbox.ship("ref_2").status == 201


def test_passing_troubles_of_the_carrier_are_not_permanent(sandbox):
    for fault, status in (("rate_limit", 429), ("unavailable", 503), ("fail_500", 500)):
        answer = sandbox.ship(key="k", fault=fault)
        assert (answer.status, answer.error["permanent"]) == (status, False)
    assert sandbox.ship(key="k").status == 500, "the 500 stays under its key"
    assert sandbox.look_up("ref_1") == []
    assert sandbox.ship(key="next").status == 201


@pytest.mark.parametrize("wrong", [{"reference": ""}, {"lines": []}, {"address": "here"},
                                   {"lines": [{"sku": "TEA", "quantity": 0}]}, {"name": None}])
def test_a_shipment_that_makes_no_sense_is_400(sandbox, wrong):
    answer = sandbox.ship(key="k", **wrong)
    assert (answer.status, answer.error["permanent"]) == (400, True)
    assert sandbox.ship(key="k").status == 201


# --- troubles --------------------------------------------------------------------------------


def test_delay_acts_late_though_the_caller_has_left(sandbox):
    intent = sandbox.made()
    with pytest.raises(TimeoutError):
        sandbox.confirm(intent, key="k", fault="delay; ms=1000", timeout=0.2)
    assert sandbox.retrieve(intent)["status"] == "requires_confirmation"
    wait_for(lambda: sandbox.retrieve(intent)["status"] == "succeeded", "the late confirm")
    assert sandbox.confirm(intent, key="k").headers["Idempotent-Replayed"] == "true"


def test_decline_by_rule_is_one_orders_affair(sandbox):
    sandbox.rule("decline", op="confirm", order="ord_1", code="lost_card")
    answer = sandbox.confirm(sandbox.made("ord_1"))
    assert (answer.status, answer.error["decline_code"]) == (402, "lost_card")
    sandbox.paid("ord_2")


@pytest.mark.parametrize("fault, acts", [("hang", False), ("act_then_hang", True)])
def test_hang_gives_no_answer(sandbox, fault, acts):
    intent = sandbox.made()
    with pytest.raises(TimeoutError):
        sandbox.confirm(intent, key="k", fault=fault, timeout=0.3)
    assert sandbox.kinds() == ["intent", "charge"][:1 + acts]
    replayed = sandbox.confirm(intent, key="k")
    assert replayed.status == 200
    assert ("Idempotent-Replayed" in replayed.headers) == acts
    wait_for(lambda: sandbox.calls()["open"] == 0, "the hung call ends with its caller")


def test_hang_ends_after_its_time(sandbox):
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        sandbox.create(fault="hang; ms=50")


@pytest.mark.parametrize("fault, acts", [("reset", False), ("act_then_reset", True)])
def test_reset_is_a_rst(sandbox, fault, acts):
    intent = sandbox.made()
    with pytest.raises(ConnectionResetError) as left:
        sandbox.confirm(intent, key="k", fault=fault)
    assert left.type is ConnectionResetError, "a mere close is RemoteDisconnected"
    assert sandbox.kinds() == ["intent", "charge"][:1 + acts]
    assert ("Idempotent-Replayed" in sandbox.confirm(intent, key="k").headers) == acts


def test_act_then_500_acts_and_keeps_the_500(sandbox):
    intent = sandbox.made()
    assert sandbox.confirm(intent, key="k", fault="act_then_500").status == 500
    assert sandbox.confirm(intent, key="k").status == 500
    assert sandbox.retrieve(intent)["status"] == "succeeded"
    assert sandbox.kinds() == ["intent", "charge"]


def test_a_wrong_amount_is_in_the_answer_only(sandbox):
    intent = sandbox.made()
    wrong = sandbox.confirm(intent, key="k", fault="wrong_amount")
    assert (wrong.status, wrong.json["amount"], wrong.json["status"]) == (200, 1251, "succeeded")
    assert sandbox.retrieve(intent)["amount"] == 1250
    assert [fact["amount"] for fact in sandbox.ledger()] == [1250, 1250]


def test_a_429_is_not_bound_to_the_key(sandbox):
    intent = sandbox.made()
    limited = sandbox.confirm(intent, key="k", fault="rate_limit; ms=3000")
    assert (limited.status, limited.headers["Retry-After"]) == (429, "3")
    assert limited.error["code"] == "rate_limit"
    assert sandbox.confirm(intent, key="k").json["status"] == "succeeded"


def test_a_503_is_not_bound_to_the_key(sandbox):
    intent = sandbox.made()
    assert sandbox.confirm(intent, key="k", fault="unavailable").status == 503
    assert sandbox.confirm(intent, key="k").json["status"] == "succeeded"


def test_a_torn_answer_stops_half_way(sandbox):
    intent = sandbox.made()
    with pytest.raises(http.client.IncompleteRead) as torn:
        sandbox.confirm(intent, key="k", fault="torn")
    assert torn.value.partial and torn.value.expected > 0
    assert sandbox.kinds() == ["intent", "charge"]
    assert sandbox.confirm(intent, key="k").headers["Idempotent-Replayed"] == "true"


def test_a_drip_comes_slowly_and_whole(sandbox):
    intent = sandbox.made()
    begin = time.monotonic()
    answer = sandbox.confirm(intent, fault="drip; ms=400")
    assert answer.json["status"] == "succeeded"
    assert 0.3 < time.monotonic() - begin < 4


def test_a_drip_ends_when_its_reader_leaves(sandbox):
    with pytest.raises(TimeoutError):
        sandbox.create(fault="drip; ms=60000", timeout=0.2)
    wait_for(lambda: sandbox.calls()["open"] == 0, "the drip is over", deadline_s=10)


def test_rules_match_by_method_and_are_used_up(sandbox):
    sandbox.rule("rate_limit", times=2, op="create", method=INSUFFICIENT)
    answers = [sandbox.create(method=method).status for method in
               ("pm_card_visa", INSUFFICIENT, INSUFFICIENT, INSUFFICIENT)]
    assert answers == [200, 429, 429, 200]
    assert sandbox.call("GET", "/sandbox/rules").json == {"data": []}


@pytest.mark.parametrize("op, act", [
    ("create", lambda s, i: s.create()),
    ("confirm", lambda s, i: s.confirm(i)),
    ("retrieve", lambda s, i: s.call("GET", f"/v1/payment_intents/{i}")),
    ("cancel", lambda s, i: s.post(f"/v1/payment_intents/{i}/cancel")),
    ("capture", lambda s, i: s.post(f"/v1/payment_intents/{i}/capture")),
    ("refund", lambda s, i: s.post("/v1/refunds", payment_intent=i)),
    ("ship", lambda s, i: s.ship()),
    ("lookup", lambda s, i: s.call("GET", "/shipments?reference=ref_1")),
])
def test_every_op_can_be_troubled_until_the_rules_are_deleted(sandbox, op, act):
    intent = sandbox.made()
    before = sandbox.ledger()
    sandbox.rule("unavailable", op=op)
    assert [act(sandbox, intent).status for _ in range(3)] == [503] * 3
    assert sandbox.ledger() == before
    assert sandbox.call("DELETE", "/sandbox/rules").status == 204
    assert act(sandbox, intent).status != 503


@pytest.mark.parametrize("method, path, body, says", [
    ("POST", "/sandbox/rules", '{"fault":"explode"}', "explode"),
    ("POST", "/sandbox/rules", '{"fault":"hang","match":{"opp":"ship"}}', "opp"),
    ("POST", "/sandbox/rules", '{"fault":"hang","times":0}', "times"),
    ("POST", "/sandbox/rules", "nonsense", "JSON"),
    ("PUT", "/sandbox/settings", '{"key_lifetime":1}', "key_lifetime"),
    ("PUT", "/sandbox/settings", '{"key_lifetime_s":-1}', "key_lifetime_s"),
    ("PUT", "/sandbox/settings", '{"reference_unaware":1}', "true or false"),
])
def test_unknown_knobs_are_refused_and_named(sandbox, method, path, body, says):
    answer = sandbox.call(method, path, body)
    assert answer.status == 400
    assert says in answer.error["message"], answer


def test_an_unknown_trouble_of_a_call_does_nothing(sandbox):
    answer = sandbox.create(key="k", fault="explode")
    assert (answer.status, answer.error["type"]) == (400, "sandbox_error")
    assert "act_then_hang" in answer.error["message"]
    assert sandbox.kinds() == []
    assert "Idempotent-Replayed" not in sandbox.create(key="k").headers


# --- the witness -----------------------------------------------------------------------------


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_is_in_the_file_before_the_answer(sandbox):
    """However soon it is killed: whoever was answered finds the fact in the file."""
    for round in range(10):
        intent = sandbox.made(f"ord_{round}")
        assert sandbox.confirm(intent).status == 200
        assert sandbox.ship(f"ref_{round}", f"ord_{round}").status == 201
        sandbox.kill()
        charges = [line["intent"] for line in lines_of(sandbox.directory / "provider.jsonl")
                   if line["kind"] == "charge"]
        shipped = [line["reference"] for line in lines_of(sandbox.directory / "carrier.jsonl")
                   if line["kind"] == "shipment"]
        assert (charges[-1], shipped[-1]) == (intent, f"ref_{round}")
        sandbox.start()


def test_nothing_is_answered_that_could_not_be_synced(tmp_path):
    sandbox = Sandbox(tmp_path / "ledgers", tmp_path / "log")
    asan = SANITIZERS["ASAN_OPTIONS"] + ":verify_asan_link_order=0"
    sandbox.start(LD_PRELOAD=FSYNC_FAILS, ASAN_OPTIONS=asan)
    with pytest.raises(ConnectionError):
        sandbox.create()
    assert sandbox.child.wait(timeout=5) == 1
    assert "provider.jsonl" in sandbox.log.read_text()


def test_everything_is_there_after_a_restart(sandbox):
    paid, held = sandbox.paid("ord_1"), sandbox.made("ord_2", capture_method="manual")
    sandbox.confirm(held)
    declined = sandbox.made("ord_3", method=INSUFFICIENT)
    sandbox.confirm(declined)
    refund = sandbox.post("/v1/refunds", key="r", payment_intent=paid, amount=1000)
    open_intent = sandbox.made("ord_4")
    sandbox.confirm(open_intent, key="k500", fault="fail_500")
    shipment = sandbox.ship(key="s").json
    intents = {intent: sandbox.retrieve(intent) for intent in (paid, held, declined, open_intent)}
    ledger = sandbox.ledger()
    sandbox.kill()
    sandbox.start()
    assert sandbox.ledger() == ledger
    assert {intent: sandbox.retrieve(intent) for intent in intents} == intents
    again = sandbox.post("/v1/refunds", key="r", payment_intent=paid, amount=1000)
    assert (again.body, again.headers["Idempotent-Replayed"]) == (refund.body, "true")
    assert sandbox.post("/v1/refunds", payment_intent=paid, amount=251).status == 400
    assert sandbox.confirm(open_intent, key="k500").status == 500
    assert sandbox.ship(key="other").json == shipment
    assert sandbox.look_up("ref_1") == [shipment]
    assert sandbox.confirm(open_intent, key="next").status == 200
    assert [fact["seq"] for fact in sandbox.ledger()] == \
        sorted({fact["seq"] for fact in sandbox.ledger()})
    listed = sandbox.call("GET", "/v1/payment_intents").json["data"]
    assert [intent["id"] for intent in listed] == [open_intent, declined, held, paid]


def test_a_torn_last_line_is_forgotten(sandbox):
    intent = sandbox.paid()
    sandbox.kill()
    with open(sandbox.directory / "provider.jsonl", "a") as file:
        file.write('{"seq":99,"kind":"charge","intent":"pi_')
    sandbox.start()
    assert sandbox.retrieve(intent)["status"] == "succeeded"
    sandbox.paid("ord_2")
    sandbox.kill()
    sandbox.start()
    assert sandbox.kinds() == ["intent", "charge"] * 2


def test_the_ledger_of_one_order(sandbox):
    sandbox.paid("ord_1")
    sandbox.paid("ord_2")
    sandbox.ship("ref_1", "ord_1")
    assert sandbox.kinds("ord_1") == ["intent", "charge", "shipment"]
    assert sandbox.kinds("ord_3") == []


def test_without_a_directory_all_is_in_memory(tmp_path):
    sandbox = Sandbox(None, tmp_path / "log").start()
    sandbox.paid()
    sandbox.ship()
    assert sandbox.kinds() == ["intent", "charge", "shipment"]
    assert sandbox.stop() == 0
    assert list(tmp_path.iterdir()) == [tmp_path / "log"]


# --- the process -----------------------------------------------------------------------------


async def confirm_on(port, intent):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST /v1/payment_intents/{intent}/confirm HTTP/1.1\r\nHost: s\r\n"
                 f"Authorization: Bearer sk_x\r\nIdempotency-Key: {intent}\r\n"
                 "Content-Length: 0\r\n\r\n".encode())
    status = await reader.readline()
    writer.close()
    return int(status.split()[1])


async def confirm_all(port, intents):
    return await asyncio.gather(*(confirm_on(port, intent) for intent in intents))


def test_thousands_of_calls_wait_at_once(sandbox):
    """Each on a connection of its own, all held, and all charged and synced in the end."""
    many = 2000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    try:
        intents = [sandbox.made(f"ord_{i}") for i in range(many)]
        sandbox.rule("delay", op="confirm", ms=3000)
        answers = asyncio.run(confirm_all(sandbox.port, intents))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert set(answers) == {200}
    assert sandbox.calls()["open_most"] >= many / 2
    assert sandbox.kinds().count("charge") == many


def test_sigterm_ends_it_also_with_calls_that_hang(sandbox):
    sandbox.rule("hang", op="create")
    sandbox.rule("delay", op="ship", ms=60000)
    links = []
    for path, body in (("/v1/payment_intents", ""), ("/shipments", "{}")):
        link = socket.create_connection(("127.0.0.1", sandbox.port), 5)
        link.sendall(f"POST {path} HTTP/1.1\r\nHost: s\r\nAuthorization: Bearer sk_x\r\n"
                     f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        links.append(link)
    wait_for(lambda: sandbox.calls()["open"] == 2, "both calls are held")
    assert sandbox.stop() == 0
    for link in links:
        link.close()


def run(**env):
    return subprocess.run([BINARY], env=SANITIZERS | env, capture_output=True, text=True,
                          timeout=10)


def test_a_wrong_setting_is_named(sandbox, tmp_path):
    wrong = run(DOCKET_SANDBOX_LISTEN="nowhere")
    assert wrong.returncode != 0 and "nowhere" in wrong.stderr
    busy = run(DOCKET_SANDBOX_LISTEN=f"127.0.0.1:{sandbox.port}")
    assert busy.returncode != 0 and str(sandbox.port) in busy.stderr
    unknown = run(DOCKET_SANDBOX_LISTEN="127.0.0.1:0", DOCKET_SANDBOX_DRI="/tmp")
    assert unknown.returncode != 0 and "DOCKET_SANDBOX_DRI" in unknown.stderr
    taken = run(DOCKET_SANDBOX_LISTEN="127.0.0.1:0", DOCKET_SANDBOX_DIR=str(sandbox.directory))
    assert taken.returncode != 0 and "in use" in taken.stderr


def test_settings_of_other_programs_do_not_disturb(tmp_path):
    sandbox = Sandbox(tmp_path / "ledgers", tmp_path / "log").start(DOCKET_PG="host=/nowhere")
    assert sandbox.call("GET", "/readyz").status == 200
    assert sandbox.stop() == 0
