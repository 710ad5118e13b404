"""One run of the benchmarks: its services, its shops, and who takes turns."""
import contextlib
import fcntl
import json
import math
import os
import subprocess
import sys
import time

from docket_local import builds, programs
from harness.docket import Docket
from harness.services import ROOT, Services
from harness.wait import wait_for

from .meter import Meter
from .times import curve, rank

LOCK = os.environ.get("DOCKET_BENCH_LOCK", "/tmp/docket-bench.lock")
GENERATOR = "tests/bench/load_generator"
STREAMS = "tests/bench/load_streams"
STOCK = 100_000_000
# As a server of this size would be set; durability is as ops/lib/docket_local has it: all on.
POSTGRES = {"shared_buffers": "1GB", "max_wal_size": "4GB", "max_connections": "300",
            "shared_preload_libraries": "pg_stat_statements", "track_io_timing": "on"}


class Bench:
    """rounds, seconds and warm: how often, and how long, each contestant runs; options: what the
    command line says beyond that."""

    def __init__(self, rounds, seconds, warm, book, options=None):
        self.rounds, self.seconds, self.warm, self.book = rounds, seconds, warm, book
        self.options, self.part, self.shops, self.cleanups = options or {}, None, [], []
        self.services = self.lock = None

    @classmethod
    def borrowing(cls, services, book, **options):
        """For a test of the benchmarks themselves: services that are there, and the shortest runs."""
        bench = cls(1, 0.5, 0.2, book, options)
        bench.services = services
        builds.compile_in(ROOT, os.path.relpath(services.build, ROOT), [GENERATOR, STREAMS])
        return bench

    def __enter__(self):
        if self.services is None:
            self._begin()
        return self

    def _begin(self):
        self.lock = open(LOCK, "w", encoding="ascii")
        with contextlib.suppress(OSError):
            os.chmod(LOCK, 0o666)
        self.say(f"waiting for {LOCK}")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.say("building")
        builds.compile_in(ROOT, "build", [*programs.BINARIES.values(), GENERATOR, STREAMS])
        self.say("starting Postgres and RabbitMQ")
        self.services = Services()
        self._set_postgres()

    def __exit__(self, *error):
        for cleanup in reversed(self.cleanups):
            cleanup()
        for shop in self.shops:
            shop.close()
        if self.lock:
            self.services.close()
            self.lock.close()

    def _set_postgres(self):
        for name, value in POSTGRES.items():
            self.services.admin(f"ALTER SYSTEM SET {name} = '{value}'")
        self.restart_postgres()

    def restart_postgres(self):
        from docket_local import postgres
        postgres.stop(self.services.home)
        self.services.postgres_start()

    def begin_part(self, name):
        self.part = name
        self.book.begin(name)

    def option(self, name, default):
        """NAME=VALUE of the command line, of the default's type."""
        return type(default)(self.options.get(name, default))

    @staticmethod
    def say(text):
        print(f"bench: {text}", file=sys.stderr, flush=True)

    def shop(self, *names, env=None, start=True):
        """A Docket with a database and a vhost of its own, endless stock, keys, and the programs that
        are named; env: {"api": {setting: value}}.  Every other setting is as it is by itself, whenever it starts."""
        shop = Docket(self.services)
        shop.defaults = {}
        self.shops.append(shop)
        if start:
            for name in dict.fromkeys(("api", *names)):
                shop.start(name, env=(env or {}).get(name), wait=False)
            for name in dict.fromkeys(("api", *names)):
                shop.wait_ready(name)
            shop.stock_up(self.endless_catalogue())
            shop.make_keys()
        return shop

    @staticmethod
    def endless_catalogue():
        with open(os.path.join(ROOT, "ops/lib/catalogue.json"), encoding="utf-8") as file:
            catalogue = json.load(file)
        for product in catalogue["products"]:
            product["stock"] = STOCK
        return catalogue

    def close_shop(self, shop):
        self.shops.remove(shop)
        shop.close()

    def meter(self, shop=None, **pids):
        """pids: more groups of processes, each a list of pids."""
        meter = Meter(self.services.home, shop, pids)
        if self.option("nice", 0):
            self._favour([os.getpid(), *meter.pids()])
        return meter

    def _favour(self, pids):
        """Each session is an autogroup of the scheduler, beyond which its processes' own nice counts for
        nothing."""
        for pid in pids:
            with contextlib.suppress(OSError), open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as file:
                file.write(str(self.option("nice", 0)))

    def settle(self):
        """Before each run: nothing of the one before is left to be written."""
        self.services.admin("CHECKPOINT")

    def alternate(self, contestants):
        """{label: function} → {label: [what it returned, a round each]}: in turn, in the other order
        every other round.  What they return is written down."""
        runs = {label: [] for label in contestants}
        for number in range(self.rounds):
            labels = list(contestants)
            for label in labels if number % 2 == 0 else reversed(labels):
                self.settle()
                record = contestants[label]()
                self.book.add(label, number, record)
                runs[label].append(record)
                self.say(f"{self.part}, round {number + 1} of {self.rounds}, {label}: {brief(record)}")
        return runs

    def pgbench(self, database, script, clients, role="docket_admin"):
        """Transactions a second and so on, of a script, warmed up."""
        argv = ["/usr/lib/postgresql/15/bin/pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "1",
                "-f", script, "-h", "127.0.0.1", "-p", str(self.services.home.port("postgres")), "-U", role]
        secret = self.services.home.secret("postgres" if role == "docket_admin" else role)
        env = {**os.environ, "PGPASSWORD": secret}
        warm = subprocess.run([*argv, "-T", str(max(1, round(self.warm))), database], env=env, check=True,
                              capture_output=True, text=True).stdout
        connect_s = float(pgbench_line(warm, "initial connection time = ")) / 1000  # -T begins before it
        child = subprocess.Popen([*argv, "-T", str(math.ceil(self.seconds + connect_s)), "-l", "--log-prefix",
                                  self.services.home.at("log", "pgbench"), database], env=env,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: child.poll() is not None or self.services.admin(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench'")[0][0] == clients,
            self.seconds + connect_s + 10, "all clients are connected")
        meter = self.meter(load=[child.pid]).begin()
        while child.poll() is None:
            meter.look()
            time.sleep(0.05)
        used = meter.end()
        out, errors = child.communicate()
        if child.returncode != 0:
            raise RuntimeError(f"pgbench: {errors}")
        return {"per_s": float(pgbench_line(out, "tps = ")), "clients": clients,
                "count": int(pgbench_line(out, "number of transactions actually processed: ")
                             .partition("/")[0]),
                **self._pgbench_latencies(child.pid), **used}

    def _pgbench_latencies(self, pid):
        path = self.services.home.at("log", f"pgbench.{pid}")
        with open(path, encoding="ascii") as file:
            times = sorted(int(line.split()[2]) / 1000 for line in file)
        os.unlink(path)
        return {"p50_ms": rank(times, .5), "p99_ms": rank(times, .99), "curve": curve(times)}


def pgbench_line(text, start):
    return next(line[len(start):].split()[0] for line in text.splitlines() if line.startswith(start))


def brief(record):
    shown = ("per_s", "p50_ms", "p99_ms", "foreign_cores")
    return ", ".join(f"{name} {record[name]:,.2f}" for name in shown if record.get(name) is not None)
