"""The sandbox from outside: what Stripe and a carrier would answer, every trouble, and the witness.

Needs nothing but build/ops/sandbox/docket-sandbox (DOCKET_BUILD names another build directory).
"""
import http.client
import time

import pytest

from harness.sandbox import INSUFFICIENT, wait_for


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
