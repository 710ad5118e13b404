"""POST /v1/orders and /v1/orders/abandon: each row of DESIGN.md §7, and what may go wrong around it."""
import concurrent.futures
import json
import time

import pytest

from harness import Raw, wait_for
from harness.client import new_key, request_bytes


@pytest.fixture(scope="module")
def shop(docket):
    docket.start("api")
    docket.stock_up()
    docket.make_keys()
    return docket


def orders_of(shop, key):
    return shop.one("SELECT count(*) FROM order_key WHERE key = %s AND order_id IS NOT NULL", key)


def expect(told, status, code=None, accepted=None):
    assert (told.status, told.code) == (status, code), told
    if accepted:
        assert told.json["accepted"] == accepted, told
    if code:
        assert told.headers["content-type"] == "application/problem+json"
        assert told.json["request_id"] == told.headers["request-id"]
        assert told.json["status"] == status
        assert isinstance(told.json["retryable"], bool)


# The table

def test_an_order_is_accepted(shop):
    told = shop.post_order()
    expect(told, 202, accepted="yes")
    body = told.json
    assert told.headers["location"] == f"/v1/orders/{body['id']}"
    assert told.headers["retry-after"] == "1"
    assert (body["status"], body["final"], body["version"]) == ("accepted", False, 1)
    assert body["links"]["self"] == told.headers["location"]
    assert body["client_token"] and body["poll_after_ms"] > 0


def test_an_accepted_order_is_stored_whole(shop):
    told = shop.post_order(cart_id=new_key(), metadata={"gift": "yes"})
    order = shop.one("SELECT o.total, o.currency, o.status, o.version, count(l.*), min(c.email) "
                     "FROM order_key k JOIN orders o ON o.id = k.order_id "
                     "JOIN order_line l ON l.order_id = o.id "
                     "JOIN order_contact c ON c.order_id = o.id "
                     "WHERE k.key = %s GROUP BY 1, 2, 3, 4", told.key)
    assert order == (7020, "EUR", 1, 1, 2, "ada@example.com")
    assert shop.events(told.id) == [(1, "accepted", "accepted", "api")]
    assert shop.one("SELECT count(*) FROM order_key k JOIN task t USING (order_id) JOIN outbox x "
                    "ON k.order_id = ANY (x.order_ids) WHERE k.key = %s AND t.state = 1 "
                    "AND t.stage = 1 AND x.topic = 1", told.key) == 1


def test_same_key_same_body_is_replayed_byte_for_byte(shop):
    first = shop.post_order()
    again = shop.post_order(first.body, first.key)
    assert again.answer.body == first.answer.body
    assert again.headers["idempotent-replayed"] == "true" and again.status == 202
    assert "idempotent-replayed" not in first.headers
    assert orders_of(shop, first.key) == 1


def test_the_replay_is_the_same_whatever_has_happened_since(shop):
    first = shop.post_order()
    shop.sql("UPDATE orders SET status = 4, version = 7, final = true WHERE id = "
             "(SELECT order_id FROM order_key WHERE key = %s)", first.key)
    assert shop.post_order(first.body, first.key).answer.body == first.answer.body


def test_a_body_with_its_members_in_another_order_is_the_same(shop):
    first = shop.post_order()
    turned = json.dumps(dict(reversed(list(first.body.items()))), indent=3)
    assert shop.post_order(turned, first.key).answer.body == first.answer.body


def test_a_quoted_key_is_the_same_key(shop):
    first = shop.post_order()
    assert shop.post_order(first.body, f'"{first.key}"').answer.body == first.answer.body


def test_same_key_other_body_is_refused(shop):
    first = shop.post_order()
    expect(shop.post_order(first.body | {"metadata": {"a": "b"}}, first.key), 422,
           "idempotency_key_reused", "yes")
    assert orders_of(shop, first.key) == 1


@pytest.mark.parametrize("body", ["{", "[]", {"lines": 1}, "x" * 70000],
                         ids=["no json", "a list", "wrong", "too large"])
def test_a_found_key_says_yes_whatever_the_body_is(shop, body):
    first = shop.post_order()
    assert shop.post_order(body, first.key).json["accepted"] == "yes"


def test_a_key_that_is_being_committed_waits_then_says_in_flight(shop):
    told = shop.post_order()
    with shop.services.connect(shop.database) as other:
        with other.cursor() as cursor:
            key = new_key()
            cursor.execute("INSERT INTO order_key SELECT account_id, %s, NULL, gen_random_uuid(), "
                           "'\\x01' FROM order_key WHERE key = %s", (key, told.key))
            begun = time.monotonic()
            answer = shop.post_order(key=key)
            expect(answer, 409, "idempotency_in_flight", "unknown")
            assert "retry-after" in answer.headers and time.monotonic() - begun < 3.5
        other.rollback()
    wait_for(lambda: shop.post_order(key=key).accepted == "yes", 10, "the key is free again")


def test_no_key_and_bad_keys_are_refused(shop):
    expect(shop.api.post("/v1/orders", shop.order_body()), 400, "idempotency_key_required", "no")
    for key in ('"open', "x" * 256, '""', "tab\tinside", "späce"):
        answer = shop.api.post("/v1/orders", shop.order_body(),
                               headers={"Idempotency-Key": key.encode("latin-1")})
        assert answer.status == 400 and answer.json["accepted"] in ("no", "unknown"), (key, answer)


def test_the_longest_key_is_taken(shop):
    expect(shop.post_order(key="k" * 245 + new_key()[-10:]), 202)


def test_a_cart_is_ordered_once(shop):
    body = shop.order_body(cart_id=new_key())
    first = shop.post_order(body)
    again = shop.post_order(body, new_key())
    assert (again.status, again.answer.body) == (200, first.answer.body)
    assert again.headers["location"] == first.headers["location"]
    other = body | {"customer": {"email": "eve@example.com", "name": "Eve"}}
    expect(shop.post_order(other, new_key()), 409, "cart_already_ordered", "no")


def test_a_cart_whose_order_was_canceled_is_closed(shop):
    body = shop.order_body(cart_id=new_key())
    first = shop.post_order(body)
    shop.sql("UPDATE orders SET status = 10 WHERE id = "
             "(SELECT order_id FROM order_key WHERE key = %s)", first.key)
    expect(shop.post_order(body | {"metadata": {"n": "2"}}, new_key()), 409, "cart_closed", "no")


def test_another_total_is_told_with_the_priced_lines(shop):
    body = shop.order_body(expected_total={"amount": 7021, "currency": "EUR"})
    told = shop.post_order(body)
    expect(told, 409, "total_changed", "no")
    assert told.json["total"] == {"amount": 7020, "currency": "EUR"}
    assert [line["price"]["amount"] for line in told.json["lines"]] == [1290, 3950]
    assert orders_of(shop, told.key) == 0


def test_a_refused_key_may_be_used_again(shop):
    told = shop.post_order(shop.order_body(expected_total={"amount": 1, "currency": "EUR"}))
    expect(shop.post_order(key=told.key), 202, accepted="yes")


def test_a_price_that_changed_does_not_change_what_was_accepted(shop):
    first = shop.post_order()
    shop.stock_up({"products": [{"sku": "TEA-EARL-250", "name": "Earl Grey, 250 g", "stock": 1000,
                                 "price": {"amount": 1500, "currency": "EUR"}}]})
    try:
        expect(shop.post_order(), 409, "total_changed", "no")
        assert shop.post_order(first.body, first.key).answer.body == first.answer.body
    finally:
        shop.stock_up()


BAD = [
    ({"customer": None}, "/customer"),
    ({"customer": {"email": "x", "name": "N"}}, "/customer/email"),
    ({"customer": {"email": "a@b", "name": ""}}, "/customer/name"),
    ({"lines": []}, "/lines"),
    ({"lines": [{"sku": "TEA-EARL-250", "quantity": 0}]}, "/lines/0/quantity"),
    ({"lines": [{"sku": "TEA-EARL-250", "quantity": 10000}]}, "/lines/0/quantity"),
    ({"lines": [{"sku": "TEA-EARL-250", "quantity": 1.5}]}, "/lines/0/quantity"),
    ({"lines": [{"sku": "TEA-EARL-250", "quantity": "1"}]}, "/lines/0/quantity"),
    ({"lines": [{"sku": "NO-SUCH", "quantity": 1}]}, "/lines/0/sku"),
    ({"lines": [{"sku": "LAST-ONE", "quantity": 1}] * 2}, "/lines/1/sku"),
    ({"lines": [{"sku": "LAST-ONE", "quantity": 1, "price": 1}]}, "/lines/0/price"),
    ({"shipping": {"method": "pigeon", "address": {
        "line1": "1", "city": "C", "country": "DE"}}}, "/shipping/method"),
    ({"shipping": {"method": "standard", "address": {
        "line1": "1", "city": "C", "country": "de"}}}, "/shipping/address/country"),
    ({"expected_total": {"amount": -1, "currency": "EUR"}}, "/expected_total/amount"),
    ({"expected_total": {"amount": 7020, "currency": "USD"}}, "/expected_total/currency"),
    ({"payment": {"method": "visa"}}, "/payment/method"),
    ({"metadata": {"n": 1}}, "/metadata/n"),
    ({"status": "fulfilled"}, "/status"),
    ({"cart_id": "two words"}, "/cart_id"),
]


@pytest.mark.parametrize("change, pointer", BAD, ids=[pointer for _, pointer in BAD])
def test_what_is_wrong_is_pointed_at(shop, change, pointer):
    told = shop.post_order(shop.order_body(**change))
    expect(told, 422, "validation_failed", "no")
    assert [error["pointer"] for error in told.json["errors"]] == [pointer]
    assert orders_of(shop, told.key) == 0


def test_everything_that_is_wrong_is_told_at_once(shop):
    told = shop.post_order({"lines": [{"sku": "", "quantity": -1}], "more": 1})
    pointers = {error["pointer"] for error in told.json["errors"]}
    assert pointers >= {"/customer", "/shipping", "/payment", "/expected_total", "/more",
                        "/lines/0/sku", "/lines/0/quantity"}


@pytest.mark.parametrize("body", [
    "", "{", "nonsense", '{"a":1}x', '{"customer":{},"customer":{}}', '{"a":"\\u0000"}',
    b'{"a":"\xff"}', '{"a":1e400}', "[" * 40 + "]" * 40, "[" * 5000 + "]" * 5000])
def test_bad_json_is_refused(shop, body):
    expect(shop.post_order(body), 400, "invalid_json", "no")


def test_a_body_that_is_no_object_is_refused(shop):
    expect(shop.post_order("[]"), 422, "validation_failed", "no")


def test_another_media_type_is_refused(shop):
    expect(shop.post_order(headers={"Content-Type": "text/plain"}), 415, "unsupported_media_type",
           "no")


def test_a_body_that_is_too_large_is_refused(shop):
    expect(shop.post_order("x" * 70000), 413, "body_too_large", "no")


@pytest.mark.parametrize("change, pointer", [
    ({"customer": {"email": "a@example.com", "name": "4242 4242 4242 4242"}}, "/customer/name"),
    ({"metadata": {"note": "my card is 5555-5555-5555-4444."}}, "/metadata/note"),
    ({"metadata": {"cvc": "123"}}, "/metadata/cvc"),
    ({"payment": {"method": "pm_x", "card_number": "1"}}, "/payment/card_number"),
    ({"payment": 378282246310005}, "/payment"),
])
def test_card_data_is_refused_and_never_logged(shop, change, pointer):
    told = shop.post_order(shop.order_body(**change))
    expect(told, 422, "card_data_not_allowed", "no")
    assert [error["pointer"] for error in told.json["errors"]] == [pointer]
    for number in ("4242 4242", "5555-5555", "378282246310005"):
        assert number not in told.answer.body.decode() and number not in shop.log("api")


@pytest.mark.parametrize("cart", ["8e03978e-4005-4123-9123-123456789012", "1700000000000"])
def test_ids_are_not_taken_for_cards(shop, cart):
    expect(shop.post_order(cart_id=cart), 202)


# Who asks

def test_without_a_valid_key_nothing_is_said(shop):
    for key in (None, "dk_nobody", "nonsense"):
        headers = {"Authorization": f"Bearer {key}"} if key else {"Authorization": None}
        answer = shop.post_order(headers=headers)
        assert (answer.status, answer.code) == (401, "unauthorized"), answer
        assert answer.json["accepted"] == "unknown"


def test_a_key_without_the_scope_creates_nothing(shop):
    expect(shop.post_order(client=shop.read), 403, "forbidden", "unknown")


def test_keys_of_two_accounts_do_not_meet(shop):
    printed = shop.docket("key", "create", "--scope", "checkout", "--name", "x", "--account", "two")
    other = {"Authorization": f"Bearer {printed.split()[0]}"}
    first = shop.post_order()
    second = shop.post_order(first.body, first.key, headers=other)
    assert second.status == 202 and second.id != first.id


# Abandoning

def test_an_abandoned_key_carries_no_order_any_more(shop):
    key = new_key()
    answer = shop.api.post("/v1/orders/abandon", headers={"Idempotency-Key": key})
    assert (answer.status, answer.json) == (200, {"accepted": "no", "abandoned": True})
    assert shop.api.post("/v1/orders/abandon", headers={"Idempotency-Key": key}).json == answer.json
    expect(shop.post_order(key=key), 409, "key_abandoned", "no")
    assert orders_of(shop, key) == 0


def test_abandoning_a_key_with_an_order_names_the_order(shop):
    told = shop.post_order()
    answer = shop.api.post("/v1/orders/abandon", headers={"Idempotency-Key": told.key})
    assert (answer.status, answer.accepted, answer.id) == (200, "yes", told.id)
    assert "client_token" not in answer.json
    assert shop.post_order(told.body, told.key).answer.body == told.answer.body


# At once

def at_once(count, call):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(call, n) for n in range(count)]]


def test_the_same_key_at_once_makes_one_order(shop):
    key, body = new_key(), shop.order_body()
    answers = at_once(16, lambda n: shop.post_order(body, key))
    assert {answer.status for answer in answers} <= {202, 409}
    assert len({answer.answer.body for answer in answers if answer.status == 202}) == 1
    assert orders_of(shop, key) == 1


def test_the_same_key_on_two_processes_makes_one_order(shop):
    from harness import Client
    shop.start("api", label="api2")
    try:
        second = Client(shop.processes["api2"].world.ports["api"], shop.checkout)
        for _ in range(5):
            key, body = new_key(), shop.order_body(cart_id=new_key())
            answers = at_once(8, lambda n: shop.post_order(
                body, key, client=second if n % 2 else shop.api))
            assert len({answer.answer.body for answer in answers if answer.status == 202}) == 1
            assert orders_of(shop, key) == 1
    finally:
        shop.stop("api2")


def test_one_cart_under_many_keys_makes_one_order(shop):
    body = shop.order_body(cart_id=new_key())
    answers = at_once(12, lambda n: shop.post_order(body, new_key()))
    assert sorted({answer.status for answer in answers}) == [200, 202]
    assert len({answer.answer.body for answer in answers}) == 1
    assert shop.one("SELECT count(*) FROM order_key WHERE cart = %s", body["cart_id"]) == 1


def test_a_tombstone_and_a_late_order_never_both_win(shop):
    for _ in range(10):
        key = new_key()
        order, tombstone = at_once(2, lambda n: shop.post_order(key=key) if n == 0 else
                                   shop.api.post("/v1/orders/abandon",
                                                 headers={"Idempotency-Key": key}))
        won = order.status == 202
        assert won == (tombstone.json["accepted"] == "yes"), (order, tombstone)
        assert orders_of(shop, key) == (1 if won else 0)


def test_two_keys_may_not_lock_each_other_out(shop):
    """Crosswise keys and carts in two processes' batches: deadlocks are undone, and all get through."""
    carts = [new_key() for _ in range(8)]
    answers = at_once(16, lambda n: shop.post_order(shop.order_body(cart_id=carts[n % 8])))
    assert {answer.accepted for answer in answers} == {"yes"}


# Leaving, stopping half-way

def test_a_body_that_stops_half_way_stores_nothing(shop):
    key = new_key()
    raw = Raw(shop.port("api"))
    raw.send(request_bytes(shop.checkout, key, shop.order_body(), length=9999))
    raw.reset()
    answer = shop.post_order("{", key)
    expect(answer, 400, "invalid_json", "no")


def test_a_client_that_leaves_during_the_commit_finds_its_order(shop):
    key, body = new_key(), shop.order_body()
    raw = Raw(shop.port("api"))
    raw.send(request_bytes(shop.checkout, key, body))
    raw.reset()
    answer = shop.post_until_told(body, key)
    expect(answer, 202, accepted="yes")
    assert orders_of(shop, key) == 1


def test_pipelined_orders_are_answered_in_order(shop):
    keys = [new_key() for _ in range(5)]
    raw = Raw(shop.port("api"))
    raw.send(b"".join(request_bytes(shop.checkout, key, shop.order_body()) for key in keys))
    answers = [raw.answer() for _ in keys]
    assert [answer.status for answer in answers] == [202] * 5
    for key, answer in zip(keys, answers):
        assert shop.post_order(key=key).id == answer.id


def test_a_trace_is_carried_into_the_message(shop):
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    told = shop.post_order(headers={"traceparent": trace})
    assert shop.one("SELECT traces[array_position(order_ids, k.order_id)] FROM outbox x, "
                    "order_key k WHERE k.key = %s AND k.order_id = ANY (x.order_ids)",
                    told.key) == trace
