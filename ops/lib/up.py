"""What ops/up does once the packages are there: build, services, schema, programs, one order."""
import http.client
import json
import os
import shlex
import subprocess
import sys
import time
import uuid

from docket_local import builds, order, postgres, process, programs, rabbitmq
from docket_local.home import Home, write_whole
from docket_local.problem import Problem

FIRST_PORT = 17400
LISTENERS = ("api", "operator", "sandbox", "relay", "payment", "fulfilment")
ORDER_DEADLINE_S = 30
PAGES = "http://localhost:3000"  # docs/api.md: whose pages are let in, unless the environment says otherwise


class Up:
    def __init__(self, root, path, seconds):
        self.root, self.began = root, time.monotonic() - float(seconds)
        self.home = Home(path, FIRST_PORT, self.say)

    def say(self, text):
        print(f"[{time.monotonic() - self.began:3.0f} s] {text}", flush=True)

    def run(self):
        """The services start while the build goes on."""
        for name, step in (("services", self.begin_services), ("build", self.build),
                           ("services", self.wait_services), ("schema", self.migrate),
                           ("programs", self.start_programs), ("keys", self.make_keys),
                           ("catalogue", self.load_catalogue), ("env", self.leave_files),
                           ("order", self.show_one_order)):
            try:
                step()
            except (OSError, ValueError, subprocess.SubprocessError,
                    http.client.HTTPException) as error:
                raise Problem(name, str(error) or repr(error)) from error
        self.say_what_next()

    def begin_services(self):
        began = [name for name, begin in (("postgres", postgres.begin), ("rabbitmq", rabbitmq.begin))
                 if begin(self.home)]
        self.say("services: " + (f"starting {' and '.join(began)}" if began else "both run"))

    def wait_services(self):
        postgres.wait_ready(self.home)
        rabbitmq.wait_ready(self.home)
        self.say(f"services: postgres on port {self.home.port('postgres')}, "
                 f"rabbitmq on port {self.home.port('rabbitmq')}")

    def build(self):
        build, log = os.path.join(self.root, "build"), self.home.log("build")
        self.say("build: " + ("compiling what changed" if os.path.exists(build + "/build.ninja")
                              else f"the first time takes a while (log: {log})"))
        builds.compile_in(self.root, "build", programs.BINARIES.values(), log)
        programs.install(self.home, build)

    def migrate(self):
        postgres.ensure_database(self.home)
        self.world = programs.World(self.home, dict.fromkeys(LISTENERS, 0))
        self.world.run_docket("migrate", "up")
        postgres.let_programs_in(self.home)
        self.say("schema: newest")

    # The programs

    def start_programs(self):
        """A program is left alone if it runs as it would be started now."""
        self.choose_ports()
        self.home.data("sandbox")
        started = [name for name in programs.NAMES if self.start(name)]
        for name in programs.NAMES:
            programs.wait_ready(self.world, name)
        self.say("programs: " + (f"started {', '.join(started)}; " if started else "") + "all ready")

    def choose_ports(self):
        holder = {"operator": "api"}
        for name in LISTENERS:
            if process.running(self.home, holder.get(name, name)) is None:
                self.home.choose_port(name)
        self.world = programs.World(self.home, {name: self.home.port(name) for name in LISTENERS})

    def start(self, name):
        pages = {"DOCKET_CORS_ORIGINS": os.environ.get("DOCKET_CORS_ORIGINS", PAGES)}
        spec = self.world.spec(name, pages if name == "api" else None)
        if process.is_current(self.home, spec):
            return False
        if process.running(self.home, name):
            self.say(f"{name}: runs, but as it was before; starting it anew")
            process.stop(self.home, name)
        process.start(self.home, spec)
        return True

    def make_keys(self):
        """Once: the tables have their hashes only.  A key that they no longer know is made anew."""
        for name, scope in (("checkout_key", "checkout"), ("read_key", "orders:read")):
            if name not in self.home.state["secrets"]:
                printed = self.world.run_docket("key", "create", "--scope", scope, "--name", "ops/up")
                self.home.state["secrets"][name] = next(
                    word for word in printed.split() if word.startswith("dk_"))
                self.home.save()

    def load_catalogue(self):
        """The first time only: a price or a stock that somebody has changed since stays."""
        if "catalogue" in self.home.state:
            return
        with open(os.path.join(self.root, "ops/lib/catalogue.json"), encoding="utf-8") as file:
            self.home.give_file("catalogue.json", file.read())
        self.world.run_docket("catalogue", "load", "catalogue.json", "--reason", "ops/up")
        self.home.state["catalogue"] = True
        self.home.save()
        self.say("catalogue: loaded")

    # What the one who called gets

    def settings(self):
        home, url = self.home, self.world.url
        return {
            "DOCKET_HOME": home.path,
            "DOCKET_URL": url("api"),
            "DOCKET_OPERATOR_URL": url("operator"),
            "DOCKET_SANDBOX_URL": url("sandbox"),
            "DOCKET_METRICS_URLS": " ".join(
                url(name) + "/metrics" for name in ("operator", "relay", "payment", "fulfilment")),
            "DOCKET_KEY": home.state["secrets"]["checkout_key"],
            "DOCKET_READ_KEY": home.state["secrets"]["read_key"],
            "DOCKET_OPERATOR_KEY": self.world.operator_key(),
            "DOCKET_PG": self.world.pg("docket_owner"),
            "DOCKET_SINGLE_NODE": "1",
            "DOCKET_AMQP": self.world.amqp(),
        }

    def leave_files(self):
        lines = [f"export {name}={shlex.quote(value)}" for name, value in self.settings().items()]
        text = "# Written by ops/up; has keys in it.\n" + "\n".join(lines) + "\n"
        write_whole(self.home.at("env"), text, 0o600)
        with open(os.path.join(self.root, "ops/lib/order.json"), encoding="utf-8") as file:
            write_whole(self.home.at("order.json"), file.read(), 0o644)

    def show_one_order(self):
        answer = self.post_order()
        self.say(f"an order: POST /v1/orders → 202 {answer['id']}")
        seen, before, until = 0, None, time.monotonic() + ORDER_DEADLINE_S
        while True:
            for version, at_ms, kind, status, who in self.events_after(answer["id"], seen):
                seen, status = int(version), order.STATUSES[int(status)]
                since = 0 if before is None else float(at_ms) - before
                before = float(at_ms)
                print(f"        {status:<11} {kind:<22} {who:<28} +{since:7.1f} ms", flush=True)
                if status == "fulfilled":
                    return
            if time.monotonic() > until:
                raise Problem("order", f"{answer['id']} is not fulfilled after "
                              f"{ORDER_DEADLINE_S} s", self.home.log("payment"))
            time.sleep(0.02)

    def post_order(self):
        with open(self.home.at("order.json"), "rb") as file:
            body = file.read()
        link = http.client.HTTPConnection("127.0.0.1", self.home.port("api"), timeout=10)
        link.request("POST", "/v1/orders", body, {
            "Authorization": "Bearer " + self.home.state["secrets"]["checkout_key"],
            "Idempotency-Key": f"ops-up-{uuid.uuid4()}", "Content-Type": "application/json"})
        response = link.getresponse()
        text = response.read().decode()
        if response.status != 202:
            raise Problem("order", f"answered {response.status}: {text}", self.home.log("api"))
        return json.loads(text)

    def events_after(self, public_id, version):
        return postgres.run_sql(self.home, "docket", f"""
            SELECT version, extract(epoch FROM at) * 1000, kind, status, process FROM order_event
            WHERE order_id = '{order.to_uuid(public_id)}' AND version > {version} ORDER BY version;""")

    def say_what_next(self):
        settings, docket = self.settings(), shlex.quote(os.path.join(self.root, "build/ops/docket"))
        print(f"""
Docket runs.  State, logs and pids are in {self.home.path}

  shops and browsers   {settings['DOCKET_URL']}
  operators            {settings['DOCKET_OPERATOR_URL']}   (/livez /readyz /metrics)
  provider and carrier {settings['DOCKET_SANDBOX_URL']}   (/ledger is what they did)

Try:
  . {shlex.quote(self.home.at('env'))}
  curl -si "$DOCKET_URL/v1/orders" -H "Authorization: Bearer $DOCKET_KEY" \\
    -H "Idempotency-Key: $(date +%s%N)" -H 'Content-Type: application/json' \\
    -d @"$DOCKET_HOME/order.json"
  {docket} order show ord_…      the id from the answer
  {docket} dead list
  curl -s "$DOCKET_SANDBOX_URL/ledger" | tail -n 3
  ops/down                       stops it; ops/down --wipe also removes the state""", flush=True)


def main(root, path, seconds):
    up = Up(root, path, seconds)
    with up.home.locked():
        up.run()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Problem as problem:
        sys.exit("\nops/up: " + problem.told())
    except KeyboardInterrupt:
        sys.exit("\nops/up: interrupted; run it again to go on, or ops/down")
