"""The negative control: with a bug planted in one program, the books must not agree.

The sweeper would mend the first two by itself, only later; it is switched off here.  Each test is
run with the healthy program, too: what it does to Docket is survived where there is no bug.
"""
import os
import shutil
import signal

import lane as lanes
import planted
import pytest

from harness import TRAVELLERS, Docket, must, wait_for

NEVER_SWEPT = {"DOCKET_SWEEP_S": 86400}
SETTLE_S = 8
LATE_REFUSAL = """
    CREATE FUNCTION refuse_late() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'too late' USING ERRCODE = 'check_violation';
    END $$;
    CREATE CONSTRAINT TRIGGER refuse_late AFTER INSERT ON order_key
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_late()"""


@pytest.fixture(scope="module")
def with_bugs():
    return planted.build()


@pytest.fixture(params=["healthy", "planted"])
def make(request, services, with_bugs):
    """make(name): a Docket in which that program has the bug, or has not."""
    running = []

    def start(name):
        docket = Docket(services)
        running.append(docket)
        request.node.stash[TRAVELLERS] = running
        docket.open_shop(**(lanes.SETTINGS | {"relay": NEVER_SWEPT}))
        docket.program = None
        if request.param == "planted":
            docket.program = f"planted-{name}"
            target = docket.home.at("data", "bin", docket.program)
            shutil.copyfile(with_bugs[name], target)
            os.chmod(target, 0o755)
        return docket

    start.has_bug = request.param == "planted"
    yield start
    for docket in running:
        for label in list(docket.processes):
            docket.kill(label)
        docket.close()


def restart(docket, name, point=None):
    """The program in question takes the place of the one that runs."""
    settings = NEVER_SWEPT if name == "relay" else lanes.SETTINGS.get(name)
    if docket.is_alive(name):
        docket.stop(name)
    docket.start(name, env=settings, point=point, program=docket.program)


def judge(docket, make):
    """With the bug, the books must not come to agree; without it, they must."""
    if make.has_bug:
        with pytest.raises(AssertionError):
            docket.books(settle_s=SETTLE_S).must_balance()
    else:
        docket.books(settle_s=30).must_balance()


def test_an_ack_before_the_outcome_is_committed(make):
    docket = make("payment")
    restart(docket, "payment", point="outcome.commit_before")
    docket.post_until_told()
    must(docket.wait_ended("payment"), -signal.SIGKILL, "how the worker ended")
    restart(docket, "payment")
    judge(docket, make)


def test_an_outbox_row_deleted_before_its_confirm(make):
    """The broker dies with the message: it stood still, and had read nothing of it."""
    docket = make("relay")
    restart(docket, "relay")
    docket.services.broker_sync()
    docket.services.broker_freeze()
    try:
        docket.post_until_told()
        wait_for(lambda: not make.has_bug or docket.one("SELECT count(*) FROM outbox") == 0, 10,
                 "the row is gone before its confirm")
    finally:
        docket.services.broker_kill_frozen()
        docket.services.broker_start()
        docket.services.wait_management()
    judge(docket, make)


def test_a_202_on_the_result_of_the_insert(make):
    """The commit itself fails, as it does on a full disk or a deferred constraint."""
    docket = make("api")
    restart(docket, "api")
    docket.sql(LATE_REFUSAL)
    told = docket.post_order()
    must(told.status == 202, make.has_bug, "a 202 for what was rolled back")
    judge(docket, make)
