"""Dead letters: one filter for all, incidents counted without counting, what a discard does."""
import concurrent.futures
import itertools
import json
import os
import random
import urllib.parse

import pytest

from docket_local import order
from harness import wait_for
from harness.outcomes import available
from harness.services import ROOT

TRUTH = """
    SELECT fingerprint, currency, count(*) FILTER (WHERE state = 'open'),
           count(*) FILTER (WHERE state = 'replaying'), count(*) FILTER (WHERE state = 'resolved'),
           count(*) FILTER (WHERE state = 'discarded'),
           coalesce(sum(amount) FILTER (WHERE state IN ('open', 'replaying')), 0)
    FROM dead_letter GROUP BY fingerprint, currency"""
COUNTED = """
    SELECT fingerprint, currency, sum(open), sum(replaying), sum(resolved), sum(discarded), sum(at_risk)
    FROM incident_part GROUP BY fingerprint, currency
    HAVING sum(abs(open)) + sum(abs(replaying)) + sum(abs(resolved)) + sum(abs(discarded)) > 0
       AND sum(open) + sum(replaying) + sum(resolved) + sum(discarded) <> 0"""
DIFFERENCE = f"SELECT count(*) FROM (({TRUTH} EXCEPT {COUNTED}) UNION ALL ({COUNTED} EXCEPT {TRUTH})) x"


@pytest.fixture(scope="module")
def shop(docket):
    docket.start("api")
    docket.stock_up()
    docket.make_keys()
    return docket


def letter(shop, stage=1, status=8, attempt=None, **columns):
    """An order that gave up, as a worker leaves it, with its stock reserved; returns (id, order)."""
    told = shop.post_order()
    assert told.status == 202, told
    uuid = order.to_uuid(told.id)
    shop.sql("UPDATE orders SET status = %s WHERE id = %s", status, uuid)
    if stage == 2:
        shop.sql("INSERT INTO task (order_id, stage) VALUES (%s, 2)", uuid)
    shop.sql("UPDATE task SET state = 6 WHERE order_id = %s AND stage = %s", uuid, stage)
    shop.sql("WITH taken AS (UPDATE stock s SET available = available - l.quantity FROM order_line l "
             "WHERE l.order_id = %s AND s.sku = l.sku RETURNING l.sku, l.quantity) "
             "INSERT INTO reservation (order_id, sku, quantity) SELECT %s, sku, quantity FROM taken",
             uuid, uuid)
    if attempt is not None:
        shop.sql("INSERT INTO payment_attempt (order_id, number, state, provider, method, amount, "
                 "currency, fenced) VALUES (%s, 1, %s, 'stripe', 'pm_1', 7020, 'EUR', %s)", uuid, abs(attempt),
                 attempt in (4, 7))
    row = {"order_id": uuid, "stage": stage, "fingerprint": "", "fault_kind": "broken",
           "fault_code": "gone", "fault_text": "the outside is gone", "attempts": 12, "crashes": 2,
           "amount": 7020, "currency": "EUR", "history": "[]"} | columns
    number = shop.one(f"INSERT INTO dead_letter ({', '.join(row)}) VALUES "
                      f"({', '.join(['%s'] * len(row))}) RETURNING id", *row.values())
    return number, told.id


def ask(shop, path, **query):
    answer = shop.operator.get(f"{path}?{urllib.parse.urlencode(query)}")
    assert answer.status == 200, answer
    return answer.json


def found(shop, filter_text, **query):
    return [row["id"] for row in ask(shop, "/admin/dead", filter=filter_text, **query)["dead_letters"]]


def discard(shop, filter_text, **more):
    return shop.operator.post("/admin/dead/discard",
                              {"filter": filter_text, "reason": "a test", **more})


# --- counters ----------------------------------------------------------------------------------------


def random_act(shop, dice):
    kind = dice.choice(["add", "add", "fail_again", "move", "move", "delete", "nothing"])
    causes = ", ".join(f"({dice.randint(1, 2)}, 'code{dice.randint(1, 4)}', {dice.randint(1, 900)}, "
                       f"'{dice.choice(['EUR', 'USD'])}')" for _ in range(dice.randint(1, 30)))
    if kind == "add":
        shop.sql("INSERT INTO dead_letter (order_id, stage, fingerprint, fault_kind, fault_code, "
                 "fault_text, attempts, crashes, amount, currency, history) SELECT gen_random_uuid(), "
                 "stage, '', 'broken', code, '', 1, 0, amount, currency, '[]' "
                 f"FROM (VALUES {causes}) AS v (stage, code, amount, currency)")
    elif kind == "fail_again":
        shop.sql("INSERT INTO dead_letter (order_id, stage, fingerprint, fault_kind, fault_code, "
                 "fault_text, attempts, crashes, amount, currency, history) SELECT order_id, stage, '',"
                 " 'transient', fault_code, '', 1, 0, amount, currency, '[]' FROM dead_letter "
                 "WHERE order_id IS NOT NULL AND state IN ('open', 'replaying') ORDER BY random() "
                 "LIMIT 9 ON CONFLICT (order_id, stage) WHERE state IN ('open', 'replaying') "
                 "DO UPDATE SET state = 'open', fault_kind = excluded.fault_kind")
    elif kind == "move":
        shop.sql("UPDATE dead_letter SET state = %s WHERE id IN (SELECT id FROM dead_letter "
                 "WHERE state IN ('open', 'replaying') ORDER BY random() LIMIT 7)",
                 dice.choice(["open", "replaying", "resolved", "discarded"]))
    elif kind == "delete":
        shop.sql("DELETE FROM dead_letter WHERE id IN (SELECT id FROM dead_letter "
                 "WHERE state NOT IN ('open', 'replaying') LIMIT 3)")
    else:
        shop.sql("UPDATE dead_letter SET state = state WHERE false")


def fold(shop, rows, crashes):
    """As the relay's keeper does, some rows at a time; where it dies before its commit, nothing."""
    statement = open(os.path.join(ROOT, "schema/statements/keeper_incidents.sql"), encoding="utf-8").read()
    shop.sql("BEGIN")
    shop.sql(statement.replace("$1", "0").replace("$2", str(rows)))
    shop.sql("ROLLBACK" if crashes else "COMMIT")


def test_counters_are_exact_after_any_acts_and_folds(docket_fresh):
    dice = random.Random(7)
    for turn in range(80):
        random_act(docket_fresh, dice)
        assert docket_fresh.one(DIFFERENCE) == 0, f"turn {turn}"
        if turn % 3 == 0:
            fold(docket_fresh, dice.randint(1, 9), crashes=turn % 2)
            assert docket_fresh.one(DIFFERENCE) == 0, f"turn {turn}, folded"
    docket_fresh.start("relay", wait=False)
    wait_for(lambda: docket_fresh.one("SELECT count(*) FROM dead_delta") == 0, 15, "all is folded")
    assert docket_fresh.one(DIFFERENCE) == 0
    assert docket_fresh.one("SELECT count(*) FROM incident") > 4


# --- the filter ---------------------------------------------------------------------------------------


def test_one_filter_finds_by_each_field(shop):
    one, public = letter(shop, fault_code="one_x", fault_text="request 71 Timed Out", amount=5000)
    two, _ = letter(shop, stage=2, status=3, fault_code="two_x", fault_kind="transient", attempts=3,
                    amount=9000)
    sku = shop.one("SELECT sku FROM order_line WHERE order_id = %s AND position = 1",
                   order.to_uuid(public))
    incident = shop.one("SELECT fingerprint FROM dead_letter WHERE id = %s", one)
    for text, expected in {
            "code:one_x,two_x": [two, one], "code:two_x stage:fulfilment": [two],
            "code:two_x stage:payment": [], "code:one_x fault:broken": [one],
            "code:one_x text~\"timed out\"": [one], "code:one_x text~zebra": [],
            f"order:{public}": [one], f"id:{one},{two}": [two, one], f"incident:{incident}": [one],
            f"code:one_x sku:{sku}": [one], f"sku:{sku} id:{two}": [two], "sku:NONE": [],
            "code:one_x,two_x amount>=50.01EUR": [two], "code:one_x,two_x amount:50EUR": [one],
            "code:one_x,two_x amount>=1USD": [], "code:one_x,two_x attempts<12": [two],
            "code:one_x age>1h": [], "code:one_x age<1h": [one], "code:one_x state:resolved": [],
            "code:one_x since:2020-01-01 until:2099-01-01": [one], "code:one_x until:2020-01-01": [],
            "code:one_x state:all": [one]}.items():
        assert found(shop, text) == expected, text


def test_a_wrong_filter_says_where_and_what_is_allowed(shop):
    for path in ("/admin/dead", "/admin/dead/count", "/admin/incidents"):
        answer = shop.operator.get(f"{path}?filter=stage:x")
        assert answer.status == 400 and answer.json["code"] == "invalid_query"
        assert "at character 7" in answer.json["detail"] and "fulfilment" in answer.json["detail"]
    assert shop.operator.get("/admin/dead?cursor=1-2").status == 400
    assert shop.operator.get("/admin/incidents?filter=sku:A").status == 400
    assert discard(shop, "state:open").status == 400


def test_pages_follow_each_other_without_a_gap_or_a_repetition(shop):
    numbers = [letter(shop, fault_code="paged")[0] for _ in range(7)]
    seen, cursor = [], {}
    for _ in range(4):
        page = ask(shop, "/admin/dead", filter="code:paged", limit=2, **cursor)
        seen += [row["id"] for row in page["dead_letters"]]
        cursor = {"cursor": page["next"]}
    assert seen == numbers[::-1] and page["next"] is None


def test_a_search_that_stops_says_where_to_go_on(shop):
    numbers = [letter(shop, fault_code="deep", fault_text="needle" if n == 0 else "hay")[0]
               for n in range(6)]
    wanted = json.dumps({"states": ["open"], "codes": ["deep"], "texts": ["needle"]})
    cursor, looked = None, 0
    for _ in range(4):
        rows = shop.sql("SELECT id, is_match, searched, next FROM dead_page(%s::jsonb, %s, 2, 10)",
                        wanted, cursor)
        looked += rows[-1][2] if rows else 0
        hits = [row[0] for row in rows if row[1]]
        if hits:
            break
        cursor = rows[-1][3]
    assert hits == [numbers[0]] and looked == 6


FILTERS = [{}, {"codes": ["gone"]}, {"stages": [1]}, {"skus": ["MUG-1"]}, {"texts": ["x"]},
           {"ids": [1]}, {"orders": ["019ab5e0-1234-7abc-8def-0123456789ab"]}, {"attempts_min": 50},
           {"currency": "EUR", "amount_min": 90000000}, {"age_min_s": 60},
           {"since": "2020-01-01T00:00:00Z", "codes": ["gone"], "texts": ["y"]}]


def test_no_filter_reads_the_whole_table(shop):
    """The plans as the API's session makes them, over a table that has rows and statistics."""
    letter(shop)
    shop.sql("INSERT INTO dead_letter (order_id, stage, fingerprint, fault_kind, fault_code, fault_text,"
             " attempts, crashes, amount, currency, history, state) SELECT gen_random_uuid(), 1, '', "
             "'broken', 'many' || n % 9, 'text', 1, 0, 100, 'GBP', '[]', 'resolved' "
             "FROM generate_series(1, 6000) AS n")
    shop.sql("ANALYZE dead_letter")
    link = shop.services.connect(shop.database, "docket_api")
    with link.cursor() as cursor:
        for part, states in itertools.product(FILTERS, (["open"], ["resolved", "open"])):
            wanted = json.dumps({"states": states, **part})
            cursor.execute("SELECT dead_source(%s::jsonb, %s, 20000)",
                           (wanted, "1800000000000000-1800000000000000-9"))
            source = cursor.fetchone()[0]
            if source is None:
                continue
            cursor.execute(f"EXPLAIN SELECT d.id FROM ({source}) AS d "
                           "ORDER BY created_at DESC, id DESC LIMIT 20000")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "Seq Scan" not in plan and "Index" in plan, f"{wanted}\n{plan}"
    link.close()
    shop.sql("DELETE FROM dead_letter WHERE currency = 'GBP'")


# --- incidents ----------------------------------------------------------------------------------------


def test_letters_of_one_cause_are_one_incident_whatever_their_ids(shop):
    for n in range(4):
        letter(shop, fault_code="provider_500", fault_kind="transient",
               fault_text=f"the provider answered confirm with 500: no 'cus_{n}x' at {n}")
    letter(shop, fault_code="provider_500", fault_kind="transient", fault_text="another text")
    listed = ask(shop, "/admin/incidents", filter="code:provider_500")
    assert [row["open"] for row in listed["incidents"]] == [4, 1]
    first = listed["incidents"][0]
    assert first["stage"] == "payment" and first["orders"] == 4
    assert first["at_risk"] == [{"amount": 4 * 7020, "currency": "EUR"}]
    assert first["pattern"] == 'the provider answered confirm with #: no "…" at #'
    assert "not to be had" in first["advice"]["means"]
    shown = ask(shop, f"/admin/incidents/{first['incident']}")
    assert len(shown["samples"]) >= 2 and shown["open"] == 4
    assert shop.operator.get("/admin/incidents/inc_000000000000").status == 404


def test_incidents_are_sorted_by_money_or_by_the_last_one(shop):
    for code, amount in (("dear", 90000), ("cheap", 1)):
        letter(shop, fault_code=code, amount=amount)
    listed = ask(shop, "/admin/incidents", filter="code:dear,cheap")
    assert [row["fault_code"] for row in listed["incidents"]] == ["dear", "cheap"]
    assert listed["at_risk"] == [{"amount": 90001, "currency": "EUR"}] and listed["open"] == 2
    listed = ask(shop, "/admin/incidents", filter="code:dear,cheap", sort="last", limit=1)
    assert [row["fault_code"] for row in listed["incidents"]] == ["cheap"]


# --- discard ------------------------------------------------------------------------------------------

STATUS = {name: number for number, name in enumerate(order.STATUSES) if name}
# (stage, status, payment attempt): what becomes of it.  Attempts: 1 created, 2 authorizing, 3 captured,
# 4 declined (-4: and its intent not canceled yet), 5 requires_action, 6 unknown, 7 voided, 8 integrity_failure.
FATES = {
    (1, "accepted", None): "cancels", (1, "processing", None): "cancels", (1, "on_hold", None): "cancels",
    (1, "on_hold", 1): "cancels", (1, "processing", 1): "cancels", (1, "payment_failed", 4): "cancels",
    (1, "payment_failed", -4): "kept_unknown",
    (1, "out_of_stock", 7): "cancels", (1, "on_hold", 2): "kept_unknown",
    (1, "on_hold", 6): "kept_unknown", (1, "on_hold", 8): "kept_unknown",
    (1, "requires_action", 5): "kept_unknown", (1, "on_hold", 3): "kept_paid",
    (2, "confirmed", 3): "kept_paid", (2, "on_hold", 3): "kept_paid", (1, "canceled", 6): "closes",
    (1, "canceling", None): "kept_unknown",
}


def held(shop, public):
    return shop.one("SELECT coalesce(sum(quantity), 0) FROM reservation WHERE state = 1 AND order_id = %s",
                    order.to_uuid(public))


@pytest.mark.parametrize("stage, status, attempt", FATES)
def test_a_discard_ends_what_was_never_asked_for_and_keeps_the_rest(shop, stage, status, attempt):
    number, public = letter(shop, stage, STATUS[status], attempt)
    uuid, fate = order.to_uuid(public), FATES[stage, status, attempt]
    shop.sql("UPDATE orders SET final = status IN (4, 10, 12) WHERE id = %s", uuid)
    before = shop.one("SELECT version FROM orders WHERE id = %s", uuid)
    stock = dict(shop.sql("SELECT sku, available FROM stock"))
    pieces = held(shop, public)
    counted = ask(shop, "/admin/dead/count", filter=f"id:{number}")
    assert [row["fate"] for row in counted["fates"]] == [fate] and counted["count"] == 1
    answer = discard(shop, f"id:{number}").json
    told = shop.sql("SELECT kind, status FROM order_event WHERE order_id = %s AND version > %s "
                    "ORDER BY version", uuid, before)
    version, final, now = shop.one("SELECT version, final, status FROM orders WHERE id = %s", uuid)
    assert version == before + len(told)
    if fate == "cancels":
        steps = [STATUS[status], *(step for _, step in told)]
        assert steps[-1] == now == STATUS["canceled"] and final and held(shop, public) == 0
        assert steps == [steps[0], *([9] if status in ("accepted", "processing") else []), 10]
        assert answer["orders_canceled"] == 1 and answer["audit"]
        assert sum(dict(shop.sql("SELECT sku, available FROM stock")).values()) == \
            sum(stock.values()) + pieces
    else:
        assert now == STATUS[status] and held(shop, public) == pieces and not told
        assert dict(shop.sql("SELECT sku, available FROM stock")) == stock
    assert shop.one("SELECT state FROM dead_letter WHERE id = %s", number) == \
        ("open" if fate.startswith("kept") else "discarded")
    assert answer["kept"] == ({fate: 1} if fate.startswith("kept") else {})


def test_a_discard_returns_stock_that_somebody_else_changes_meanwhile(shop):
    number, public = letter(shop, attempt=1)
    sku, of_it = shop.sql("SELECT sku, quantity FROM reservation WHERE order_id = %s ORDER BY sku LIMIT 1",
                          order.to_uuid(public))[0]
    pieces, before = held(shop, public), available(shop, sku)
    other = shop.services.connect(shop.database)
    other.cursor().execute("UPDATE stock SET version = version + 1 WHERE sku = %s", [sku])
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(discard, shop, f"id:{number}")
        wait_for(lambda: shop.one("SELECT count(*) FROM pg_stat_activity WHERE usename = 'docket_api' AND "
                                  "datname = current_database() AND wait_event_type = 'Lock'") > 0, 10, "it waits for it")
        other.commit()
    other.close()
    assert (available(shop, sku), held(shop, public)) == (before + of_it, 0)
    assert shop.one("SELECT (detail ->> 'pieces_returned')::int FROM audit WHERE id = %s",
                    answer.result().json["audit"]) == pieces


def test_two_operators_at_once_have_one_effect(shop):
    numbers = [letter(shop, fault_code="both", attempt=1)[0] for _ in range(12)]
    stock = sum(dict(shop.sql("SELECT sku, available FROM stock")).values())
    pieces = shop.one("SELECT sum(quantity) FROM reservation WHERE state = 1 AND order_id IN "
                      "(SELECT order_id FROM dead_letter WHERE fault_code = 'both')")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: discard(shop, "code:both"), range(4)))
    assert all(answer.status == 200 for answer in answers), answers
    assert sum(answer.json["discarded"] for answer in answers) == len(numbers)
    assert shop.one("SELECT count(*) FROM order_event WHERE kind = 'discarded' AND order_id IN "
                    "(SELECT order_id FROM dead_letter WHERE fault_code = 'both')") == len(numbers)
    assert sum(dict(shop.sql("SELECT sku, available FROM stock")).values()) == stock + pieces
    assert shop.one("SELECT count(*), sum((detail ->> 'letters')::int) FROM audit "
                    "WHERE act = 'dead discard' AND detail ->> 'letters' <> '0' "
                    "AND target LIKE '%%both%%'") == (1, len(numbers))


def test_a_replay_and_a_discard_at_once_do_not_both_act(shop):
    for _ in range(4):
        number, public = letter(shop, attempt=1)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            replayed, dropped = pool.map(lambda act: act(), (
                lambda: shop.operator.post(f"/admin/dead/{number}/replay", {"reason": "x"}),
                lambda: discard(shop, f"id:{number}")))
        assert (replayed.status == 200) + dropped.json["discarded"] == 1
        assert shop.one("SELECT state FROM dead_letter WHERE id = %s", number) == \
            ("replaying" if replayed.status == 200 else "discarded")
        assert (held(shop, public) == 0) == (dropped.json["discarded"] == 1)


def test_a_message_that_could_not_be_read_is_shown_and_discarded(shop):
    number, _ = shop.one(
        "INSERT INTO dead_letter (order_id, stage, fingerprint, fault_kind, fault_code, fault_text, "
        "attempts, crashes, amount, currency, history) VALUES (NULL, 0, '', 'refused', "
        "'unreadable_message', 'not JSON: x near ''y''', 0, 0, 0, '', '{\"body\": \"y\"}') "
        "RETURNING id, state")
    assert found(shop, "stage:none") == [number]
    shown = ask(shop, f"/admin/dead/{number}")
    assert shown["order"] is None and shown["history"] == {"body": "y"} and shown["discard"] == "closes"
    answer = discard(shop, "stage:none").json
    assert (answer["discarded"], answer["orders_canceled"], answer["kept"]) == (1, 0, {})
    assert found(shop, "stage:none") == [] and found(shop, "stage:none state:discarded") == [number]
