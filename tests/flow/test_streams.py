"""GET /v1/orders/{id}/events: what a browser's EventSource sees of an order, whatever happens."""
import socket
import time

import pytest

from harness import Client, wait_for
from harness.stream import Stream


@pytest.fixture(scope="module")
def shop(docket):
    docket.start("api", env={"DOCKET_STREAMS_MAX": 40, "DOCKET_STREAMS_ACCOUNT_MAX": 36})
    docket.stock_up()
    docket.make_keys()
    return docket


@pytest.fixture
def told(shop):
    wait_for(lambda: metric(shop, "docket_streams") == 0, 20, "no stream of another test")
    return shop.post_order()


def metric(shop, name):
    text = shop.operator.get("/metrics").body.decode()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith(name + " ")))


def path_of(told):
    return f"/v1/orders/{told.id}/events"


def token_of(told):
    return told.json["client_token"]


def follow(shop, told, known=None, **options):
    """As EventSource does: no key, the token in the query, the last id as it reconnects."""
    headers = {} if known is None else {"Last-Event-ID": known}
    return Stream(shop.port("api"), f"{path_of(told)}?client_token={token_of(told)}", headers,
                  **options)


def move(shop, told, status=2, final=False, hint=True, reason=""):
    """What a worker commits: the next version and its event; then the hint."""
    shop.sql("WITH moved AS (UPDATE orders SET version = version + 1, status = %s, final = %s, "
             "reason = %s, updated_at = now() WHERE id = (SELECT order_id FROM order_key WHERE "
             "key = %s) RETURNING id, version) INSERT INTO order_event (order_id, version, kind, "
             "status, process) SELECT id, version, 'test', %s, 'test' FROM moved",
             status, final, reason, told.key, status)
    if hint:
        shop.sql("SELECT pg_notify('docket_orders', (SELECT order_id::text FROM order_key "
                 "WHERE key = %s))", told.key)


def statuses(events):
    return [(version, body["status"]) for version, body in events]


def test_begins_with_the_order_as_get_shows_it(shop, told):
    stream = follow(shop, told)
    assert stream.status == 200 and stream.headers["content-type"] == "text/event-stream"
    assert stream.headers["x-accel-buffering"] == "no"
    assert stream.headers["cache-control"] == "no-store"
    version, body = stream.next()
    assert version == 1 and body == shop.read.get(f"/v1/orders/{told.id}").json
    assert 2000 <= stream.retry_ms < 4000
    stream.close()


@pytest.mark.parametrize("hint", [True, False], ids=["told", "asked for"])
def test_brings_each_version_once_in_order_and_ends_with_the_final_one(shop, told, hint):
    stream = follow(shop, told)
    assert stream.next()[0] == 1
    move(shop, told, 2, hint=False)
    move(shop, told, 3, hint=False)
    move(shop, told, 4, final=True, hint=hint)
    events = stream.rest()
    assert statuses(events) == [(2, "processing"), (3, "confirmed"), (4, "fulfilled")]
    assert [body["final"] for _, body in events] == [False, False, True]
    assert [body["version"] for _, body in events] == [2, 3, 4]
    assert events[-1][1] == shop.read.get(f"/v1/orders/{told.id}").json
    assert all(body["lines"] == events[-1][1]["lines"] for _, body in events)


def test_goes_on_after_the_last_event_that_came(shop, told):
    for status in (2, 3, 4):
        move(shop, told, status, final=status == 4)
    assert statuses(follow(shop, told, 2).rest()) == [(3, "confirmed"), (4, "fulfilled")]
    assert statuses(follow(shop, told).rest()) == [(4, "fulfilled")]
    polyfill = Stream(shop.port("api"), f"{path_of(told)}?client_token={token_of(told)}"
                      "&last_event_id=3")
    assert statuses(polyfill.rest()) == [(4, "fulfilled")]


def test_one_that_has_the_final_version_is_told_to_stop(shop, told):
    move(shop, told, 4, final=True)
    assert follow(shop, told, 2).status == 204


def test_one_that_names_a_version_that_never_was_gets_the_newest(shop, told):
    stream = follow(shop, told, 900)
    assert stream.next()[0] == 1
    stream.close()


@pytest.mark.parametrize("known", ["x", "-1", "1.5", "99999999999"])
def test_a_last_event_id_that_is_none_is_refused(shop, told, known):
    stream = follow(shop, told, known)
    assert stream.status == 400 and stream.problem()["code"] == "invalid_query"


def test_who_may_read_the_order_may_follow_it(shop, told):
    port, token = shop.port("api"), token_of(told)
    for key, more in ((shop.reader, ""), (shop.checkout, f"?client_token={token}")):
        stream = Stream(port, path_of(told) + more, {"Authorization": f"Bearer {key}"})
        assert stream.next()[0] == 1
        stream.close()


def test_nobody_else_may(shop, told):
    port, other = shop.port("api"), shop.post_order().json["client_token"]
    stranger = shop.docket("key", "create", "--scope", "orders:read", "--name", "x", "--account",
                           "another").split()[0]
    cases = [(f"?client_token={other}", None, 404), ("?client_token=x", None, 404),
             ("", None, 401), ("", shop.checkout, 404), ("", stranger, 404),
             (f"?client_token={token_of(told)}", stranger, 404), ("", "dk_nonsense", 401)]
    for query, key, status in cases:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        assert Stream(port, path_of(told) + query, headers).status == status, (query, key)
    nothing = Stream(port, f"/v1/orders/ord_nonsense/events?client_token={other}")
    assert nothing.status == 404 and nothing.problem()["code"] == "order_not_found"


def test_the_token_is_in_no_log_and_no_metric(shop, told):
    stream = follow(shop, told)
    stream.next()
    stream.close()
    assert token_of(told) not in shop.log("api")
    assert token_of(told) not in shop.operator.get("/metrics").body.decode()


def test_head_has_the_head_and_ends(shop, told):
    answer = Client(shop.port("api")).request(
        "HEAD", f"{path_of(told)}?client_token={token_of(told)}")
    assert answer.status == 200 and answer.headers["content-type"] == "text/event-stream"


def test_many_streams_of_one_order_are_all_told(shop, told):
    streams = [follow(shop, told) for _ in range(32)]
    assert all(stream.next()[0] == 1 for stream in streams)
    full = follow(shop, told)
    assert full.status == 429 and full.problem()["code"] == "too_many_streams"
    move(shop, told, 2)
    assert all(stream.next()[0] == 2 for stream in streams)
    for stream in streams:
        stream.close()
    wait_for(lambda: metric(shop, "docket_streams") == 0, 20, "all are forgotten")


def test_streams_are_bounded_by_account_and_in_all(shop, told):
    orders = [told] + [shop.post_order() for _ in range(39)]
    streams = [follow(shop, order) for order in orders[:36]]
    assert all(stream.next()[0] == 1 for stream in streams)
    more = follow(shop, orders[36])
    assert more.status == 429 and more.headers["retry-after"]
    for stream in streams:
        stream.close()


def test_a_client_that_leaves_is_forgotten(shop, told):
    stream = follow(shop, told)
    stream.next()
    assert metric(shop, "docket_streams") == 1
    stream.close()
    wait_for(lambda: metric(shop, "docket_streams") == 0, 20, "it is forgotten")


def test_a_client_that_does_not_read_is_ended_and_goes_on_later(docket_fresh):
    shop = docket_fresh
    shop.start("api")
    shop.stock_up()
    shop.make_keys()
    told = shop.post_order()
    stream = socket.socket()
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stream.connect(("127.0.0.1", shop.port("api")))
    stream.sendall(f"GET {path_of(told)}?client_token={token_of(told)} HTTP/1.1\r\nHost: x\r\n\r\n"
                   .encode())
    wait_for(lambda: metric(shop, "docket_streams") == 1, 20, "it is followed")
    # so much at once that the kernel's buffers cannot hold it: each read brings a new version
    shop.sql("UPDATE order_line SET name = repeat('x', 200000) WHERE order_id = (SELECT order_id "
             "FROM order_key WHERE key = %s) AND position = 1", told.key)

    def is_ended():
        move(shop, told)
        return metric(shop, "docket_streams_too_slow_total") == 1

    wait_for(is_ended, 20, "the slow one is ended")
    assert metric(shop, "docket_streams") == 0
    stream.close()
    newest = shop.one("SELECT version FROM orders")
    again = follow(shop, told, newest - 1)
    assert again.next()[0] == newest
    again.close()


def test_postgres_away_for_a_while_loses_nothing(docket_fresh, services):
    """It stays open, it beats, and it catches up."""
    shop = docket_fresh
    shop.start("api")
    shop.stock_up()
    shop.make_keys()
    told = shop.post_order()
    stream = follow(shop, told, timeout_s=30)
    assert stream.next()[0] == 1
    begun = time.monotonic()
    services.postgres_restart_immediate()
    assert stream.beat() and time.monotonic() - begun < 25
    move(shop, told, 2)
    assert stream.next()[0] == 2
    stream.close()


def test_sigterm_ends_streams_in_time_and_they_go_on_elsewhere(docket_fresh):
    shop = docket_fresh
    shop.start("api")
    shop.stock_up()
    shop.make_keys()
    told = shop.post_order()
    streams = [follow(shop, told) for _ in range(5)]
    assert all(stream.next()[0] == 1 for stream in streams)
    begun = time.monotonic()
    shop.stop("api")
    assert time.monotonic() - begun < 10
    assert all(stream.rest() == [] for stream in streams)
    shop.start("api")
    move(shop, told, 2)
    again = follow(shop, told, 1)
    assert again.next()[0] == 2
    again.close()


def test_a_whole_order_is_seen_from_acceptance_to_the_end(shop_fresh):
    told = shop_fresh.post_order()
    seen = follow(shop_fresh, told, 0).rest()
    versions = [version for version, _ in seen]
    assert versions == list(range(1, len(seen) + 1))
    assert statuses(seen) == [(version, status)
                              for version, _, status, _ in shop_fresh.events(told.id)]
    assert seen[-1][1]["status"] == "fulfilled" and "tracking" in seen[-1][1]["shipping"]
