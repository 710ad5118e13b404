"""docket dead: what operators type about dead letters, and what they see."""
import csv
import io
import json
import os
import re
import signal
import subprocess

import pytest

from docket_local import order


@pytest.fixture(scope="module")
def shop(docket):
    docket.start("api")
    docket.stock_up()
    docket.make_keys()
    docket.letters = [letter(docket, n) for n in range(6)]
    return docket


def letter(shop, number):
    """Every second one is an order that gave up on paying; the rest are paid and not shipped."""
    told = shop.post_order()
    uuid, is_paid = order.to_uuid(told.id), number % 2
    shop.sql("UPDATE orders SET status = %s WHERE id = %s", 3 if is_paid else 8, uuid)
    if is_paid:
        shop.sql("INSERT INTO task (order_id, stage) VALUES (%s, 2)", uuid)
    shop.sql("UPDATE task SET state = 6 WHERE order_id = %s AND stage = %s", uuid, 1 + is_paid)
    return shop.one(
        "INSERT INTO dead_letter (order_id, stage, fingerprint, fault_kind, fault_code, fault_text, "
        "attempts, crashes, amount, currency, history) VALUES (%s, %s, '', 'broken', 'gone', "
        "'no \"answer\", timed out', 12, 2, 7020, 'EUR', (SELECT jsonb_agg(jsonb_build_object("
        "'version', version, 'at', at, 'kind', kind, 'process', process, 'detail', detail)) "
        "FROM order_event WHERE order_id = %s)) RETURNING id", uuid, 1 + is_paid, uuid)


def run(shop, *arguments):
    binary = os.path.join(shop.services.build, "ops/docket")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("DOCKET_")}
    done = subprocess.run([binary, "dead", *arguments], env={**ours, **shop.world.environment("docket")},
                          capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout, done.stderr


def test_incidents_say_what_is_at_risk_and_what_to_do(shop):
    code, said, _ = run(shop, "list")
    assert code == 0 and "inc_" in said and "210.60 EUR" in said and "421.20 EUR" in said
    listed = json.loads(run(shop, "list", "stage:payment", "--json")[1])["incidents"]
    assert [row["open"] for row in listed] == [3]
    code, said, _ = run(shop, "show", listed[0]["incident"])
    assert code == 0 and all(word in said for word in ("means", "check", "replay", "3 open", "ord_"))


def test_a_letter_is_shown_as_a_story_and_not_as_json(shop):
    code, said, _ = run(shop, "show", str(shop.letters[0]))
    assert code == 0 and "accepted" in said and "70.20 EUR" in said and "{" not in said
    assert "nobody was asked for money" in said
    assert run(shop, "show", "999999")[0] == 1 and run(shop, "show", "code:gone")[0] == 2


def test_a_wrong_filter_is_marked_where_it_is_wrong(shop):
    code, _, why = run(shop, "list", "--rows", "stage:payment", "amount>5")
    assert code == 2 and "with the currency" in why
    lines = why.splitlines()
    at = next(n for n, line in enumerate(lines) if line.strip() == "^")
    assert lines[at - 1][lines[at].index("^"):] == "5"


def test_quotes_that_the_shell_took_are_put_back(shop):
    code, said, _ = run(shop, "list", "--rows", "text~timed out", "stage:payment", "--json")
    assert code == 0 and len(json.loads(said)["dead_letters"]) == 3


def test_an_export_is_whole_in_both_formats(shop):
    code, said, _ = run(shop, "export", "code:gone")
    rows = json.loads(said)
    assert code == 0 and [row["id"] for row in rows] == shop.letters[::-1]
    code, said, _ = run(shop, "export", "code:gone", "--format", "csv")
    read = list(csv.DictReader(io.StringIO(said, newline="")))
    assert code == 0 and [int(row["id"]) for row in read] == shop.letters[::-1]
    assert read[0]["fault_text"] == 'no "answer", timed out' and "Ada " not in said and "@" not in said
    assert json.loads(run(shop, "export", "code:none")[1]) == []


def test_a_discard_is_only_told_until_yes_is_said(shop):
    assert run(shop, "discard", "--reason", "x")[0] == 2
    assert run(shop, "discard", "code:gone")[0] == 2  # why?
    code, said, _ = run(shop, "discard", "code:gone", "--reason", "tests")
    assert code == 0 and "Nothing was done" in said and said.count("210.60 EUR") == 2
    assert shop.one("SELECT count(*) FROM dead_letter WHERE state = 'open'") == 6
    code, said, _ = run(shop, "discard", str(shop.letters[1]), "--reason", "paid")
    assert code == 1 and "the order is paid" in said
    code, said, _ = run(shop, "discard", "code:gone", "--reason", "tests", "--yes")
    assert code == 0 and "3 letters discarded; 3 orders ended as canceled" in said and "3 kept" in said
    assert shop.one("SELECT count(*), min(reason) FROM audit WHERE act = 'dead discard'") == (1, "tests")
    code, said, _ = run(shop, "discard", "--all", "--reason", "tests", "--yes", "--json")
    assert code == 0 and json.loads(said)["discarded"] == 0


def test_an_export_that_is_interrupted_goes_on_where_it_stopped(shop):
    """Ctrl-C while nobody reads: the page is written to its end, and the rest follows with the cursor said."""
    shop.sql("INSERT INTO dead_letter (stage, fingerprint, fault_kind, fault_code, fault_text, attempts, crashes, "
             "amount, currency, history) SELECT 0, '', 'broken', 'many', 'x', 1, 0, 0, '', '{}' "
             "FROM generate_series(1, 2500)")
    wish = ("export", "code:many", "--format", "jsonl")
    binary = os.path.join(shop.services.build, "ops/docket")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("DOCKET_")}
    with subprocess.Popen([binary, "dead", *wish], env={**ours, **shop.world.environment("docket")}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        first = os.read(child.stdout.fileno(), 1).decode()
        child.send_signal(signal.SIGINT)
        said, why = child.communicate(timeout=30)
    assert child.returncode == -signal.SIGINT, why
    cursor = re.search(r"--cursor (\S+) writes the rest", why)[1]
    code, rest, why = run(shop, *wish, "--cursor", cursor)
    assert code == 0, why
    said = first + said
    ids = [json.loads(line)["id"] for line in [*said.splitlines(), *rest.splitlines()]]
    assert len(said.splitlines()) <= 2000 and len(ids) == 2500 and ids == sorted(set(ids), reverse=True)
