"""Replay runs: many dead letters go on at a pace, each once, whatever is killed meanwhile."""
import os

import pytest

from harness import must, wait_for
from harness.letters import make_letters
from harness.outcomes import open_quick_shop

IS_ASAN = "asan" in os.environ.get("DOCKET_BUILD", "build")
MANY = 1000 if IS_ASAN else 10_000


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
