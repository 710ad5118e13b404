"""What starts and stops our processes: it never takes another's process or port for ours."""
import json
import os
import signal
import socket
import subprocess
import threading

import pytest

from docket_local import ports, process
from docket_local.home import Home


@pytest.fixture
def home(tmp_path):
    said = []
    home = Home(tmp_path / "home", 18000, said.append)
    home.said = said
    return home


@pytest.fixture
def sleeper(home):
    child = process.start(home, process.Spec("sleeper", ["sleep", "600"]))
    yield child
    child.kill()
    child.wait()


def test_a_process_is_known_by_pid_and_start(home, sleeper):
    assert process.running(home, "sleeper") == sleeper.pid


def test_a_frozen_process_is_woken_before_it_is_told_to_end_and_never_after(home, sleeper, monkeypatch):
    told, really_tell = [], process.tell
    monkeypatch.setattr(process, "tell", lambda pid, sig: (told.append(sig), really_tell(pid, sig)))
    os.kill(sleeper.pid, signal.SIGSTOP)
    assert process.stop(home, "sleeper")
    assert told == [signal.SIGCONT, signal.SIGTERM]


def test_a_pid_that_is_somebody_elses_by_now_is_left_alone(home, sleeper):
    other = subprocess.Popen(["sleep", "600"])
    try:
        process.record(home, "gone", other.pid, "")
        about = process.recorded(home, "gone")
        about["started"] -= 1  # the same pid, an earlier process
        with open(home.at("run", "gone.json"), "w", encoding="utf-8") as file:
            json.dump(about, file)
        assert process.running(home, "gone") is None
        assert process.stop(home, "gone", deadline_s=1)
        assert other.poll() is None, "a stranger was stopped"
    finally:
        other.kill()
        other.wait()


def test_stop_ends_a_frozen_process(home, sleeper):
    os.kill(sleeper.pid, signal.SIGSTOP)
    assert process.stop(home, "sleeper", deadline_s=5)
    assert sleeper.wait(5) == -signal.SIGTERM


def test_stop_kills_what_does_not_listen_and_says_so(home):
    child = process.start(home, process.Spec(
        "deaf", ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"]))
    with open(home.log("deaf"), encoding="utf-8") as log:
        while "deaf" not in log.read():
            assert child.poll() is None
    threading.Thread(target=child.wait, daemon=True).start()
    assert process.stop(home, "deaf", deadline_s=0.3) is False
    assert process.running(home, "deaf") is None


def test_a_busy_port_is_named_and_another_taken(home):
    home.first_port = wanted = ports.free_from(18000, ())
    with socket.socket() as busy:
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        busy.bind(("127.0.0.1", wanted))
        busy.listen()
        taken = home.choose_port("api")
    assert taken != wanted
    assert home.said == [f"port {wanted} (api) is busy; taking {taken}"]


def test_a_port_is_kept_from_one_start_to_the_next(home):
    port = home.choose_port("api")
    assert Home(home.path, 19000, print).choose_port("api") == port


def test_what_is_started_sees_nothing_of_the_callers_environment(home):
    os.environ["DOCKET_STRAY"] = "1"
    try:
        child = process.start(home, process.Spec("env", ["env"], env={"WANTED": "1"}))
        child.wait(5)
    finally:
        del os.environ["DOCKET_STRAY"]
    with open(home.log("env"), encoding="utf-8") as file:
        names = {line.partition("=")[0] for line in file}
    assert names == {"PATH", "LANG", "WANTED", "PWD"} - ({"PWD"} - names)


def test_state_and_logs_are_the_owners_alone(home, sleeper):
    home.secret("x")
    for path in (home.path, home.at("state.json"), home.log("sleeper")):
        assert os.stat(path).st_mode & 0o077 == 0, path


def test_wipe_removes_what_is_ours_and_nothing_else(home, tmp_path):
    home.secret("x")
    (tmp_path / "home" / "mine.txt").write_text("keep")
    home.wipe()
    assert os.listdir(home.path) == ["mine.txt"]


def test_who_waits_for_a_home_says_so_and_comes_in_after(home):
    order = []
    inside, may_go = threading.Event(), threading.Event()

    def first():
        with home.locked():
            inside.set()
            may_go.wait(5)
            order.append("first")

    other = Home(home.path, 18000, lambda text: (order.append(text), may_go.set()))
    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(5)
    with other.locked():
        order.append("second")
    thread.join(5)
    assert "another one is at work here" in order[0] and order[1:] == ["first", "second"]


def test_a_home_that_was_wiped_while_we_waited_is_made_again(home):
    other = Home(home.path, 18000, lambda text: wiped.set())
    wiped = threading.Event()
    seen = []

    def wait():
        with other.locked():
            seen.append(os.path.exists(other.at("lock")))

    with home.locked():
        thread = threading.Thread(target=wait)
        thread.start()
        wiped.wait(5)
        home.wipe()
    # leaving the block closes the wiped lock; the other one makes a new home and a new lock
    thread.join(5)
    assert seen == [True]
