"""The whole Docket under load, while what it stands on is killed, restarted and frozen."""
import os
import signal
import time

import loads
import pytest
from lane import SETTINGS, Lane
from load import Load

from docket_local import order, process, programs
from harness import TRAVELLERS, Client, must, wait_for
from harness.client import new_key

WORKERS = ("payment", "fulfilment")
WORKER_LEASE_S, RELAY_LEASE_S = 10, 3


@pytest.fixture(scope="module")
def lane(request, services):
    running = Lane(services)
    request.node.stash[TRAVELLERS] = [running.docket]
    yield running
    running.close()


@pytest.fixture
def docket(lane):
    lane.docket.no_faults()
    return lane.docket


def backends(docket):
    return [row[0] for row in docket.sql(
        "SELECT pid FROM pg_stat_activity WHERE datname = %s AND usename LIKE 'docket_%%' "
        "AND pid <> pg_backend_pid() AND usename <> 'docket_admin'", docket.database)]


def test_backends_of_postgres_are_killed(lane, docket):
    """Postgres ends every session and recovers, as after any crash of a backend."""
    loads.trouble(docket)
    with Load(docket) as load:
        for _ in range(2):
            load.more()
            process.tell(backends(docket)[0], signal.SIGKILL)
        load.more()
    lane.must_balance()


def test_postgres_is_restarted_immediately(lane, docket):
    loads.trouble(docket)
    with Load(docket) as load:
        for _ in range(2):
            load.more()
            docket.services.postgres_restart_immediate()
        load.more()
    lane.must_balance()


def test_all_processes_are_killed_at_once(lane, docket):
    loads.trouble(docket)
    with Load(docket) as load:
        for _ in range(3):
            load.more(15)
            kill_at_once(docket, ("api", "relay", *WORKERS))
        load.more()
    lane.must_balance()


def kill_at_once(docket, names):
    for name in names:
        docket.processes[name].was_killed = True
        os.kill(docket.pid(name), signal.SIGKILL)
    for name in names:
        docket.wait_ended(name, 5)
        docket.start(name, env=SETTINGS.get(name), wait=False)
    for name in names:
        docket.wait_ready(name)


def test_the_sandbox_is_killed(lane, docket):
    """What the provider and the carrier did is in their books; who asked does not know it."""
    with Load(docket) as load:
        for _ in range(3):
            load.more(15)
            docket.kill("sandbox")
            docket.start("sandbox")
        load.more()
    lane.must_balance()


def test_the_sandbox_is_frozen(lane, docket):
    """Calls time out; what was asked acts when the provider wakes."""
    with Load(docket) as load:
        load.more(15)
        docket.freeze("sandbox")
        try:
            wait_for(lambda: docket.sql("SELECT 1 FROM task WHERE state IN (3, 4)"), 20,
                     "a call that gave up, or a task that is parked since others did")
        finally:
            docket.thaw("sandbox")
        load.more()
    lane.must_balance()


def frozen_for(docket, labels, seconds):
    """Time itself is what is tested here: a lease lapses by it alone."""
    for label in labels:
        docket.freeze(label)
    until = time.monotonic() + seconds
    wait_for(lambda: time.monotonic() > until, seconds + 5, "the lease to lapse", every_s=0.2)
    for label in labels:
        docket.thaw(label)


@pytest.fixture
def seconds_of_each(docket):
    """A second relay and a second worker of each kind."""
    labels = {name: f"{name}2" for name in ("relay", *WORKERS)}
    for name, label in labels.items():
        docket.start(name, env=SETTINGS[name], label=label)
    yield labels
    for label in labels.values():
        docket.stop(label)


def test_frozen_workers_are_overtaken(lane, docket, seconds_of_each):
    """They held tasks and had calls under way; awake again, they write nothing."""
    docket.fault("confirm", "delay", ms=1500)
    docket.fault("ship", "delay", ms=1500)
    with Load(docket) as load:
        wait_for(lambda: held_by_all(docket), 30, "calls under way in each worker")
        frozen_for(docket, WORKERS, WORKER_LEASE_S + 2)
        load.more()
    docket.no_faults()
    lane.must_balance()
    assert docket.one("SELECT count(*) FROM task WHERE crashes > 0") > 0, "nobody was overtaken"


def held_by_all(docket):
    """Each worker process, the second ones too, holds a running task."""
    return len(docket.sql("SELECT DISTINCT worker_id FROM task WHERE state = 2")) >= 4


def test_a_frozen_relay_is_overtaken(lane, docket, seconds_of_each):
    with Load(docket) as load:
        load.more(15)
        for label in ("relay", seconds_of_each["relay"]):
            frozen_for(docket, [label], RELAY_LEASE_S + 1)
            load.more(15)
    lane.must_balance()


def test_a_frozen_api_answers_when_it_wakes(lane, docket):
    with Load(docket) as load:
        load.more(15)
        frozen_for(docket, ["api"], 3)
        load.more(15)
    lane.must_balance()


def test_both_frozen_workers_go_on(lane, docket):
    """Nobody else is there: after the lease they begin anew, and take over from themselves."""
    docket.fault("confirm", "delay", ms=1000)
    with Load(docket) as load:
        load.more(15)
        frozen_for(docket, [*WORKERS, "relay"], WORKER_LEASE_S + 2)
        load.more(15)
    docket.no_faults()
    lane.must_balance()


@pytest.mark.parametrize("moment", ["commit_sent", "commit_after"])
def test_an_api_killed_before_it_answers_gives_the_order_to_who_asks_again(lane, docket, moment):
    key, body = new_key(), docket.order_body()
    docket.kill("api")
    docket.start("api", point=f"accept.{moment}")
    client = Client(docket.port("api"), docket.checkout)
    told = docket.post_order(body, key, client=client)
    must(told.status, None, "an answer from a process that was killed before it")
    must(docket.wait_ended("api"), -signal.SIGKILL, "how the API ended")
    before = docket.sql("SELECT order_id::text FROM order_key WHERE key = %s", key)
    docket.start("api")
    answers = [docket.post_until_told(body, key) for _ in range(2)]
    must([answer.status for answer in answers], [202, 202], "answers")
    must(answers[0].answer.body, answers[1].answer.body, "the second body")
    if moment == "commit_after":
        must(order.to_public(before[0][0]), answers[0].id, "the order that was stored before")
    lane.must_balance()


def test_every_program_still_runs(docket):
    for name in programs.NAMES:
        assert docket.is_alive(name), f"{name} is gone"
