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


def begin(shop, letters, rate=0, ramp=(1, 5, 20, 100, 500), stop_share=20):
    """The id of a new run of these letters."""
    return shop.one(
        "INSERT INTO replay_run (ids, actor, reason, rate, ramp, stop_share) "
        "VALUES (%s, 'test', 'test', %s, %s, %s) RETURNING id", list(letters), rate, list(ramp), stop_share)


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

