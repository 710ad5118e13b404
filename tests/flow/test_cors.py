"""Pages in browsers: who may call the public listener, what a preflight hears, and what nobody else does."""
import pytest

from harness import Client, wait_for
from harness.client import Raw, new_key
from harness.stream import Stream

OURS, THEIRS = "https://shop.example", "https://evil.example"


@pytest.fixture(scope="module")
def shop(docket):
    docket.start("api", env={"DOCKET_CORS_ORIGINS": f"{OURS}, http://localhost:3000"})
    docket.stock_up()
    docket.make_keys()
    return docket


def ask(port, path, origin, method="POST"):
    headers = {"Origin": origin, "Access-Control-Request-Method": method}
    return Client(port).request("OPTIONS", path, headers=headers)


def said(answer):
    return {name for name in answer.headers if name.startswith("access-control-")}


def is_for(answer, origin):
    return answer.headers.get("access-control-allow-origin") == origin and \
        answer.headers["vary"] == "Origin" and "retry-after" in \
        answer.headers["access-control-expose-headers"].lower()


@pytest.mark.parametrize("path, methods", [
    ("/v1/orders", "POST, GET, HEAD, OPTIONS"),
    ("/v1/orders/ord_x", "GET, HEAD, OPTIONS"),
    ("/v1/quotes", "POST, OPTIONS"),
])
def test_a_preflight_needs_no_key(shop, path, methods):
    answer = ask(shop.port("api"), path, OURS)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == OURS
    assert answer.headers["access-control-allow-methods"] == answer.headers["allow"] == methods
    assert answer.headers["access-control-max-age"] == "7200" and answer.headers["vary"] == "Origin"
    allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "content-type", "idempotency-key", "last-event-id", "if-none-match",
            "request-timeout-ms", "traceparent", "x-api-key", "client-token"} == set(allowed)
    assert "access-control-allow-credentials" not in answer.headers


def test_other_origins_hear_nothing(shop):
    for origin in (THEIRS, "null", OURS + ".evil", "http://shop.example"):
        answer = ask(shop.port("api"), "/v1/orders", origin)
        assert answer.status == 204 and not said(answer)
        answer = shop.read.get("/v1/orders/ord_x", headers={"Origin": origin})
        assert not said(answer) and answer.headers["vary"] == "Origin"


def test_options_without_an_origin_say_what_is_allowed(shop):
    client = Client(shop.port("api"))
    answer = client.request("OPTIONS", "/v1/orders")
    assert answer.status == 204 and answer.headers["allow"] == "POST, GET, HEAD, OPTIONS"
    assert not said(answer)
    assert client.request("OPTIONS", "*").status == 204
    assert client.request("OPTIONS", "/nothing").status == 404


def test_answers_can_be_read_by_the_page(shop):
    from_page = {"Origin": OURS, "Idempotency-Key": new_key()}
    told = shop.api.post("/v1/orders", shop.order_body(), headers=from_page)
    assert told.status == 202 and is_for(told, OURS)
    assert is_for(shop.read.get(f"/v1/orders/{told.id}", headers={"Origin": OURS}), OURS)


def test_so_can_refusals(shop):
    client = Client(shop.port("api"))
    for status, method, path in ((404, "GET", "/nothing"), (405, "DELETE", "/v1/quotes"),
                                 (401, "GET", "/v1/orders/ord_x"), (404, "OPTIONS", "/nothing")):
        answer = client.request(method, path, headers={"Origin": OURS})
        assert answer.status == status and is_for(answer, OURS), answer


@pytest.mark.parametrize("status, head", [
    (413, "Content-Length: 99999999\r\n"),
    (431, f"X: {'x' * 20000}\r\n"),
    (431, "X: y\r\n" * 200),
    (400, "A : b\r\n"),
], ids=["413", "431 long", "431 many", "400"])
def test_so_can_what_the_server_refuses_unread(shop, status, head):
    for origin in (OURS, THEIRS):
        raw = Raw(shop.port("api"))
        answer = raw.send(f"POST /v1/orders HTTP/1.1\r\nHost: a\r\nOrigin: {origin}\r\n{head}\r\n").answer()
        raw.close()
        assert answer.status == status
        assert is_for(answer, OURS) if origin == OURS else not said(answer)


def test_so_can_one_that_finds_every_connection_busy(shop):
    """Told when its head is there, and what is known of its key; the silent are told without one."""
    shop.start("api", label="api4", env={"DOCKET_CORS_ORIGINS": OURS, "DOCKET_CONNECTIONS_MAX": 16})
    port, told = shop.processes["api4"].world.ports["api"], shop.post_order()
    busy = [Stream(port, f"/v1/orders/{told.id}/events?client_token={told.json['client_token']}")
            for _ in range(16)]
    late, silent = Raw(port), Raw(port)
    late.send(f"POST /v1/orders HTTP/1.1\r\nHost: a\r\nOrigin: {OURS}\r\nIdempotency-Key: x\r\n")
    answer = late.send("Content-Length: 2\r\n\r\n").answer()
    assert answer.status == 503 and is_for(answer, OURS) and answer.json["code"] == "too_many_connections"
    assert answer.accepted == "unknown" and answer.json["stored_by_this_request"] is False
    assert late.send("{}").is_closed()
    assert silent.answer().status == 503 and silent.is_closed()
    for stream in busy:
        stream.close()
    wait_for(lambda: Client(port).get("/nothing").status == 404, 10, "there is room again")
    shop.kill("api4")


def test_the_operators_listener_says_nothing(shop):
    answer = ask(shop.port("operator"), "/admin/keys", OURS)
    assert answer.status == 204 and not said(answer) and "vary" not in answer.headers


def test_a_star_is_for_all_and_needs_no_postgres(shop):
    shop.start("api", label="api2", wait=False, env={
        "DOCKET_CORS_ORIGINS": "*", "DOCKET_PG": "host=127.0.0.1 port=1 dbname=none user=none"})
    port = shop.processes["api2"].world.ports["api"]
    wait_for(lambda: ask(port, "/v1/orders", THEIRS).status == 204, 10, "a preflight is answered")
    answer = ask(port, "/v1/orders", THEIRS)
    assert answer.headers["access-control-allow-origin"] == "*"
    shop.kill("api2")


@pytest.mark.parametrize("origins", ["https://shop.example/", "shop.example", "https://a.example,*"])
def test_a_wrong_origin_is_refused_by_name(shop, origins):
    shop.start("api", env={"DOCKET_CORS_ORIGINS": origins}, label="api3", wait=False)
    assert shop.wait_ended("api3") == 2
    shop.expect_exit("api3")
    assert "DOCKET_CORS_ORIGINS" in shop.log("api3")
