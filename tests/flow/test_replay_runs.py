"""Replay runs: many dead letters go on at a pace, each once, whatever is killed meanwhile."""
import json
import os
import signal
import subprocess

import pytest

from docket_local.problem import Problem
from harness import must, wait_for
from harness.letters import make_letters
from harness.outcomes import open_quick_shop

IS_ASAN = "asan" in os.environ.get("DOCKET_BUILD", "build")
MANY = int(os.environ.get("REPLAY_LETTERS", 400 if IS_ASAN else 1500))  # 10,000 take a minute


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    return open_quick_shop(docket)


@pytest.fixture(autouse=True)
def leave_no_faults(shop):
    yield
    shop.no_faults()


def begin(shop, letters, **wishes):
    """The id of a new run of these letters, or of a filter."""
    members = {"filter": letters} if isinstance(letters, str) else {"ids": list(letters)}
    answer = shop.operator.post("/admin/runs", members | {"rate": 0, "reason": "a test"} | wishes)
    must(answer.status, 200, repr(answer))
    return answer.json["id"]


def act(shop, run, what, **more):
    return shop.operator.post(f"/admin/runs/{run}/{what}", {"reason": "a test"} | more).status


def of_run(shop, run):
    return shop.one("SELECT state, members, released, skipped, succeeded, failed_same, failed_new "
                    "FROM replay_run WHERE id = %s", run)


def wait_run(shop, run, state, deadline_s=30):
    wait_for(lambda: of_run(shop, run)[0] == state, deadline_s, f"run {run} is {state}")
    return of_run(shop, run)


def replays(shop, letters):
    """How often each of these orders was replayed: {times: how many}."""
    return dict(shop.sql(
        "SELECT n, count(*) FROM (SELECT (SELECT count(*) FROM order_event e WHERE e.order_id = d.order_id"
        " AND e.kind = 'replayed') AS n FROM dead_letter d WHERE d.id = ANY (%s)) AS each GROUP BY n",
        list(letters)))


def test_each_member_goes_on_once_step_by_step(shop):
    letters = make_letters(shop, 150)
    run = begin(shop, letters)
    must(wait_run(shop, run, "done"), ("done", 150, 150, 0, 150, 0, 0), "the run")
    must(replays(shop, letters), {1: 150}, "replays")
    must(shop.sql("SELECT step, count(*) FROM replay_item WHERE run_id = %s GROUP BY step ORDER BY step",
                  run), [(1, 1), (2, 5), (3, 20), (4, 100), (5, 24)], "the steps")
    must(shop.one("SELECT count(*) FROM (SELECT step, min(released_at) AS first FROM replay_item WHERE "
                  "run_id = %(r)s GROUP BY step) AS s JOIN replay_item i ON i.run_id = %(r)s AND "
                  "i.step = s.step - 1 WHERE i.ended_at > s.first" % {"r": run}) <= 21, True,
         "outcomes that came after the next step began")
    shop.books().must_balance()


def test_a_filter_says_who_the_members_are_and_two_runs_have_one_effect(shop):
    letters = make_letters(shop, 40, code="twice_filtered")
    runs = [begin(shop, "code:twice_filtered", ramp=[5, 100]) for _ in range(2)]
    ended = [wait_run(shop, run, "done") for run in runs]
    must(sum(run[2] for run in ended), 40, "released by both")
    must(replays(shop, letters), {1: 40}, "replays")
    shop.books().must_balance()


def test_a_run_is_paused_resumed_and_canceled(shop):
    letters = make_letters(shop, 30)
    run = begin(shop, letters, rate=1)
    must(act(shop, run, "pause"), 200, "pause")
    must(act(shop, run, "pause"), 409, "pause again")
    before = of_run(shop, run)[2]
    must(act(shop, run, "resume"), 200, "resume")
    wait_for(lambda: of_run(shop, run)[2] > before, 10, "it goes on")
    must(act(shop, run, "cancel"), 200, "cancel")
    at_cancel = of_run(shop, run)[2]
    must(act(shop, run, "resume"), 409, "what was canceled stays so")
    must((of_run(shop, run)[0], of_run(shop, run)[2] < 30), ("canceled", True), "the run")
    must(replays(shop, letters)[1], at_cancel, "replays")
    must(shop.one("SELECT count(*) FROM audit WHERE target = %s", f"replay_run {run}"), 4, "acts")


def test_a_run_stops_by_itself_while_the_provider_fails(shop):
    letters = make_letters(shop, 30)
    shop.fault("confirm", "wrong_amount")
    run = begin(shop, letters)
    state, *_, failed_new = wait_run(shop, run, "stopped")
    must((state, failed_new), ("stopped", 1), "the run")
    must(replays(shop, letters)[1], 1, "replays")


def test_the_command_makes_shows_and_ends_runs(shop):
    letters = make_letters(shop, 12, code="by_command")
    looked = shop.docket("dead", "replay", "code:by_command", "--reason", "a test")
    must("Nothing was done" in looked and "12" in looked and "nobody was asked for money" in looked, True, looked)
    must(replays(shop, letters), {0: 12}, "replays after a look")
    made = shop.docket("dead", "replay", "code:by_command", "--reason", "a test", "--rate", "1",
                       "--ramp", "1,2", "--yes", "--json")
    run = str(json.loads(made)["id"])
    shop.docket("dead", "pause", run, "--reason", "a test")
    must("paused" in shop.docket("dead", "runs", run), True, "the state that is shown")
    shop.docket("dead", "resume", run, "--reason", "a test")
    shop.docket("dead", "pace", run, "--rate", "0", "--reason", "a test")
    wait_run(shop, int(run), "done")
    must(replays(shop, letters), {1: 12}, "replays")
    shown = shop.docket("dead", "runs", run)
    must("12 released" in shown, True, shown)
    must("code:by_command" in shop.docket("dead", "runs"), True, "the list")
    with pytest.raises(Problem, match="nothing was changed"):
        shop.docket("dead", "cancel", run, "--reason", "a test")
    with pytest.raises(Problem, match="no ramp"):
        shop.docket("dead", "replay", "code:by_command", "--reason", "x", "--ramp", "1,x", "--yes")


def test_a_filter_that_nothing_fits_makes_no_run(shop):
    before = shop.one("SELECT count(*) FROM replay_run")
    command = ("dead", "replay", "code:nobody_has_it", "--reason", "a test", "--yes")
    must(shop.docket(*command), "No dead letter fits; no run was made.\n", "what is said")
    must(json.loads(shop.docket(*command, "--json")), {"id": None}, "what is said as JSON")
    must(shop.one("SELECT count(*) FROM replay_run"), before, "runs")


def plan(shop, code):
    """{order's uuid: what a replay would do}, and the sums."""
    answer = shop.operator.get(f"/admin/dead/plan?filter=code:{code}%20state:all&letters=1").json
    sums = {row["plan"]: row["count"] for row in answer["plans"]}
    must(sum(sums.values()), len(answer["letters"]), "sums")
    return {row["id"]: row["plan"] for row in answer["letters"]}, answer


def test_the_preview_says_per_order_what_will_happen_from_the_books(shop):
    letters = make_letters(shop, 10, code="planned")
    ids = list(letters)
    books = {
        "pays": "SELECT 1",
        "looks_up": "INSERT INTO payment_attempt (order_id, number, state, provider, method, amount, currency, sent_at) "
                    "VALUES (%(o)s, 1, 6, 'stripe', 'pm', 1780, 'EUR', now())",
        "went_paid": "INSERT INTO payment_attempt (order_id, number, state, provider, method, amount, currency, captured) "
                     "VALUES (%(o)s, 1, 3, 'stripe', 'pm', 1780, 'EUR', 1780)",
        "order_canceled": "UPDATE orders SET status = 10, final = true WHERE id = %(o)s",
        "order_final": "UPDATE orders SET status = 4, final = true WHERE id = %(o)s",
        "went_on": "UPDATE task SET state = 5 WHERE order_id = %(o)s",
        "replaying": "UPDATE dead_letter SET state = 'replaying' WHERE id = %(l)s",
        "resolved": "UPDATE dead_letter SET state = 'resolved' WHERE id = %(l)s",
        "discarded": "UPDATE dead_letter SET state = 'discarded' WHERE id = %(l)s",
        "no_order": "UPDATE dead_letter SET order_id = NULL WHERE id = %(l)s",
    }
    for letter, what in zip(ids, books.values()):
        shop.sql(what % {"o": f"'{letters[letter]}'", "l": letter} if "%" in what else what)
    found, _ = plan(shop, "planned")
    must(found, dict(zip(ids, books)), "the plan")
    said = shop.docket("dead", "replay", "code:planned", "--reason", "a test", "--rows")
    for words in ("looked up first", "paid already", "canceled meanwhile", "has ended"):
        assert words in said, said
    shop.docket("pause", "stripe", "--reason", "a test of held back")
    said = shop.docket("dead", "replay", "code:planned", "--reason", "a test", "--rate", "1", "--ramp", "10")
    assert "stripe is held back" in said and "It takes" in said, said
    shop.docket("resume", "stripe", "--reason", "a test")
    shop.sql("DELETE FROM payment_attempt WHERE order_id = ANY (%s::uuid[])", list(letters.values()))
    shop.sql("DELETE FROM dead_letter WHERE id = ANY (%s)", ids)
    for table, key in (("order_event", "order_id"), ("task", "order_id"), ("order_line", "order_id"),
                       ("order_contact", "order_id"), ("order_key", "order_id"), ("orders", "id")):
        shop.sql(f"DELETE FROM {table} WHERE {key} = ANY (%s::uuid[])", list(letters.values()))


def test_what_was_planned_is_what_happens(shop):
    letters = make_letters(shop, 6, code="kept")
    found, answer = plan(shop, "kept")
    must(set(found.values()), {"pays"}, "the plan")
    run = begin(shop, "code:kept")
    must(wait_run(shop, run, "done"), ("done", 6, 6, 0, 6, 0, 0), "the run")
    shown = shop.operator.get(f"/admin/runs/{run}").json
    must((shown["state"], shown["succeeded"], shown["ends_in_ms"]), ("done", 6, None), "the run as it is shown")
    report = shop.docket("dead", "runs", str(run))
    assert "done" in report and "after" in report and "succeeded   6" in report, report
    must(replays(shop, letters), {1: 6}, "replays")


def test_a_run_waits_while_what_it_needs_is_held_back(shop):
    letters = make_letters(shop, 8, code="held")
    shop.docket("pause", "stripe", "--reason", "a test")
    run = begin(shop, "code:held")
    wait_for(lambda: shop.operator.get(f"/admin/runs/{run}").json["waits_for"] == "stripe", 10, "it waits")
    assert "stripe is held back" in shop.docket("dead", "runs", str(run))
    must(of_run(shop, run)[2], 0, "released while the provider is held back")
    shop.docket("resume", "stripe", "--reason", "a test")
    must(wait_run(shop, run, "done")[4], 8, "succeeded")
    must(replays(shop, letters), {1: 8}, "replays")


def test_killing_relay_and_command_changes_nothing_but_the_time(shop):
    """At 30 % of them; by default fewer than the 10,000 of the promise (REPLAY_LETTERS)."""
    letters = make_letters(shop, MANY, code="many")
    binary = os.path.join(shop.services.build, "ops/docket")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("DOCKET_")}
    with subprocess.Popen([binary, "status", "--watch"], env={**ours, **shop.world.environment("docket")},
                          stdout=subprocess.DEVNULL) as watcher:
        shop.docket("dead", "replay", "code:many", "--reason", "a test", "--rate", "0", "--yes")
        run = shop.one("SELECT max(id) FROM replay_run")
        wait_for(lambda: of_run(shop, run)[2] >= MANY * 0.3, 60, "30 % are released")
        shop.kill("relay")
        watcher.send_signal(signal.SIGKILL)
    must(of_run(shop, run)[2] < MANY, True, "it was killed on its way")
    shop.start("relay", env={"DOCKET_SWEEP_S": 1})
    must(wait_run(shop, run, "done", 300), ("done", MANY, MANY, 0, MANY, 0, 0), "the run")
    must(replays(shop, letters), {1: MANY}, "replays")
    must(shop.sql("SELECT state, count(*) FROM replay_item WHERE run_id = %s GROUP BY state", run),
         [("succeeded", MANY)], "members")


def test_a_frozen_relay_that_wakes_up_doubles_nothing(shop):
    letters = make_letters(shop, 120, code="frozen")
    run = begin(shop, "code:frozen", rate=20, ramp=[120])
    wait_for(lambda: of_run(shop, run)[2] >= 10, 20, "it is on its way")
    shop.freeze("relay")
    frozen_at = of_run(shop, run)[2]
    shop.start("relay", label="relay2", env={"DOCKET_SWEEP_S": 1})
    wait_for(lambda: of_run(shop, run)[2] > frozen_at, 20, "another relay goes on")
    shop.docket("dead", "pace", str(run), "--rate", "0", "--reason", "the rest at once")
    shop.thaw("relay")
    must(wait_run(shop, run, "done"), ("done", 120, 120, 0, 120, 0, 0), "the run")
    must(replays(shop, letters), {1: 120}, "replays")
    shop.stop("relay2")
    shop.books().must_balance()


def test_members_of_old_runs_are_taken_away_and_the_report_stays(shop):
    letters = make_letters(shop, 3, code="old")
    run = begin(shop, list(letters))
    wait_run(shop, run, "done")
    shop.sql("UPDATE replay_run SET ended_at = now() - interval '31 days' WHERE id = %s", run)
    shop.restart("relay", env={"DOCKET_SWEEP_S": 1})  # looks when it begins to lead
    wait_for(lambda: shop.one("SELECT trimmed_at IS NOT NULL FROM replay_run WHERE id = %s", run), 20, "trimmed")
    must(shop.one("SELECT count(*) FROM replay_item WHERE run_id = %s", run), 0, "members")
    must(of_run(shop, run), ("done", 3, 3, 0, 3, 0, 0), "the report")
