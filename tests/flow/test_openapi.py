"""Each example of schema/openapi.yaml, made to happen: the status and the shape of the answer are the example's.

An example of a response is the answer to the request example of its name, unless ARRANGED says how it comes about.
Values of SAID must be as in the example; of all else, the kind.  (That every answer is of its schema is seen by
harness/contract.py.)
"""
import itertools
import json

import pytest

from docket_local import order
from harness import Client, contract, wait_for
from harness.client import new_key
from harness.outcomes import pay_again, wait_payable
from harness.webhooks import deliver

SAID = {"type", "title", "status", "code", "accepted", "stored_by_this_request", "retryable", "final", "abandoned",
        "state", "attempt_state", "task_state", "ready"}


@pytest.fixture(scope="module")
def shop(shop):
    """One order went all its way, one became a dead letter."""
    shop.fulfilled = shop.post_order()
    shop.wait_status(shop.fulfilled.id, "fulfilled")
    shop.fault("confirm", "wrong_amount", times=1)
    shop.given_up = shop.post_order()
    shop.letter = wait_for(lambda: shop.sql(
        "SELECT id FROM dead_letter WHERE order_id = %s", order.to_uuid(shop.given_up.id)), 20,
        "a dead letter")[0][0]
    shop.stranger = Client(shop.port("api"), shop.make_key("operator"))
    shop.nobody = Client(shop.port("api"), "dk_nobody")
    return shop


def requests_of(operation):
    content = contract.follow(operation.description.get("requestBody", {})).get("content", {})
    return next(iter(content.values()), {}).get("examples", {})


def operation_of(name):
    return next(one for one in contract.operations() if one.description["operationId"] == name)


def post(shop, body=None, key=None, **more):
    return shop.post_order(body, key, **more).answer


def abandon(shop, key=None, client=None):
    return (client or shop.api).post("/v1/orders/abandon",
                                     headers={"Idempotency-Key": key or new_key()})


def again(shop, changes=None, key=None, **of_cart):
    """A second POST; with the cart of the first, or with its key."""
    first = shop.post_order(**of_cart)
    return post(shop, first.body | (changes or {}), key or first.key)


def in_flight(shop):
    told, key = shop.post_order(), new_key()
    with shop.services.connect(shop.database) as other:
        other.cursor().execute(
            "INSERT INTO order_key SELECT account_id, %s, NULL, gen_random_uuid(), '\\x01' "
            "FROM order_key WHERE key = %s", (key, told.key))
        answer = post(shop, key=key)
        other.rollback()
    return answer


def abandoned(shop):
    key = new_key()
    abandon(shop, key)
    return post(shop, key=key)


def closed(shop):
    cart = new_key()
    first = shop.post_order(cart_id=cart)
    shop.wait_status(first.id, "fulfilled")
    shop.sql("UPDATE orders SET status = 10 WHERE id = %s", order.to_uuid(first.id))
    return post(shop, first.body | {"metadata": {"n": "2"}}, new_key())


def unknown(shop, path="/v1/orders"):
    headers = {"Request-Timeout-Ms": "500", "Idempotency-Key": new_key()}
    shop.services.postgres_freeze()
    try:
        return shop.api.post(path, shop.order_body(), headers=headers, timeout_s=15)
    finally:
        shop.services.postgres_thaw()


def read(shop, query, client=None):
    return (client or shop.read).get(query)


def waiting(shop, ask):
    """The answer about an order that no worker has taken up yet."""
    shop.freeze("payment")
    try:
        return ask(shop.post_order())
    finally:
        shop.thaw("payment")


def cancel(shop, told=None, client=None, body=None, **headers):
    told = told or shop.fulfilled
    token = {"Client-Token": told.answer.json["client_token"]}
    return (client or shop.api).post(f"/v1/orders/{told.id}/cancel", body, headers=token | headers)


def undo(shop, what, reason="the customer called", told=None, **body):
    public = told.id if told else shop.fulfilled.id
    return shop.operator.post(f"/admin/orders/{public}/{what}", {"reason": reason} | body)


def released(shop):
    """As a worker with DOCKET_DUPLICATE_HOLD leaves it."""
    def release(told):
        shop.sql("UPDATE orders SET status = 8, reason = 'possible_duplicate' WHERE id = %s", order.to_uuid(told.id))
        shop.sql("INSERT INTO duplicate (order_id, of_order) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                 order.to_uuid(told.id), order.to_uuid(shop.fulfilled.id))
        return undo(shop, "release", told=told)
    return waiting(shop, release)


def of_id(shop, query="", client=None):
    return read(shop, f"/v1/orders/{shop.fulfilled.id}{query}", client)


def of_key(shop, client):
    return read(shop, f"/v1/orders?idempotency_key={shop.fulfilled.key}", client)


def revoke(shop, number=None, reason="it was in a log"):
    made = shop.operator.post("/admin/keys", {"name": "short", "scopes": ["checkout"]})
    return shop.operator.post(f"/admin/keys/{number or made.json['id']}/revoke", {"reason": reason})


def replay(shop, number=None, reason="the carrier is back"):
    return shop.operator.post(f"/admin/dead/{number or shop.letter}/replay", {"reason": reason})


def replay_closed(shop):
    shop.sql("UPDATE dead_letter SET state = 'resolved', closed_at = now() WHERE id = %s", shop.letter)
    return replay(shop)


def hold(shop, act, name="stripe", reason="maintenance"):
    if act == "resume":
        shop.operator.post("/admin/holds/stripe/pause", {"reason": "maintenance"})
    return shop.operator.post(f"/admin/holds/{name}/{act}", {"reason": reason})


def incident(shop, is_there=True):
    name = shop.operator.get(f"/admin/dead/{shop.letter}").json["incident"]
    other = name[:-1] + ("0" if name[-1] != "0" else "1")
    return shop.operator.get(f"/admin/incidents/{name if is_there else other}")


def run(shop, path="", **body):
    return shop.operator.post(f"/admin/runs{path}", {"reason": "the carrier is back"} | body)


def act_on_run(what, **more):
    return {"not_found": lambda shop: run(shop, f"/999999/{what}", **more),
            "validation_failed": lambda shop: run(shop, f"/1/{what}", **more, reason="")}


def declined(shop):
    told = shop.post_order(payment={"method": "pm_card_visa_chargeDeclined"})
    wait_payable(shop, told.id)
    return told.id


def paid_again(shop, method="pm_card_mastercard", key=None):
    """A replay: the same key twice."""
    public, key = declined(shop), key or new_key()
    pay_again(shop, public, key=key)
    return pay_again(shop, public, method, key)


def waits_for_customer(shop):
    told = shop.post_order(payment={"method": "pm_card_threeDSecureRequired"})
    shop.wait_status(told.id, "requires_action")
    return told.id


def asked(shop):
    return pay_again(shop, waits_for_customer(shop))


def unknown_payment(shop):
    public = waits_for_customer(shop)
    shop.sql("UPDATE payment_attempt SET state = 6 WHERE order_id = %s", order.to_uuid(public))
    return public


def resolve(shop, public, told_as="captured"):
    return shop.operator.post(f"/admin/orders/{public}/resolve_payment", {
        "as": told_as, "evidence": "settlement of 2026-11-24, line 17", "reason": "their API lost it"})


def exhausted(shop):
    public = declined(shop)
    shop.sql("UPDATE payment_attempt SET number = 5 WHERE order_id = %s", order.to_uuid(public))
    return pay_again(shop, public)


def close_orphan(shop, number=None, reason="refunded at the provider"):
    number = number or shop.one(
        "INSERT INTO orphan (provider, side, intent_id, status, amount, received, currency, created_at) "
        "VALUES ('stripe', 1, gen_random_uuid()::text, 'succeeded', 100, 100, 'EUR', now()) RETURNING id")
    return shop.operator.post(f"/admin/orphans/{number}/close", {"reason": reason})


NO_KEY = {"Idempotency-Key": None}
ARRANGED = {
    "createOrder": {
        "replayed": again,
        "same_cart": lambda shop: again(shop, key=new_key(), cart_id=new_key()),
        "idempotency_key_required": lambda shop: post(shop, headers=NO_KEY),
        "idempotency_key_invalid": lambda shop: post(shop, key='""'),
        "invalid_json": lambda shop: post(shop, ""),
        "unauthorized": lambda shop: post(shop, client=Client(shop.port("api"))),
        "forbidden": lambda shop: post(shop, client=shop.read),
        "idempotency_in_flight": in_flight,
        "key_abandoned": abandoned,
        "cart_already_ordered": lambda shop: again(shop, {"metadata": {"n": "2"}}, new_key(), cart_id=new_key()),
        "cart_closed": closed,
        "body_too_large": lambda shop: post(shop, "x" * 70000),
        "unsupported_media_type": lambda shop: post(shop, headers={"Content-Type": "text/plain"}),
        "idempotency_key_reused": lambda shop: again(shop, {"metadata": {"n": "2"}}),
        "outcome_unknown": unknown,
    },
    "findOrders": {
        "page": lambda shop: read(shop, "/v1/orders?sku=NO-SUCH"),
        "receipt": lambda shop: of_key(shop, shop.api),
        "order": lambda shop: of_key(shop, shop.read),
        "invalid_query": lambda shop: read(shop, "/v1/orders", shop.api),
        "unauthorized": lambda shop: of_key(shop, Client(shop.port("api"))),
        "forbidden": lambda shop: of_key(shop, shop.stranger),
        "order_not_found": lambda shop: read(shop, f"/v1/orders?idempotency_key={new_key()}"),
    },
    "abandonKey": {
        "abandoned": abandon,
        "not_abandoned": lambda shop: abandon(shop, shop.fulfilled.key),
        "unauthorized": lambda shop: abandon(shop, client=shop.nobody),
        "forbidden": lambda shop: abandon(shop, client=shop.read),
        "outcome_unknown": lambda shop: unknown(shop, "/v1/orders/abandon"),
    },
    "payAgain": {
        "opened": lambda shop: pay_again(shop, declined(shop), "pm_card_mastercard"),
        "replayed": lambda shop: paid_again(shop, "pm_card_visa"),
        "unauthorized": lambda shop: pay_again(shop, shop.fulfilled.id, client=Client(shop.port("api"))),
        "forbidden": lambda shop: pay_again(shop, shop.fulfilled.id, client=shop.read),
        "order_not_found": lambda shop: pay_again(shop, NO_ORDER),
        "payment_in_progress": asked,
        "payment_not_possible": lambda shop: pay_again(shop, shop.fulfilled.id),
        "payment_attempts_exhausted": exhausted,
        "validation_failed": lambda shop: pay_again(shop, shop.fulfilled.id, "4"),
        "idempotency_key_reused": lambda shop: paid_again(shop, "pm_card_amex"),
    },
    "getOrder": {
        "fulfilled": of_id,
        "payment_failed": lambda shop: read(shop, f"/v1/orders/{declined(shop)}"),
        "requires_action": lambda shop: read(shop, f"/v1/orders/{waits_for_customer(shop)}"),
        "invalid_query": lambda shop: of_id(shop, "?wait=99"),
        "unauthorized": lambda shop: of_id(shop, client=shop.nobody),
        "forbidden": lambda shop: of_id(shop, client=shop.stranger),
        "order_not_found": lambda shop: of_id(shop, client=shop.api),
    },
    "followOrder": {
        "invalid_query": lambda shop: of_id(shop, "/events?last_event_id=x"),
        "unauthorized": lambda shop: of_id(shop, "/events", shop.nobody),
        "forbidden": lambda shop: of_id(shop, "/events", shop.stranger),
        "order_not_found": lambda shop: of_id(shop, "/events", shop.api),
    },
    "cancelOrder": {
        "canceling": lambda shop: waiting(shop, lambda told: cancel(shop, told)),
        "unauthorized": lambda shop: cancel(shop, client=shop.nobody),
        "forbidden": lambda shop: cancel(shop, client=shop.read),
        "order_not_found": lambda shop: cancel(shop, **{"Client-Token": "x"}),
        "order_shipped": cancel,
        "validation_failed": lambda shop: cancel(shop, body={"reason": ""}),
    },
    "cancelOrderAsOperator": {
        "canceling": lambda shop: waiting(shop, lambda told: undo(shop, "cancel", told=told)),
        "order_shipped": lambda shop: undo(shop, "cancel"),
        "validation_failed": lambda shop: undo(shop, "cancel", reason=""),
    },
    "releaseOrder": {
        "released": released,
        "order_not_held": lambda shop: undo(shop, "release"),
        "validation_failed": lambda shop: undo(shop, "release", reason=""),
    },
    "refundOrder": {
        "opened": lambda shop: undo(shop, "refund", amount=490),
        "order_not_refundable": lambda shop: undo(shop, "refund", amount=999999999),
        "validation_failed": lambda shop: undo(shop, "refund", amount=0),
    },
    "resolvePayment": {
        "resolved": lambda shop: resolve(shop, unknown_payment(shop)),
        "payment_not_resolvable": lambda shop: resolve(shop, shop.fulfilled.id),
        "validation_failed": lambda shop: resolve(shop, shop.fulfilled.id, "paid"),
    },
    "receiveStripeEvent": {
        "kept": lambda shop: deliver(shop, requests_of(operation_of("receiveStripeEvent"))["kept"]["value"]),
        "webhook_signature_invalid": lambda shop: deliver(shop, b"{}", signature=None),
    },
    "closeOrphan": {"closed": close_orphan, "not_found": lambda shop: close_orphan(shop, 999999),
                    "validation_failed": lambda shop: close_orphan(shop, reason="")},
    "createReplayRun": {
        "invalid_query": lambda shop: run(shop, filter="state:odd"),
        "validation_failed": lambda shop: run(shop, ids=[1], reason=""),
    },
    "pauseReplayRun": act_on_run("pause"),
    "resumeReplayRun": act_on_run("resume"),
    "cancelReplayRun": act_on_run("cancel"),
    "rateReplayRun": act_on_run("rate", rate=5),
    "getLivez": {"alive": lambda shop: shop.operator.get("/livez")},
    "getReadyz": {"ready": lambda shop: shop.operator.get("/readyz")},
    "listKeys": {"keys": lambda shop: shop.operator.get("/admin/keys")},
    "revokeKey": {"revoked": revoke, "not_found": lambda shop: revoke(shop, 999999)},
    "pause": {"paused": lambda shop: hold(shop, "pause"), "not_found": lambda shop: hold(shop, "pause", "odd"),
              "validation_failed": lambda shop: hold(shop, "pause", reason="")},
    "resume": {"resumed": lambda shop: hold(shop, "resume"), "not_found": lambda shop: hold(shop, "resume", "odd"),
               "validation_failed": lambda shop: hold(shop, "resume", reason="")},
    "listCatalogue": {"page": lambda shop: shop.operator.get("/admin/catalogue")},
    "searchOrders": {
        "found": lambda shop: shop.operator.get(f"/admin/orders?key={shop.fulfilled.key}"),
        "invalid_query": lambda shop: shop.operator.get("/admin/orders?limit=0"),
    },
    "listReplayRuns": {"runs": lambda shop: shop.operator.get("/admin/runs")},
    "getReplayRun": {"not_found": lambda shop: shop.operator.get("/admin/runs/999999")},
    "planReplay": {
        "planned": lambda shop: shop.operator.get("/admin/dead/plan"),
        "invalid_query": lambda shop: shop.operator.get("/admin/dead/plan?limit=0"),
    },
    "listAccounts": {"accounts": lambda shop: shop.operator.get("/admin/accounts")},
    "putQuota": {"not_found": lambda shop: shop.operator.request("PUT", "/admin/accounts/nobody/quota",
                                                                 {"reads": None, "reason": "x"})},
    "listActs": {
        "acts": lambda shop: shop.operator.get("/admin/audit?act=catalogue%20load"),
        "invalid_query": lambda shop: shop.operator.get("/admin/audit?limit=0"),
    },
    "getAuditChain": {
        "chain": lambda shop: shop.operator.get("/admin/audit/chain"),
        "invalid_query": lambda shop: shop.operator.get("/admin/audit/chain?limit=0"),
    },
    "showOrder": {
        "fulfilled": lambda shop: shop.operator.get(f"/admin/orders/{shop.fulfilled.id}"),
        "order_not_found": lambda shop: shop.operator.get(f"/admin/orders/{NO_ORDER}"),
    },
    "listDeadLetters": {
        "open": lambda shop: shop.operator.get("/admin/dead"),
        "invalid_query": lambda shop: shop.operator.get("/admin/dead?filter=state:odd"),
    },
    "countDeadLetters": {
        "counted": lambda shop: shop.operator.get("/admin/dead/count"),
        "invalid_query": lambda shop: shop.operator.get("/admin/dead/count?limit=0"),
    },
    "listIncidents": {
        "open": lambda shop: shop.operator.get("/admin/incidents"),
        "invalid_query": lambda shop: shop.operator.get("/admin/incidents?sort=odd"),
    },
    "showIncident": {
        "open": incident,
        "invalid_query": lambda shop: shop.operator.get("/admin/incidents/%22"),
        "not_found": lambda shop: incident(shop, is_there=False),
    },
    "showDeadLetter": {
        "open": lambda shop: shop.operator.get(f"/admin/dead/{shop.letter}"),
        "not_found": lambda shop: shop.operator.get("/admin/dead/999999"),
    },
    "replayDeadLetter": {
        "not_found": lambda shop: replay(shop, 999999),
        "validation_failed": lambda shop: replay(shop, reason=""),
        "replaying": replay,
        "not_replayable": replay_closed,
    },
}


NO_ORDER = "ord_" + "0" * 26


def path_of(template):
    """With names that are well formed, and nobody's."""
    return template.replace("{id}", NO_ORDER if "/orders/" in template else "1").replace("{name}", "default")


def send_example(shop, operation, name, client=None):
    """The request example of that name, or without a body."""
    body = requests_of(operation).get(name, {}).get("value")
    if operation.template.startswith("/v1/"):
        client = client or shop.api
    headers = {"Idempotency-Key": new_key()} if operation.method == "POST" else {}
    return (client or shop.operator).request(operation.method, path_of(operation.template), body, headers=headers)


def answer_for(shop, operation, name):
    how = ARRANGED.get(operation.description["operationId"], {}).get(name)
    if how:
        return how(shop)
    assert name in requests_of(operation) or name in ("unauthorized", "forbidden"), \
        f"nothing says how {operation} comes to {name}"
    of_operators = operation.template.startswith("/admin/")
    port = shop.port("operator" if of_operators else "api")
    lacking = shop.checkout if of_operators else shop.reader
    client = {"unauthorized": Client(port), "forbidden": Client(port, lacking)}.get(name)
    return send_example(shop, operation, name, client)


def examples():
    """In the order of the document: of what an operator does to a dead letter, what leaves it as it is first."""
    found = []
    for operation in contract.operations():
        for status, response in operation.responses.items():
            for content in response.get("content", {}).values():
                found += [(operation, status, name, example["value"])
                          for name, example in content.get("examples", {}).items()]
    last = ["replaying", "not_replayable"]
    found.sort(key=lambda one: last.index(one[2]) if one[2] in last else -1)
    return [pytest.param(*one, id=f"{one[0]} {one[1]} {one[2]}") for one in found]


def shape(value, name=None):
    """What of a value an example promises."""
    if isinstance(value, dict):
        return {key: shape(own, "" if name == "errors" else key) for key, own in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0], name)] if value else []
    if name in SAID:
        return value
    return type(value).__name__


def differences(wanted, got, at=""):
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key in sorted({*wanted, *got}):
            if key not in wanted or key not in got:
                yield f"{at}/{key}: only in the {'answer' if key in got else 'example'}"
            else:
                yield from differences(wanted[key], got[key], f"{at}/{key}")
    elif isinstance(wanted, list) and isinstance(got, list):
        for one, other in itertools.islice(zip(wanted, got), 1):
            yield from differences(one, other, f"{at}/0")
    elif wanted != got:
        yield f"{at}: {got!r}, the example has {wanted!r}"


@pytest.mark.parametrize("operation, status, name, value", examples())
def test_each_example_happens(shop, operation, status, name, value):
    answer = answer_for(shop, operation, name)
    assert str(answer.status) == status, answer
    got = answer.json if answer.headers["content-type"].endswith("json") else answer.body.decode()
    found = list(differences(shape(value), shape(got)))
    assert not found, "\n".join(found) + f"\n{json.dumps(got)[:2000]}"


def test_each_arrangement_is_of_an_example():
    found = {(operation.description["operationId"], name)
             for operation in contract.operations() for response in operation.responses.values()
             for content in response.get("content", {}).values() for name in content.get("examples", {})}
    arranged = {(operation, name) for operation, names in ARRANGED.items() for name in names}
    assert not arranged - found


@pytest.mark.parametrize("path, media_type", [("/openapi.json", "application/json"),
                                              ("/docs/errors.md", "text/markdown; charset=utf-8")])
def test_the_reference_is_served_and_cached(shop, path, media_type):
    for client in (Client(shop.port("api")), Client(shop.port("operator"))):
        answer = client.get(path)
        assert (answer.status, answer.headers["content-type"]) == (200, media_type)
        known = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (known.status, known.body) == (304, b"") and known.headers["etag"] == answer.headers["etag"]
    if path == "/openapi.json":
        assert answer.json == contract.load()


def test_the_type_of_a_problem_leads_to_its_paragraph(shop):
    problem = Client(shop.port("api")).get("/v1/orders/ord_0").json
    path, _, code = problem["type"].partition("#")
    assert f"\n## {code}\n" in Client(shop.port("api")).get(path).body.decode()
