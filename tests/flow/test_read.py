"""GET /v1/orders/{id} and ?idempotency_key=: who may read, versions, long polls."""
import re
import threading
import time

import pytest

from docket_local.order import STATUSES
from harness import Client, Raw, contract, metrics, wait_for
from harness.client import new_key
from harness.stream import Stream


@pytest.fixture(scope="module")
def shop(docket):
    docket.start("api")
    docket.stock_up()
    docket.make_keys()
    return docket


@pytest.fixture
def told(shop):
    return shop.post_order()


def move(shop, told, hint=True):
    """What a worker does: the next version, then the hint."""
    shop.sql("UPDATE orders SET version = version + 1, status = 2 WHERE id = "
             "(SELECT order_id FROM order_key WHERE key = %s)", told.key)
    if hint:
        shop.sql("SELECT pg_notify('docket_orders', (SELECT order_id::text FROM order_key "
                 "WHERE key = %s))", told.key)


def test_an_order_is_read_with_the_read_key(shop, told):
    answer = shop.read.get(f"/v1/orders/{told.id}")
    assert answer.status == 200 and answer.headers["etag"] == '"1"'
    assert int(answer.headers["poll-after-ms"]) > 0
    body = answer.json
    assert (body["id"], body["status"], body["final"], body["version"]) == \
        (told.id, "accepted", False, 1)
    assert body["total"] == {"amount": 7020, "currency": "EUR"}
    assert [line["quantity"] for line in body["lines"]] == [2, 1]


def test_the_body_is_a_function_of_the_version(shop, told):
    path = f"/v1/orders/{told.id}"
    assert shop.read.get(path).body == shop.read.get(path).body


def test_who_reads_the_same_order_at_once_is_told_the_same(shop, told):
    other = shop.post_order()
    paths = [f"/v1/orders/{one}" for one in (told.id, other.id, told.id, "ord_" + "0" * 26, told.id, other.id)]
    raw = Raw(shop.port("api"))
    raw.send("".join(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {shop.read.key}\r\n\r\n"
                     for path in paths).encode())
    answers = [raw.answer() for _ in paths]
    assert [answer.status for answer in answers] == [200, 200, 200, 404, 200, 200]
    assert [answer.json["id"] for answer in answers if answer.status == 200] == \
        [path[11:] for path, answer in zip(paths, answers) if answer.status == 200]


def test_a_checkout_key_reads_only_with_the_orders_token(shop, told):
    path, token = f"/v1/orders/{told.id}", told.json["client_token"]
    other = shop.post_order().json["client_token"]
    assert shop.api.get(path, headers={"Client-Token": token}).status == 200
    assert shop.api.get(f"{path}?client_token={token}").status == 200
    for headers in ({}, {"Client-Token": other}, {"Client-Token": token[:-1]}):
        assert shop.api.get(path, headers=headers).status == 404


def test_another_account_finds_nothing(shop, told):
    printed = shop.docket("key", "create", "--scope", "checkout,orders:read", "--name", "x",
                          "--account", "another")
    stranger = Client(shop.port("api"), printed.split()[0])
    token = told.json["client_token"]
    assert stranger.get(f"/v1/orders/{told.id}").status == 404
    assert stranger.get(f"/v1/orders/{told.id}", headers={"Client-Token": token}).status == 404
    assert stranger.get(f"/v1/orders?idempotency_key={told.key}").status == 404


@pytest.mark.parametrize("name", ["ord_00000000000000000000000000", "ord_nonsense", "7", "%00"])
def test_what_is_no_order_is_not_found(shop, name):
    assert shop.read.get(f"/v1/orders/{name}").status in (400, 404)


def test_without_a_key_nobody_reads(shop, told):
    assert Client(shop.port("api")).get(f"/v1/orders/{told.id}").status == 401


def test_a_revoked_key_is_refused_within_two_seconds(shop, told):
    printed = shop.docket("key", "create", "--scope", "orders:read", "--name", "short", "--json")
    import json
    made = json.loads(printed)
    client = Client(shop.port("api"), made["key"])
    assert client.get(f"/v1/orders/{told.id}").status == 200
    shop.docket("key", "revoke", str(made["id"]), "--reason", "test")
    wait_for(lambda: client.get(f"/v1/orders/{told.id}").status == 401, 2, "the key is refused")


def test_a_known_version_is_not_sent_again(shop, told):
    path = f"/v1/orders/{told.id}"
    answer = shop.read.get(path, headers={"If-None-Match": '"1"'})
    assert (answer.status, answer.body) == (304, b"") and answer.headers["etag"] == '"1"'
    move(shop, told)
    assert shop.read.get(path, headers={"If-None-Match": '"1"'}).json["version"] == 2


def poll(shop, told, wait, answers, etag='"1"'):
    client = Client(shop.port("api"), shop.reader, timeout_s=30)

    def run():
        begun = time.monotonic()
        answer = client.get(f"/v1/orders/{told.id}?wait={wait}", headers={"If-None-Match": etag})
        answers.append((answer, time.monotonic() - begun))

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def waiting(shop):
    text = shop.operator.get("/metrics").body.decode()
    return int(next(line.split()[1] for line in text.splitlines()
                    if line.startswith("docket_long_polls ")))


@pytest.mark.parametrize("hint", [True, False], ids=["told", "asked for"])
def test_a_long_poll_ends_with_the_next_version(shop, told, hint):
    answers = []
    thread = poll(shop, told, 20, answers)
    wait_for(lambda: waiting(shop) == 1, 20, "the long poll waits")
    move(shop, told, hint)
    thread.join(30)
    (answer, took), = answers
    assert answer.json["version"] == 2 and took < 15


def test_a_long_poll_without_news_ends_in_time(shop, told):
    answers = []
    poll(shop, told, 1, answers).join(30)
    (answer, took), = answers
    assert answer.status == 304 and 0.9 < took < 10


def test_a_final_order_is_not_waited_for(shop, told):
    shop.sql("UPDATE orders SET final = true WHERE id = "
             "(SELECT order_id FROM order_key WHERE key = %s)", told.key)
    answer = shop.read.get(f"/v1/orders/{told.id}?wait=30", headers={"If-None-Match": '"1"'})
    assert answer.status == 304 and "poll-after-ms" not in answer.headers


@pytest.mark.parametrize("wait", ["61", "-1", "x"])
def test_a_wrong_wait_is_refused(shop, told, wait):
    assert shop.read.get(f"/v1/orders/{told.id}?wait={wait}").code == "invalid_query"


def test_an_order_is_found_by_its_key(shop, told):
    answer = shop.read.get(f"/v1/orders?idempotency_key={told.key}")
    assert answer.status == 200 and answer.id == told.id
    assert shop.read.get(f"/v1/orders?idempotency_key={new_key()}").status == 404
    assert shop.api.get("/v1/orders").code == "invalid_query"


def test_a_browser_that_has_only_its_key_gets_the_answer_it_lost(shop, told):
    path = f"/v1/orders?idempotency_key={told.key}"
    answer = shop.api.get(path)
    assert (answer.status, answer.body) == (200, told.answer.body)
    token = answer.json["client_token"]
    assert shop.api.get(path, headers={"Client-Token": token}).json["total"]["amount"] == 7020


def test_a_client_that_leaves_a_long_poll_is_forgotten(shop, told):
    from harness import Raw
    raw = Raw(shop.port("api"))
    raw.send(f"GET /v1/orders/{told.id}?wait=30 HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"1\"\r\n"
             f"Authorization: Bearer {shop.reader}\r\n\r\n")
    wait_for(lambda: waiting(shop) == 1, 20, "the long poll waits")
    raw.reset()
    wait_for(lambda: waiting(shop) == 0, 20, "the long poll is over")


def test_a_hint_between_the_read_and_the_wait_is_not_lost(docket_fresh):
    """The read sees the old version and is held there; the change and its hint come, and then it ends."""
    shop = docket_fresh
    shop.start("api")
    shop.stock_up()
    shop.make_keys()
    told = shop.post_order()
    shop.stop("api")
    shop.sql("ALTER TABLE orders RENAME TO orders_kept")
    shop.sql("CREATE TABLE gate (is_shut boolean); INSERT INTO gate VALUES (false)")
    shop.sql("CREATE FUNCTION held() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN "
             "WHILE (SELECT is_shut FROM gate) LOOP PERFORM pg_sleep(0.01); END LOOP; END $$")
    shop.sql("CREATE VIEW orders AS SELECT o.* FROM orders_kept o "
             "LEFT JOIN LATERAL (SELECT held() WHERE o.version = 1 OFFSET 0) slow ON true")
    shop.sql("CREATE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$")
    shop.sql("CREATE TRIGGER kept INSTEAD OF INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION kept()")
    shop.sql("GRANT SELECT, INSERT ON orders TO docket_api")
    for month in shop.sql("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'orders_kept'::regclass"):
        shop.sql(f"REVOKE SELECT ON {month[0]} FROM docket_api")  # or a month's own table is read
    shop.start("api")
    shop.sql("UPDATE gate SET is_shut = true")
    answers = []
    asker = threading.Thread(target=lambda: answers.append(shop.read.get(
        f"/v1/orders/{told.id}?wait=20", headers={"If-None-Match": '"1"'}, timeout_s=30)))
    asker.start()
    wait_for(lambda: shop.one("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' "
                              "AND query LIKE '%token_key%'"), 20, "the read is under way")
    shop.sql("WITH moved AS (UPDATE orders_kept SET version = 2, status = 2 RETURNING id) "
             "SELECT pg_notify('docket_orders', id::text) FROM moved")
    wait_for(lambda: metrics.read(shop, "api")["docket_waiters_woken_total", 'by="hint"'] == 1, 10, "the hint has come")
    shop.sql("UPDATE gate SET is_shut = false")
    asker.join(30)
    assert answers[0].status == 200 and answers[0].json["version"] == 2
    woken = metrics.read(shop, "api")
    assert woken["docket_waiters_woken_total", 'by="hint"'] == 1
    assert woken["docket_waiters_woken_total", 'by="question"'] == 0


def set_status(shop, told, status, final):
    shop.sql("UPDATE orders SET version = version + 1, status = %s, final = %s WHERE id = "
             "(SELECT order_id FROM order_key WHERE key = %s)", status, final, told.key)


@pytest.mark.parametrize("status", STATUSES[1:])
def test_links_are_true_at_that_moment(shop, told, status):
    """Each leads somewhere, and what would be refused is not offered."""
    final = status in ("fulfilled", "canceled", "refunded")
    set_status(shop, told, STATUSES.index(status), final)
    shown = shop.read.get(f"/v1/orders/{told.id}")
    links = shown.json["links"]
    assert shown.json["status"] == status and shown.json["final"] == final
    assert ("events" in links) == (not final)
    assert shop.read.get(links["self"]).body == shown.body
    for name, link in links.items():
        documented = {operation.template for operation in contract.operations()}
        assert re.sub(r"ord_\w+", "{id}", link) in documented, (name, link)
    if not final:
        stream = Stream(shop.port("api"), f"{links['events']}?client_token={told.json['client_token']}")
        assert stream.next() == (2, shown.json)
        stream.close()


@pytest.mark.parametrize("age_s, poll_ms", [(1, 1000), (30, 2000), (300, 5000), (3600, 15000), (86400, 60000)])
def test_an_older_order_is_asked_for_less_often(shop, told, age_s, poll_ms):
    shop.sql("UPDATE orders SET accepted_at = now() - %s * interval '1 s' WHERE id = "
             "(SELECT order_id FROM order_key WHERE key = %s)", age_s, told.key)
    for headers in ({}, {"If-None-Match": '"1"'}):
        assert shop.read.get(f"/v1/orders/{told.id}", headers=headers).headers["poll-after-ms"] == str(poll_ms)
    assert shop.read.get(f"/v1/orders?idempotency_key={told.key}").headers["poll-after-ms"] == str(poll_ms)
    set_status(shop, told, STATUSES.index("fulfilled"), True)
    assert "poll-after-ms" not in shop.read.get(f"/v1/orders/{told.id}").headers


def test_every_receipt_says_when_to_ask_for_the_order(shop):
    cart = shop.order_body(cart_id=new_key())
    told = shop.post_order(cart)
    answers = [told, shop.post_order(cart, told.key), shop.post_order(cart),
               shop.api.get(f"/v1/orders?idempotency_key={told.key}")]
    assert [answer.status for answer in answers] == [202, 202, 200, 200]
    for answer in answers:
        assert answer.headers["poll-after-ms"] == "1000" and answer.json["poll_after_ms"] == 1000
