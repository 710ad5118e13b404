"""The operators' listener and the `docket` command."""
import concurrent.futures
import json
import os
import subprocess

import pytest

from docket_local import order
from harness import Client


@pytest.fixture(scope="module")
def shop(docket):
    docket.start("api")
    docket.stock_up()
    docket.make_keys()
    return docket


def run(shop, *arguments, **env):
    """(exit code, stdout, stderr) of the command as an operator runs it."""
    binary = os.path.join(shop.services.build, "ops/docket")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("DOCKET_")}
    settings = {**ours, **shop.world.environment("docket"), **env}
    done = subprocess.run([binary, *arguments], env=settings, capture_output=True, text=True,
                          timeout=30, check=False)
    return done.returncode, done.stdout, done.stderr


def dead_letter(shop, stage=1, status=8):
    """An order that gave up, as a worker leaves it."""
    told = shop.post_order()
    uuid = order.to_uuid(told.id)
    shop.sql("UPDATE orders SET status = %s, version = 4, reason = 'fault' WHERE id = %s",
             status, uuid)
    if stage == 2:
        shop.sql("INSERT INTO task (order_id, stage) VALUES (%s, 2)", uuid)
    shop.sql("UPDATE task SET state = 6, attempt = 12, crashes = 2, fault_code = 'gone' "
             "WHERE order_id = %s AND stage = %s", uuid, stage)
    letter = shop.one(
        "INSERT INTO dead_letter (order_id, stage, fingerprint, fault_kind, fault_code, fault_text,"
        " attempts, crashes, amount, currency, history) VALUES (%s, %s, 'f', 'broken', 'gone', "
        "'the outside is gone', 12, 2, 7020, 'EUR', '[]') RETURNING id", uuid, stage)
    return told, uuid, letter


def facts(shop, uuid, letter):
    return shop.one(
        "SELECT o.status, o.version, t.state, t.attempt, t.crashes, d.state, "
        "(SELECT count(*) FROM order_event e WHERE e.order_id = o.id AND e.kind = 'replayed'), "
        "(SELECT count(*) FROM outbox x WHERE o.id = ANY (x.order_ids) AND x.topic = d.stage), "
        "(SELECT count(*) FROM audit a WHERE a.target = 'dead_letter ' || d.id) "
        "FROM dead_letter d JOIN orders o ON o.id = d.order_id "
        "JOIN task t ON t.order_id = d.order_id AND t.stage = d.stage "
        "WHERE o.id = %s AND d.id = %s", uuid, letter)


@pytest.mark.parametrize("stage, before, after, messages", [(1, 8, 2, 2), (2, 8, 3, 1),
                                                            (2, 3, 3, 1)])
def test_a_replayed_order_goes_on_where_it_stopped(shop, stage, before, after, messages):
    _, uuid, letter = dead_letter(shop, stage, before)
    code, said, _ = run(shop, "dead", "replay", str(letter), "--reason", "it is back")
    assert code == 0 and "goes on" in said
    assert facts(shop, uuid, letter) == (after, 5, 1, 0, 0, "replaying", 1, messages, 1)


def test_what_is_replaying_is_not_replayed_again(shop):
    _, uuid, letter = dead_letter(shop)
    run(shop, "dead", "replay", str(letter), "--reason", "first")
    before = facts(shop, uuid, letter)
    code, _, why = run(shop, "dead", "replay", str(letter), "--reason", "second")
    assert code == 1 and "replaying already; nothing was changed" in why
    assert facts(shop, uuid, letter) == before


def test_replays_at_once_win_once(shop):
    _, uuid, letter = dead_letter(shop)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: shop.operator.post(
            f"/admin/dead/{letter}/replay", {"reason": f"try {n}"}), range(6)))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 5
    assert facts(shop, uuid, letter)[6:] == (1, 2, 1)


def test_a_final_order_is_not_replayed(shop):
    _, uuid, letter = dead_letter(shop)
    shop.sql("UPDATE orders SET final = true WHERE id = %s", uuid)
    code, _, why = run(shop, "dead", "replay", str(letter), "--reason", "x")
    assert code == 1 and "nothing was changed" in why
    assert facts(shop, uuid, letter)[5] == "open"


def test_dead_letters_are_listed_and_shown(shop):
    told, _, letter = dead_letter(shop)
    code, listed, _ = run(shop, "dead", "list", "--rows")
    assert code == 0 and told.id in listed and "payment" in listed and "gone" in listed
    code, shown, _ = run(shop, "dead", "show", str(letter), "--json")
    assert code == 0 and json.loads(shown)["order"] == told.id
    assert told.id not in run(shop, "dead", "list", "--rows", "state:resolved")[1]
    assert run(shop, "dead", "show", "999999")[0] == 1


def test_the_whole_life_of_an_order_is_shown_without_the_person(shop):
    told = shop.post_order()
    code, shown, _ = run(shop, "order", "show", told.id)
    assert code == 0 and "accepted" in shown and "api" in shown and "payment" in shown
    life = json.loads(run(shop, "order", "show", told.id, "--json")[1])
    assert life["order"] == told.id and life["events"][0]["status"] == "accepted"
    assert life["tasks"][0]["task_state"] == "ready"
    person = told.body["customer"] | told.body["shipping"]["address"]
    for word in (person["email"], person["name"], person["line1"]):
        assert word not in shown and word not in json.dumps(life)
    assert run(shop, "order", "show", "ord_00000000000000000000000000")[0] == 1


def test_keys_are_made_listed_and_revoked(shop):
    code, made, _ = run(shop, "key", "create", "--scope", "checkout,orders:read", "--name", "both")
    key = made.strip()
    assert code == 0 and key.startswith("dk_") and len(key) > 40
    code, listed, _ = run(shop, "key", "list")
    assert code == 0 and "both" in listed and key not in listed
    assert shop.one("SELECT count(*) FROM api_key WHERE name = 'both' AND hash = sha256(%s)",
                    key.encode()) == 1
    assert run(shop, "key", "create", "--scope", "root", "--name", "x")[0] == 1
    assert run(shop, "key", "revoke", "99999", "--reason", "x")[0] == 1


def test_only_operators_come_in(shop):
    for key in (shop.checkout, shop.reader, "dk_nobody"):
        client = Client(shop.port("operator"), key)
        assert client.get("/admin/keys").status in (401, 403)
        assert client.get("/admin/dead").status in (401, 403)
    assert Client(shop.port("operator")).get("/admin/keys").status == 401
    code, _, why = run(shop, "key", "list", DOCKET_OPERATOR_KEY="dk_wrong")
    assert code == 1 and "DOCKET_OPERATOR_KEY" in why


def test_the_public_listener_has_no_operators_door(shop):
    for path in ("/admin/keys", "/metrics", "/readyz", "/livez"):
        assert shop.api.get(path, undocumented="it is of the other listener").status == 404


def test_health_and_metrics_need_no_key(shop):
    client = Client(shop.port("operator"))
    assert client.get("/livez").status == 200
    assert client.get("/readyz").json["ready"] is True
    metrics = client.get("/metrics").body.decode()
    for name in ("docket_orders_total", "docket_accept_seconds_bucket", "docket_accept_waiting",
                 "docket_api_problems_total", "docket_batch_tickets_bucket", "docket_loop_lag_seconds_count"):
        assert name in metrics


def test_a_wrong_catalogue_is_refused_as_a_whole(shop):
    wrong = {"products": [{"sku": "GOOD", "name": "g", "price": {"amount": 1, "currency": "EUR"}},
                          {"sku": "BAD", "name": "b", "price": {"amount": 1.5, "currency": "EUR"}}], "reason": "wrong"}
    answer = shop.operator.request("PUT", "/admin/catalogue", wrong)
    assert answer.status == 422
    assert [error["pointer"] for error in answer.json["errors"]] == ["/products/1/price/amount"]
    assert shop.one("SELECT count(*) FROM product WHERE sku = 'GOOD'") == 0


def test_a_new_product_is_sold_at_once_and_stock_stays_where_it_is_not_named(shop):
    new = {"products": [{"sku": "NEW", "name": "n", "price": {"amount": 10, "currency": "EUR"},
                         "stock": 5}], "reason": "new"}
    assert shop.operator.request("PUT", "/admin/catalogue", new).status == 200
    told = shop.post_order(lines=[{"sku": "NEW", "quantity": 1}],
                           expected_total={"amount": 500, "currency": "EUR"})
    assert told.status == 202, told
    del new["products"][0]["stock"]
    assert shop.operator.request("PUT", "/admin/catalogue", new).status == 200
    assert shop.one("SELECT available FROM stock WHERE sku = 'NEW'") == 5


@pytest.mark.parametrize("arguments", [
    (), ("nonsense",), ("key",), ("key", "create"), ("key", "revoke", "x"), ("dead", "replay", "1"),
    ("dead", "show", "1", "2"), ("order", "show"), ("catalogue", "load"),
    ("migrate", "sideways"), ("config", "more"), ("dead", "list", "--stat", "open")])
def test_a_wrong_command_line_is_explained(shop, arguments):
    code, _, why = run(shop, *arguments)
    assert code == 2 and "usage:" in why


NO_ORDER = "ord_00000000000000000000000000"


@pytest.mark.parametrize("arguments, said, then", [
    (("order", "show", "ord_x"), "no id of an order", "docket order list"),
    (("order", "show", NO_ORDER), "order_not_found", "docket order list"),
    (("order", "cancel", NO_ORDER, "--reason", "x"), "order_not_found", "docket order list"),
    (("order", "show", "--key", "nobody"), "no order under the key nobody", ""),
    (("order", "list", "--status", "nope"), "status is one or more of accepted", ""),
    (("order", "list", "--reason", "nope"), "no order waits for such a reason", "docket order show"),
    (("order", "list", "--cursor", "x"), "the cursor is none", ""),
    (("dead", "list", "--limit", "100000"), "limit is a number from 1 to 500", ""),
    (("dead", "list", "sku:x"), "incidents are found by", "--rows"),
    (("dead", "show", "999999999"), "there is no such dead letter", ""),
    (("dead", "discard", "1", "--reason", " " * 600), "/reason", ""),
    (("dead", "runs", "99999"), "there is no such run", ""), (("dead", "pause", "99999", "--reason", "x"), "no such run", ""),
    (("pause", "nope", "--reason", "x"), "there is: payment", ""),
    (("stock", "set", "NOPE", "1", "--reason", "x"), "has no such sku", ""),
    (("stock", "show", "NOPE"), "no sku NOPE", "docket catalogue show"),
    (("key", "create", "--scope", "x", "--name", "y"), "a scope is checkout", ""),
    (("key", "revoke", "99999", "--reason", "x"), "no such key", ""), (("quota", "show", "nobody"), "no account nobody", ""),
    (("orphan", "close", "99999", "--reason", "x"), "no such orphan", "")])
def test_what_the_api_refuses_is_said_with_what_to_do(shop, arguments, said, then):
    for more in ((), ("--json",)):
        code, out, why = run(shop, *arguments, *more)
        assert code == 1 and said in why and then in why and why.startswith("docket: "), why
        assert "is docket-api as new" not in why and (not out or arguments[1] == "discard"), why


def test_another_listener_than_the_operators_is_suspected(shop):
    code, _, why = run(shop, "key", "list", DOCKET_OPERATOR_URL=f"http://127.0.0.1:{shop.port('api')}")
    assert code == 1 and "Is DOCKET_OPERATOR_URL the operators' listener" in why


def test_what_somebody_holds_too_long_is_no_fault_of_ours(shop):
    """A lock of somebody else: nothing was done, and it may be tried again."""
    holder = shop.services.connect(shop.database)
    holder.cursor().execute("LOCK TABLE dead_letter IN ACCESS EXCLUSIVE MODE")
    try:
        code, _, why = run(shop, "dead", "replay", "1", "--reason", "x")
    finally:
        holder.close()
    assert code == 1 and "temporarily_unavailable" in why and "Try again" in why, why


@pytest.mark.parametrize("command", ["migrate", "key", "catalogue", "order", "dead", "config"])
def test_every_command_has_help(shop, command):
    code, said, _ = run(shop, command, "--help")
    assert code == 0 and said.startswith(f"usage: docket {command}")


def test_an_api_that_is_away_is_said(shop):
    code, _, why = run(shop, "key", "list", DOCKET_OPERATOR_URL="http://127.0.0.1:9")
    assert code == 3 and "docket-api" in why


def test_the_settings_are_printed_as_a_table(shop):
    code, said, _ = run(shop, "config")
    assert code == 0 and "DOCKET_TOKEN_KEYS" in said and "|" in said
