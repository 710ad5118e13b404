"""Every act of an operator is a row of a chain, and `docket audit verify` sees what was done to it."""
import concurrent.futures
import hashlib
import json

import pytest

from test_operator import dead_letter, run

PROGRAM_ROLES = ("docket_api", "docket_relay", "docket_worker")


@pytest.fixture(scope="module")
def shop(docket):
    docket.start("api")
    docket.stock_up()
    docket.make_keys()
    return docket


@pytest.fixture
def chain(shop):
    """At least five acts; what a test does to them is undone."""
    for number in range(5):
        make_key(shop, f"chain {number}")
    shop.sql("CREATE TABLE kept AS SELECT * FROM audit")
    yield shop
    shop.sql("TRUNCATE audit; INSERT INTO audit SELECT * FROM kept; DROP TABLE kept")


def make_key(shop, name, **more):
    answer = shop.operator.post("/admin/keys", {"name": name, "scopes": ["checkout"], **more})
    assert answer.status == 201, answer
    return answer.json


def verify(shop, *arguments):
    code, said, why = run(shop, "audit", "verify", "--json", *arguments)
    told = json.loads(said)
    assert (code == 0) == told["whole"] == (not told["wrong"]), (code, said, why)
    return told


def wrong_rows(shop, *arguments):
    return [row["id"] for row in verify(shop, *arguments)["wrong"]]


def last_row(shop):
    return shop.one("SELECT id, actor, act, target, reason, detail FROM audit "
                    "ORDER BY id DESC LIMIT 1")


def test_every_act_is_audited_with_who_and_why(shop):
    made = make_key(shop, "anna", scopes=["operator"], reason="Anna is on call")
    assert last_row(shop)[1:5] == ("bootstrap key", "key create", f"key {made['id']}",
                                   "Anna is on call")
    assert run(shop, "key", "revoke", str(made["id"]), "--reason", "she left",
               DOCKET_OPERATOR_KEY=made["key"])[0] == 0
    assert last_row(shop)[1:5] == (f"key {made['id']} (anna)", "key revoke", f"key {made['id']}",
                                   "she left")
    shop.stock_up()
    assert last_row(shop)[2:5] == ("catalogue load", "catalogue", "test")
    letter = dead_letter(shop)[2]
    assert run(shop, "dead", "replay", str(letter), "--reason", "it is back | really")[0] == 0
    assert last_row(shop)[2:5] == ("dead replay", f"dead_letter {letter}", "it is back | really")
    assert verify(shop)["rows"] == shop.one("SELECT count(*) FROM audit")


def test_what_changes_nothing_is_no_act(shop):
    made = make_key(shop, "once")
    before = None
    for _ in range(2):
        assert shop.operator.post(f"/admin/keys/{made['id']}/revoke", {"reason": "x"}).status == 200
        before = before or last_row(shop)
    assert shop.operator.post("/admin/keys/999999/revoke", {"reason": "x"}).status == 404
    assert last_row(shop) == before


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": 7}, {"reason": "a\nb"},
                                  {"reason": "x" * 501}])
def test_an_act_without_a_good_reason_is_refused(shop, body):
    for method, path in (("POST", "/admin/keys/1/revoke"), ("PUT", "/admin/catalogue"),
                         ("POST", "/admin/dead/1/replay")):
        answer = shop.operator.request(method, path, body)
        assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/reason", answer
    assert shop.one("SELECT revoked_at IS NULL FROM api_key WHERE id = 1")


def test_what_is_hashed_is_what_the_migration_says(shop):
    """Written apart from both, for any text."""
    make_key(shop, "5:hello,|ä€😀", reason="\\ \" ' 3:abc, | ä€😀")
    rows = shop.sql("SELECT id::text, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US"
                    "\"Z\"'), actor, act, target, reason, detail::text, hash FROM audit ORDER BY audit.id")
    before = b""
    for *fields, found in rows:
        covered = b"".join(b"%d:%s," % (len(field.encode()), field.encode())
                           for field in ("docket audit 2", *fields))
        before = hashlib.sha256(before + covered).digest()
        assert bytes(found) == before
    assert verify(shop)["head"] == f"{rows[-1][0]}:{before.hex()}"


def test_rows_of_the_first_docket_are_part_of_the_chain(docket_fresh):
    docket_fresh.sql(
        "INSERT INTO audit (id, at, actor, act, target, reason, hash) VALUES (1, '2026-01-02 "
        "03:04:05.678901Z', 'key 1', 'replay', 'dead_letter 7', 'a|b', sha256(convert_to('1|2026-"
        "01-02T03:04:05.678901|key 1|replay|dead_letter 7|a|b', 'UTF8')))")
    docket_fresh.start("api")
    docket_fresh.stock_up()
    assert verify(docket_fresh)["rows"] == 2
    docket_fresh.sql("UPDATE audit SET detail = '{\"planted\": 1}' WHERE id = 1")
    assert wrong_rows(docket_fresh) == [1]


@pytest.mark.parametrize("change", [
    "reason = 'another'", "actor = 'key 1 (eve)'", "at = at + interval '1 microsecond'",
    "act = 'key revoke'", "detail = detail || '{\"x\": 1}'", "hash = sha256(hash)",
    "form = 1", "target = 'key 0'"])
def test_a_changed_row_is_found(chain, change):
    row = chain.one("SELECT max(id) - 2 FROM audit")
    chain.sql(f"UPDATE audit SET {change} WHERE id = %s", row)
    assert wrong_rows(chain) == ([row, row + 1] if "hash" in change else [row])


def test_a_changed_row_with_a_fitting_hash_is_found_by_the_next(chain):
    row = chain.one("SELECT max(id) - 2 FROM audit")
    chain.sql(
        "UPDATE audit a SET reason = 'forged', hash = sha256((SELECT hash FROM audit WHERE id = "
        "a.id - 1) || audit_form_2(ARRAY['docket audit 2', id::text, to_char(at AT TIME ZONE 'UTC',"
        " 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), actor, act, target, 'forged', detail::text])) "
        "WHERE id = %s", row)
    assert wrong_rows(chain) == [row + 1]


def test_a_removed_row_is_found(chain):
    row = chain.one("SELECT max(id) - 2 FROM audit")
    chain.sql("DELETE FROM audit WHERE id = %s", row)
    assert wrong_rows(chain) == [row + 1]
    chain.sql("DELETE FROM audit WHERE id = 1")
    assert wrong_rows(chain) == [2, row + 1]


def test_a_removed_row_is_found_when_the_rest_is_renumbered(chain):
    row = chain.one("SELECT max(id) - 2 FROM audit")
    chain.sql("DELETE FROM audit WHERE id = %s", row)
    chain.sql("UPDATE audit SET id = id - 1 WHERE id = %s", row + 1)
    chain.sql("UPDATE audit SET id = id - 1 WHERE id = %s", row + 2)
    assert row in wrong_rows(chain)


def test_a_swapped_pair_is_found(chain):
    row = chain.one("SELECT max(id) - 3 FROM audit")
    chain.sql("UPDATE audit SET id = -1 WHERE id = %s", row)
    chain.sql("UPDATE audit SET id = %s WHERE id = %s", row, row + 1)
    chain.sql("UPDATE audit SET id = %s WHERE id = -1", row + 1)
    assert wrong_rows(chain) == [row, row + 1, row + 2]


def test_a_cut_tail_is_found_by_its_noted_head(chain):
    head = verify(chain)["head"]
    make_key(chain, "after the note")
    assert verify(chain, "--expect", head)["whole"]
    chain.sql("DELETE FROM audit WHERE id > (SELECT max(id) - 3 FROM audit)")
    assert verify(chain)["whole"]  # a chain alone cannot know
    assert wrong_rows(chain, "--expect", head) == [int(head.partition(":")[0])]
    code, said, why = run(chain, "audit", "verify", "--expect", head)
    assert code == 1 and "the end was cut off" in said and "backup" in why


def test_a_tail_written_anew_is_found_by_its_noted_head(chain):
    head = verify(chain)["head"]
    chain.sql("DELETE FROM audit WHERE id > (SELECT max(id) - 2 FROM audit)")
    for _ in range(3):
        make_key(chain, "a new end")
    assert verify(chain)["whole"]
    assert wrong_rows(chain, "--expect", head) == [int(head.partition(":")[0])]


def test_acts_at_once_make_one_chain(shop):
    before = shop.one("SELECT count(*) FROM audit")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: make_key(shop, f"at once {n}"), range(24)))
    told = verify(shop)
    assert told["whole"] and told["rows"] == before + 24


def test_acts_of_two_processes_make_one_chain(shop):
    """Each transaction appends while the other waits, whatever its snapshot was."""

    with shop.services.connect(shop.database) as one, shop.services.connect(shop.database) as two:
        append = "SELECT audit_append('t', 'test', %s, 'r')"
        one.cursor().execute(append, ("one",))
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(two.cursor().execute, append, ("two",))
            with pytest.raises(concurrent.futures.TimeoutError):
                waiting.result(0.1)
            one.commit()
            waiting.result(10)
            two.commit()
        ids = shop.sql("SELECT target FROM audit ORDER BY id DESC LIMIT 2")
    one.close()
    two.close()
    assert ids == [("two",), ("one",)] and verify(shop)["whole"]


@pytest.mark.parametrize("role", PROGRAM_ROLES)
def test_no_program_may_change_or_remove_an_act(shop, role):
    make_key(shop, "stays")
    link = shop.services.connect(shop.database)
    link.autocommit = True
    with link.cursor() as cursor:
        cursor.execute(f"SET SESSION AUTHORIZATION {role}")
        for statement in ("UPDATE audit SET reason = 'x'", "DELETE FROM audit", "TRUNCATE audit",
                          "ALTER TABLE audit DISABLE TRIGGER ALL", "DROP TABLE audit",
                          "DROP FUNCTION audit_append"):
            with pytest.raises(Exception, match="permission denied|must be owner"):
                cursor.execute(statement)
    link.close()
    assert verify(shop)["whole"]
