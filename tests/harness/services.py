"""The services of one test run: started once, in a directory and on ports of their own."""
import atexit
import fcntl
import glob
import itertools
import json
import os
import shutil
import signal
import tempfile
import urllib.parse

import psycopg2

from docket_local import ports, postgres, process, programs, rabbitmq
from docket_local.home import Home

from .client import Client
from .wait import wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


HIGHEST = 31900
HELD = open(os.path.join(tempfile.gettempdir(), f"docket-test-ports-{os.getuid()}"), "ab")  # until the process ends


def reserve(port):
    """No other run of tests takes it as long as this process lives, also while nobody listens there: a server that is
    stopped finds its port again.  (A lock of the byte of that number.)"""
    try:
        fcntl.lockf(HELD, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


def reserve_block():
    """The first of ports.STEP for the servers."""
    turn = os.getpid() % 190
    return next(first for first in (20000 + (turn + n) % 190 * 60 for n in range(190))
                if all(reserve(port) for port in range(first, first + ports.STEP)))


class Services:
    def __init__(self):
        self.build = os.path.join(ROOT, os.environ.get("DOCKET_BUILD", "build"))
        self.directory = tempfile.mkdtemp(prefix="docket-test-")
        first = reserve_block()
        self.home = Home(self.directory, first, say=lambda text: None)
        self.numbers = itertools.count(1)
        self.next_port = first + ports.STEP
        self.has_template = False
        atexit.register(self.close)
        postgres.begin(self.home)
        rabbitmq.begin(self.home, management=True)
        postgres.wait_ready(self.home)
        postgres.ensure_database(self.home)
        rabbitmq.wait_ready(self.home)

    def close(self):
        atexit.unregister(self.close)
        rabbitmq.stop(self.home)
        postgres.stop(self.home)
        if os.environ.get("DOCKET_KEEP") != "1":
            shutil.rmtree(self.directory, ignore_errors=True)

    def free_port(self):
        while True:
            wanted = self.next_port + 1 if self.next_port < HIGHEST else 20000
            self.next_port = ports.free_from(wanted, ())
            if reserve(self.next_port):
                return self.next_port

    # Postgres

    def make_database(self):
        """A new database with the newest schema; the first one pays for the migrations."""
        if not self.has_template:
            self._make_template()
        name = f"t{next(self.numbers)}"
        self.admin(f"CREATE DATABASE {name} TEMPLATE docket OWNER docket_owner")
        return name

    def make_empty_database(self):
        name = f"t{next(self.numbers)}"
        self.admin(f"CREATE DATABASE {name} OWNER docket_owner")
        return name

    def _make_template(self):
        built = [name for name, path in programs.BINARIES.items()
                 if os.path.exists(os.path.join(self.build, path))]
        programs.install(self.home, self.build, built)
        if "docket" in built:
            programs.World(self.home, {"operator": 0}).run_docket("migrate", "up")
        else:
            self._migrate_by_hand()
        postgres.let_programs_in(self.home)
        self.has_template = True

    def _migrate_by_hand(self):
        """For a build without the `docket` command."""
        for path in sorted(glob.glob(os.path.join(ROOT, "schema/migrations/*.sql"))):
            with open(path, encoding="utf-8") as file:
                postgres.run_sql(self.home, "docket", file.read(), role="docket_owner")

    def drop_database(self, name):
        self.admin(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def admin(self, statement):
        """Runs one statement as superuser, outside a transaction."""
        link = self.connect("postgres", postgres.SUPERUSER)
        try:
            link.autocommit = True
            with link.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else None
        finally:
            link.close()

    def connect(self, database, role=postgres.SUPERUSER):
        return psycopg2.connect(postgres.conninfo(self.home, role, database))

    def postgres_restart_immediate(self):
        """As after a crash: sessions are cut, nothing is flushed, the log is replayed."""
        self.postgres_stop_immediate()
        self.postgres_start()

    def postgres_stop_immediate(self):
        process.stop(self.home, "postgres", signal.SIGQUIT, 10)

    def postgres_jump_xids(self, segment):
        """Stopped, set to the id that comes after `segment` times 1,048,576 transactions, and started."""
        process.stop(self.home, "postgres", signal.SIGINT, 20)
        self.home.give_file(f"postgres/pg_xact/{segment:04X}", "\0" * 262144)
        with process.placed(self.home, "postgres", True) as place:
            done = process.run([postgres.BIN + "pg_resetwal", "-x", str(segment * 1048576), "-D", postgres.BY_FD],
                               env=process.CLEAN, **place)
        assert done.returncode == 0, done.stderr
        self.postgres_start()

    def postgres_start(self):
        postgres.begin(self.home)
        postgres.wait_ready(self.home)

    def postgres_kill(self):
        self._signal("postgres", signal.SIGKILL)
        process.gone(self.home, "postgres", 5)

    def postgres_freeze(self):
        """The postmaster and every backend stand still; postgres_thaw lets them go on."""
        self._signal_all_of("postgres", signal.SIGSTOP)

    def postgres_thaw(self):
        self._signal_all_of("postgres", signal.SIGCONT)

    def _signal_all_of(self, name, sig):
        for pid in process.working_in(self.home.data(name)):
            process.tell(pid, sig)

    # RabbitMQ

    def make_vhost(self):
        name = f"v{next(self.numbers)}"
        self.broker_api("PUT", f"/api/vhosts/{name}", expect=(201, 204))
        self.broker_api("PUT", f"/api/permissions/{name}/{rabbitmq.USER}",
                        {"configure": ".*", "write": ".*", "read": ".*"}, expect=(201, 204))
        return name

    def drop_vhost(self, name):
        self.broker_api("DELETE", f"/api/vhosts/{name}", expect=(204, 404))

    def broker_api(self, method, path, body=None, expect=(200,)):
        """The management plugin's HTTP API; what it counts lags by seconds."""
        client = Client(self.home.port("management"), timeout_s=20)
        answer = client.request(method, path, body, {"Authorization": self._basic()})
        assert answer.status in expect, f"{method} {path}: {answer!r}"
        return json.loads(answer.body) if answer.body else None

    def _basic(self):
        import base64
        pair = f"{rabbitmq.USER}:{self.home.secret('rabbitmq')}"
        return "Basic " + base64.b64encode(pair.encode()).decode()

    def broker_stop(self):
        process.stop(self.home, "rabbitmq", signal.SIGTERM, 20)

    def broker_kill(self):
        self.broker_sync()
        self.broker_kill_frozen()

    def broker_sync(self):
        """RabbitMQ 3.10 writes the names of its quorum queues to disk only every three minutes (a
        dets table); killed before that, a new queue comes back empty and without a leader for ever,
        and a person has to delete it.  The kill is not to test that."""
        rabbitmq.control(self.home, "eval", "[dets:sync(Table) || Table <- dets:all()].")

    def broker_kill_frozen(self):
        """One that cannot be asked any more; broker_sync came before it stood still."""
        self._signal("rabbitmq", signal.SIGKILL)
        process.gone(self.home, "rabbitmq", 5)

    def broker_freeze(self):
        self._signal("rabbitmq", signal.SIGSTOP)

    def broker_thaw(self):
        self._signal("rabbitmq", signal.SIGCONT)

    def broker_start(self):
        rabbitmq.begin(self.home, management=True)
        rabbitmq.wait_ready(self.home)

    def broker_wipe(self):
        """The broker is killed and its disk removed; then it starts with nothing in it.  The vhosts
        of the tests are made again, as an operator would."""
        vhosts = [row["name"] for row in self.broker_api("GET", "/api/vhosts")]
        self.broker_kill()
        rabbitmq.wipe_data(self.home)
        self.broker_start()
        self.wait_management()
        for name in vhosts:
            if name not in ("/", rabbitmq.VHOST):
                self.broker_api("PUT", f"/api/vhosts/{name}", expect=(201, 204))
                self.broker_api("PUT", f"/api/permissions/{name}/{rabbitmq.USER}",
                                {"configure": ".*", "write": ".*", "read": ".*"}, expect=(201, 204))

    def wait_management(self):
        wait_for(lambda: ports.accepts(self.home.port("management")), 15, "the management API")

    def broker_alarm(self, on):
        """A memory alarm: the broker stops reading from connections that publish."""
        rabbitmq.control(self.home, "set_vm_memory_high_watermark", *(
            ("0",) if on else ("absolute", "512MB")))

    def broker_has_alarm(self):
        report = self.broker_api("GET", "/api/health/checks/local-alarms", expect=(200, 503))
        return report["status"] != "ok"

    def queue_path(self, vhost, queue):
        return f"/api/queues/{vhost}/{urllib.parse.quote(queue, safe='')}"

    def _signal(self, name, sig):
        pid = process.running(self.home, name)
        assert pid is not None, f"{name} does not run"
        process.tell(pid, sig)
