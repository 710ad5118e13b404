"""ops/up and ops/down as a person uses them, in a home below a directory that only its owner enters.

Runs once for all tests here; each leaves a Docket that runs.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest
import record

from docket_local import process
from docket_local.home import Home
from harness import readme
from harness.services import ROOT

NAMES = ("api", "relay", "payment", "fulfilment", "sandbox", "postgres", "rabbitmq")
VARIABLES = ("DOCKET_URL", "DOCKET_OPERATOR_URL", "DOCKET_SANDBOX_URL", "DOCKET_METRICS_URLS",
             "DOCKET_KEY", "DOCKET_READ_KEY", "DOCKET_OPERATOR_KEY", "DOCKET_PG", "DOCKET_AMQP")


class Ops:
    def __init__(self, home):
        self.home = pathlib.Path(home)
        self.env = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
        self.env["DOCKET_HOME"] = home

    def begin(self, name, *arguments):
        return subprocess.Popen([os.path.join(ROOT, "ops", name), *arguments], env=self.env,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    def run(self, name, *arguments):
        child, began = self.begin(name, *arguments), time.monotonic()
        self.said = child.communicate(timeout=180)[0]
        self.took_s = time.monotonic() - began
        assert child.returncode == 0, self.said
        return self.said

    def shell(self, script):
        """As a person who types it, with the environment that ops/up leaves."""
        done = subprocess.run(["bash", "-ec", f'. "$DOCKET_HOME/env"; {script}'], env=self.env,
                              capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def pid(self, name):
        return int((self.home / "run" / f"{name}.pid").read_text())

    def pids(self):
        return {name: self.pid(name) for name in NAMES}

    def kill(self, name):
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        assert process.gone(Home(self.home, 0), name, 10)
        return pid


@pytest.fixture(scope="module")
def ops():
    parent = tempfile.mkdtemp(prefix="docket-up-")  # 0700
    ops = Ops(os.path.join(parent, "home"))
    try:
        ops.run("up")
        ops.first_said, ops.first_took_s = ops.said, ops.took_s
        yield ops
    finally:
        ops.run("down", "--wipe")
        shutil.rmtree(parent)


def test_the_first_time_takes_a_minute_at_most(ops):
    assert ops.first_took_s < 60


def test_prints_the_life_of_an_order_with_who_and_when(ops):
    life = re.findall(r"^ +(\w+) +(\S+) +(\S+) +\+ *([\d.]+) ms$", ops.first_said, re.M)
    assert [row[0] for row in life][0] == "accepted" and life[-1][0] == "fulfilled", ops.first_said
    assert {"confirmed", "processing"} <= {row[0] for row in life}
    public_id = re.search(r"ord_\w+", ops.first_said).group()
    stored = ops.shell(f'{ROOT}/build/ops/docket order show {public_id} --json')
    assert json.loads(stored)["status"] == "fulfilled"


def test_says_what_to_try_and_it_works(ops):
    script = ops.first_said.partition("Try:\n")[2]
    curl = re.search(r"  (curl -si .*?order\.json\")$", script, re.S | re.M)[1]
    answer = ops.shell(curl)
    assert re.match(r"HTTP/1.1 202 ", answer), answer
    public_id = re.search(r"ord_\w+", answer).group()
    show = re.search(r"^  (\S+ order show) ", script, re.M)[1]
    assert public_id in ops.shell(f"{show} {public_id}")
    ops.shell(re.search(r"^  (\S+ dead list)$", script, re.M)[1])
    assert '"kind"' in ops.shell('curl -s "$DOCKET_SANDBOX_URL/ledger" | tail -n 3')


def test_lets_the_page_of_the_docs_in(ops):
    answer = ops.shell('curl -si -X OPTIONS "$DOCKET_URL/v1/orders" -H "Origin: http://localhost:3000" '
                       '-H "Access-Control-Request-Method: POST"')
    assert "Access-Control-Allow-Origin: http://localhost:3000\n" in answer.replace("\r", ""), answer


def test_leaves_every_variable_and_for_the_owner_only(ops):
    for name in VARIABLES:
        assert ops.shell(f'echo "${name}"').strip(), f"{name} is empty"
    assert os.stat(ops.home / "env").st_mode & 0o777 == 0o600


def test_the_services_answer_to_what_env_says(ops):
    assert ops.shell('psql "$DOCKET_PG" -XAtc "SELECT count(*) > 0 FROM orders"').strip() == "t"
    for url in ops.shell('echo "$DOCKET_METRICS_URLS"').split():
        assert "# TYPE" in ops.shell(f"curl -sf {url}")
    assert ops.shell('curl -sf "$DOCKET_OPERATOR_URL/readyz"')


def test_nothing_runs_as_root(ops):
    for name, pid in ops.pids().items():
        assert os.stat(f"/proc/{pid}").st_uid != 0, name


def test_everything_listens_on_loopback_only(ops):
    mine = {f"socket:[{row[9]}]": row[1] for row in listening()}
    for name, pid in ops.pids().items():
        held = {os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")}
        for address in (mine[socket_] for socket_ in held & set(mine)):
            assert address.startswith(("0100007F:", "0" * 24 + "01000000:")), (name, address)


def listening():
    for table in ("tcp", "tcp6"):
        with open(f"/proc/net/{table}", encoding="ascii") as file:
            rows = [line.split() for line in file.readlines()[1:]]
        yield from (row for row in rows if row[3] == "0A")


def test_again_is_quick_and_leaves_what_runs_alone(ops):
    before = ops.pids()
    ops.run("up")
    assert ops.took_s < ops.first_took_s / 2, ops.said
    assert ops.pids() == before


@pytest.mark.parametrize("name", NAMES)
def test_starts_what_has_died(ops, name):
    before = ops.pids()
    dead = ops.kill(name)
    ops.run("up")
    after = ops.pids()
    assert after[name] != dead
    assert {other: pid for other, pid in before.items() if other != name} == \
        {other: pid for other, pid in after.items() if other != name}
    assert "fulfilled" in ops.said
    assert ops.took_s < 30, ops.said


def test_two_at_once_make_one_docket(ops):
    ops.kill("relay")
    ops.kill("api")
    both = [ops.begin("up"), ops.begin("up")]
    said = [child.communicate(timeout=120)[0] for child in both]
    assert [child.returncode for child in both] == [0, 0], said
    assert any("another one is at work here" in text for text in said)
    assert sum("programs: started" in text for text in said) == 1, said


def test_names_a_busy_port_and_takes_another(ops):
    port = int(ops.shell('echo "${DOCKET_SANDBOX_URL##*:}"'))
    ops.kill("sandbox")
    with socket.socket() as busy:
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        busy.bind(("127.0.0.1", port))
        busy.listen()
        ops.run("up")
    assert re.search(rf"port {port} \(sandbox\) is busy; taking \d+", ops.said), ops.said
    assert int(ops.shell('echo "${DOCKET_SANDBOX_URL##*:}"')) != port
    assert "fulfilled" in ops.said


def test_a_step_that_fails_says_which_and_why_and_where_the_log_is(ops):
    ops.kill("sandbox")
    binary = ops.home / "data/bin/docket-sandbox"
    moved = binary.with_suffix(".aside")
    binary.rename(moved)
    binary.mkdir()
    child = ops.begin("up")
    said = child.communicate(timeout=60)[0]
    binary.rmdir()
    moved.rename(binary)
    assert child.returncode != 0
    assert re.search(r'ops/up: step "build" failed: .*docket-sandbox', said), said
    ops.run("up")


def test_down_stops_all_and_up_goes_on_with_what_was_there(ops):
    pids = ops.pids()
    orders = int(ops.shell('psql "$DOCKET_PG" -XAtc "SELECT count(*) FROM orders"'))
    ops.run("down")
    assert not [name for name, pid in pids.items() if process.start_time(pid)], ops.said
    ops.run("up")
    assert int(ops.shell('psql "$DOCKET_PG" -XAtc "SELECT count(*) FROM orders"')) == orders + 1


def test_no_secret_is_printed_or_in_a_log_but_in_env(ops):
    secrets = json.loads((ops.home / "state.json").read_text())["secrets"]
    logs = "".join(path.read_text(errors="replace") for path in (ops.home / "log").iterdir())
    for name, secret in secrets.items():
        assert secret not in ops.first_said, f"{name} was printed"
        assert secret not in logs, f"{name} is in a log"


@pytest.mark.parametrize("scene", ["up", *record.SCENES])
def test_the_recordings_show_what_happens(ops, scene):
    said = record.up(ops.first_said) if scene == "up" else record.play(scene, str(ops.home))
    shown = record.recorded()[scene]
    assert record.essence(shown) == record.essence(said), \
        f"run: python3 ops/lib/record.py\n--- README.md shows\n{shown}\n--- it answered\n{said}"


@pytest.mark.parametrize("page", ["README.md", "docs/api.md"])
def test_the_readme_shows_what_happens(ops, page):
    shown = readme.steps(page)
    answers = readme.answers(page, ops.env)
    assert len(answers) == len(shown)
    for (command, expected), answer in zip(shown, answers):
        assert readme.is_as_printed(expected, answer), \
            f"$ {command}\n--- {page} says\n{expected}\n--- it answered\n{answer}"
