"""One Docket of a test: a database and a vhost of its own, and processes to start, stop, kill."""
import copy
import glob
import json
import os
import re
import signal
import subprocess

from docket_local import order, process, programs
from docket_local.home import CWD
from docket_local.order import STATUSES

from .books import Books
from .client import Client, Told, new_key
from .services import ROOT
from .wait import wait_for

SANITIZER = re.compile(r"ERROR: (Address|Leak|Undefined|Thread)\w*Sanitizer|runtime error: ")
LISTENERS = ("api", "operator", "sandbox", "relay", "payment", "fulfilment")


class Running:
    def __init__(self, child, spec, name, world):
        self.child, self.spec, self.name, self.world = child, spec, name, world
        self.was_killed = False


class Docket:
    def __init__(self, services):
        self.services, self.home = services, services.home
        self.database, self.vhost = services.make_database(), services.make_vhost()
        self.world = self._world()
        self.processes, self.ended = {}, []
        # The orders of a test look alike; test_duplicates.py wants to see it, and benchmarks have others.
        self.defaults = {"payment": {"DOCKET_DUPLICATE_WINDOW_S": 0}}
        self.told, self.stock = [], {}
        self.link = self.checkout = self.reader = None
        self.api = self.operator = Client(0)
        self.sandbox = Client(self.world.ports["sandbox"])
        self.operator = Client(self.world.ports["operator"], self.world.operator_key())

    def _world(self):
        chosen = {name: self.services.free_port() for name in LISTENERS}
        return programs.World(self.home, chosen, self.database, self.vhost,
                              f"sandbox-{self.database}", webhooks=False)

    def port(self, listener):
        return self.world.ports[listener]

    # Processes.  A label tells two of one kind apart; without one it is the program's name.

    def start(self, name, env=None, label=None, wait=True, point=None, program=None):
        """name: api, relay, payment, fulfilment or sandbox.  point: where it is to kill itself
        (base/point.h; needs a build with points).  program: another one of data/bin instead."""
        label = label or name
        assert label not in self.processes, f"{label} already runs"
        world = self.world if label == name else self._second_world(name)
        env = {"DOCKET_POINT_LOG": f"points.{name}.log"} | ({"DOCKET_POINT": point} if point else {}) | \
            {key: str(value) for key, value in (self.defaults.get(name, {}) | (env or {})).items()}
        if name == "sandbox":
            os.makedirs(self.home.data(world.sandbox_dir), exist_ok=True)
            self.sandbox = Client(world.ports["sandbox"])  # a connection to an old one is of no use
        spec = world.spec(name, env, f"{self.database}.{label}")
        spec.env |= {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "LSAN_OPTIONS": "",
                     "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
        if program:
            spec.executable = f"{CWD}/bin/{program}"
        running = Running(process.start(self.home, spec), spec, name, world)
        self.processes[label] = running
        if wait:
            self.wait_ready(label)
        return running.child.pid

    def start_all(self, **env):
        for name in programs.NAMES:
            self.start(name, env=env.get(name), wait=False)
        for name in programs.NAMES:
            self.wait_ready(name)

    def _second_world(self, name):
        """The same Docket, but listeners of its own for one more process."""
        mine = {name: self.services.free_port(), "operator": self.services.free_port()}
        return programs.World(self.home, self.world.ports | mine, self.database, self.vhost,
                              self.world.sandbox_dir, webhooks=self.world.webhooks)

    def wait_ready(self, label, deadline_s=20):
        running = self.processes[label]
        wait_for(lambda: self._is_ready_or_ended(running), deadline_s, f"{label} is ready")
        if running.child.poll() is not None and not programs.is_ready(running.world, running.name):
            raise AssertionError(f"{label} ended ({running.child.returncode}) while starting:\n"
                                 + self.log(label)[-3000:])

    @staticmethod
    def _is_ready_or_ended(running):
        return running.child.poll() is not None or programs.is_ready(running.world, running.name)

    def pid(self, label):
        return self.processes[label].child.pid

    def is_alive(self, label):
        return label in self.processes and self.processes[label].child.poll() is None

    def stop(self, label, deadline_s=12):
        """SIGTERM; it must end by itself, with 0, before the deadline."""
        running = self.processes[label]
        process.tell_to_end(running.child.pid)
        code = self.wait_ended(label, deadline_s)
        assert code == 0, f"{label} was asked to end and ended with {code}:\n" \
            + self.log(label)[-3000:]

    def kill(self, label):
        self.processes[label].was_killed = True
        process.tell(self.processes[label].child.pid, signal.SIGKILL)
        return self.wait_ended(label, 5)

    def freeze(self, label):
        process.tell(self.pid(label), signal.SIGSTOP)

    def thaw(self, label):
        process.tell(self.pid(label), signal.SIGCONT)

    def wait_ended(self, label, deadline_s=20):
        """The exit code of a process that ends; -9 where it was killed, also by a point."""
        running = self.processes[label]
        try:
            code = running.child.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"after {deadline_s} s {label} still runs:\n"
                                 + self.log(label)[-3000:]) from None
        del self.processes[label]
        self.ended.append((label, running, code))
        return code

    def restart(self, label, **options):
        """A new process in the place of one that is gone, or is stopped for it."""
        if label in self.processes:
            self.stop(label)
        self.start(label.rstrip("0123456789"), label=label, **options)

    def log(self, label):
        try:
            with open(self.home.log(f"{self.database}.{label}"), errors="replace",
                      encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def log_tails(self, lines=40):
        """(title, text) for each process, for a report."""
        found = sorted(glob.glob(self.home.log(f"{self.database}.*")))
        found += [path for path in (self.home.log("postgres"),) if os.path.exists(path)]
        return [(os.path.basename(path), "\n".join(open(path, errors="replace", encoding="utf-8")
                                                   .read().splitlines()[-lines:]))
                for path in found if os.path.exists(path)]

    def points_hit(self, name="*"):
        """Every point that any process (of that program) has reached in this run."""
        found = set()
        for path in glob.glob(self.home.at("data", f"points.{name}.log")):
            with open(path, encoding="ascii") as file:
                found |= set(file.read().split())
        return found

    # The shop

    def open_shop(self, **env):
        self.start_all(**env)
        self.stock_up()
        self.make_keys()

    def stock_up(self, catalogue=None):
        if catalogue is None:
            with open(os.path.join(ROOT, "ops/lib/catalogue.json"), encoding="utf-8") as file:
                catalogue = json.load(file)
        path = self.home.at("data", f"catalogue-{self.database}.json")
        self.home.give_file(os.path.basename(path), json.dumps(catalogue))
        self.docket("catalogue", "load", os.path.basename(path), "--reason", "test")
        self.stock |= {product["sku"]: product["stock"] for product in catalogue["products"]}

    def make_keys(self):
        self.checkout, self.reader = (self.make_key(scope) for scope in ("checkout", "orders:read"))
        self.api = Client(self.port("api"), self.checkout)
        self.read = Client(self.port("api"), self.reader)
        self.server = Client(self.port("api"), self.make_key("checkout,orders:read"))

    def make_key(self, scope, name=None):
        printed = self.docket("key", "create", "--scope", scope, "--name", name or f"test {scope}")
        return re.search(r"dk_\S+", printed).group()

    def docket(self, *arguments, **options):
        """The operator's command; returns what it prints."""
        return self.world.run_docket(*arguments, **options)

    def order_body(self, **changes):
        with open(os.path.join(ROOT, "ops/lib/order.json"), encoding="utf-8") as file:
            return copy.deepcopy(json.load(file)) | changes

    def post_order(self, body=None, key=None, headers=None, client=None, timeout_s=None, **changes):
        """Posts an order and writes down what the client was told.  Never repeats by itself."""
        body = body if body is not None else self.order_body(**changes)
        key = key or new_key()
        answer = (client or self.api).post("/v1/orders", body, timeout_s=timeout_s,
                                           headers={"Idempotency-Key": key, **(headers or {})})
        told = Told(key, body, answer)
        self.told.append(told)
        return told

    def post_until_told(self, body=None, key=None, deadline_s=30, **changes):
        """As a good client does: the same key and body until the answer is definitive."""
        key, body = key or new_key(), body if body is not None else self.order_body(**changes)

        def definitive():
            told = self.post_order(body, key)
            return told if told.accepted in ("yes", "no") else None

        return wait_for(definitive, deadline_s, f"a definitive answer for {key}", every_s=0.1)

    # What the database says

    def sql(self, query, *arguments):
        """Rows as tuples; as superuser, each statement in a transaction of its own.  A link that
        was cut (a restart of Postgres) is made anew."""
        for is_last in (False, True):
            try:
                return self._sql(query, arguments)
            except self.services_errors():
                self.link = None
                if is_last:
                    raise
        return None

    @staticmethod
    def services_errors():
        import psycopg2
        return (psycopg2.OperationalError, psycopg2.InterfaceError)

    def _sql(self, query, arguments):
        if self.link is None or self.link.closed:
            self.link = self.services.connect(self.database)
            self.link.autocommit = True
        with self.link.cursor() as cursor:
            cursor.execute(query, arguments or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, query, *arguments):
        rows = self.sql(query, *arguments)
        assert len(rows) == 1, f"{len(rows)} rows of {query!r} {arguments!r}"
        return rows[0][0] if len(rows[0]) == 1 else rows[0]

    def status(self, public_id):
        number = self.one("SELECT status FROM orders WHERE id = %s", order.to_uuid(public_id))
        return STATUSES[number]

    def wait_status(self, public_id, *statuses, deadline_s=20):
        return wait_for(lambda: (now := self.status(public_id)) in statuses and now, deadline_s,
                        f"{public_id} is {' or '.join(statuses)}")

    def events(self, public_id):
        """(version, kind, status, process) in order."""
        rows = self.sql("SELECT version, kind, status, process FROM order_event "
                        "WHERE order_id = %s ORDER BY version", order.to_uuid(public_id))
        return [(version, kind, STATUSES[status], name) for version, kind, status, name in rows]

    def books(self, settle_s=30):
        return Books(self, settle_s)

    # The sandbox

    def fault(self, op, fault, **more):
        """A rule of the sandbox; order=, method= narrow it, ms=, code=, times= shape it."""
        match = {"op": op} | {name: more.pop(name) for name in ("order", "method") if name in more}
        answer = self.sandbox.post("/sandbox/rules", {"match": match, "fault": fault, **more})
        assert answer.status in (200, 201, 204), repr(answer)

    def no_faults(self):
        answer = self.sandbox.request("DELETE", "/sandbox/rules")
        assert answer.status in (200, 204), repr(answer)

    def ledger(self):
        answer = self.sandbox.get("/ledger")
        assert answer.status == 200, repr(answer)
        return [json.loads(line) for line in answer.body.splitlines() if line]

    # The end

    def close(self):
        """Stops what runs; what a sanitizer said, or an exit that was not clean, fails the test."""
        wrong = []
        for label in reversed(list(self.processes)):
            try:
                self.stop(label)
            except AssertionError as error:
                wrong.append(str(error))
                self._end(label)
        wrong += [f"{label} ended by itself with {code}" for label, running, code in self.ended
                  if code not in (0, -signal.SIGKILL) and not running.was_killed]
        wrong += self._sanitizer_reports()
        if self.link is not None:
            self.link.close()
        if os.environ.get("DOCKET_KEEP") != "1":
            self.services.drop_database(self.database)
            self.services.drop_vhost(self.vhost)
        assert not wrong, "\n".join(wrong)

    def expect_exit(self, label):
        """This process was to end with an error; close() does not complain of it."""
        for ended, running, _ in self.ended:
            running.was_killed |= ended == label

    def _end(self, label):
        if label in self.processes:
            self.kill(label)

    def _sanitizer_reports(self):
        found = []
        for path in glob.glob(self.home.log(f"{self.database}.*")):
            with open(path, errors="replace", encoding="utf-8") as file:
                text = file.read()
            if match := SANITIZER.search(text):
                found.append(f"{os.path.basename(path)}: {text[match.start():][:4000]}")
        return found
