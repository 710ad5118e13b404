"""Our own programs: where they are, how each is started, when it is ready."""
import filecmp
import http.client
import os
import shutil
import time

from . import postgres, process, rabbitmq
from .home import CWD
from .problem import Problem

BINARIES = {"docket-api": "api/docket-api", "docket-relay": "workers/docket-relay",
            "docket-worker": "workers/docket-worker", "docket": "ops/docket",
            "docket-sandbox": "ops/sandbox/docket-sandbox"}
NAMES = ("sandbox", "api", "relay", "payment", "fulfilment")
PROVIDER_KEY = "sk_test_sandbox"
CARRIER_KEY = "ck_test_sandbox"


def install(home, build, names=tuple(BINARIES)):
    """Copies the binaries into the home: the servers' user may not be able to enter the build
    directory, and a rebuild does not change what runs."""
    home.data("bin")
    for name in names:
        source, target = os.path.join(build, BINARIES[name]), home.at("data", "bin", name)
        if not os.path.exists(source):
            raise Problem("install", f"{source} was not built")
        if os.path.exists(target) and filecmp.cmp(source, target, shallow=False):
            continue
        shutil.copyfile(source, target + ".new")
        os.chmod(target + ".new", 0o755)
        os.replace(target + ".new", target)


class World:
    """What the programs are to talk to: a database, a vhost, and a port for each listener."""

    def __init__(self, home, ports, database="docket", vhost=rabbitmq.VHOST, sandbox_dir="sandbox",
                 webhooks=True):
        self.home, self.ports, self.database, self.vhost = home, ports, database, vhost
        self.sandbox_dir, self.webhooks = sandbox_dir, webhooks

    def pg(self, role):
        return postgres.conninfo(self.home, role, self.database)

    def amqp(self):
        return rabbitmq.uri(self.home, self.vhost)

    def url(self, name):
        return "http://" + self.listen(name)

    def listen(self, name):
        return f"127.0.0.1:{self.ports[name]}"

    def operator_key(self):
        return "dk_" + self.home.secret("operator_key")

    def webhook_url(self):
        return self.url("api") + "/v1/webhooks/stripe"

    def webhook_secret(self):
        return "whsec_" + self.home.secret("webhook_secret")

    def environment(self, name):
        """The settings of one program, and no secret that it does not need."""
        return getattr(self, "_" + name)()

    def _sandbox(self):
        return {"DOCKET_SANDBOX_LISTEN": self.listen("sandbox"),
                "DOCKET_SANDBOX_DIR": self.sandbox_dir,
                "DOCKET_SANDBOX_WEBHOOK_URLS": self.webhook_url() if self.webhooks else "",
                "DOCKET_SANDBOX_WEBHOOK_SECRET": self.webhook_secret()}

    def _api(self):
        return {"DOCKET_PG": self.pg("docket_api"), "DOCKET_SINGLE_NODE": "1",
                "DOCKET_API_LISTEN": self.listen("api"),
                "DOCKET_OPERATOR_LISTEN": self.listen("operator"),
                "DOCKET_OPERATOR_KEY": self.operator_key(),
                "DOCKET_STRIPE_WEBHOOK_SECRETS": self.webhook_secret(),
                "DOCKET_TOKEN_KEYS": "1:" + self.home.secret("token_key")}

    def _relay(self):
        return {"DOCKET_PG": self.pg("docket_relay"), "DOCKET_SINGLE_NODE": "1",
                "DOCKET_AMQP": self.amqp(), "DOCKET_METRICS_LISTEN": self.listen("relay")}

    def _worker(self, stage):
        return {"DOCKET_PG": self.pg("docket_worker"), "DOCKET_SINGLE_NODE": "1",
                "DOCKET_AMQP": self.amqp(), "DOCKET_METRICS_LISTEN": self.listen(stage),
                "DOCKET_PROVIDER_URL": self.url("sandbox"), "DOCKET_PROVIDER_KEY": PROVIDER_KEY,
                "DOCKET_CARRIER_URL": self.url("sandbox"), "DOCKET_CARRIER_KEY": CARRIER_KEY}

    def _payment(self):
        return self._worker("payment")

    def _fulfilment(self):
        return self._worker("fulfilment")

    def _docket(self):
        return {"DOCKET_PG": self.pg("docket_owner"), "DOCKET_SINGLE_NODE": "1",
                "DOCKET_OPERATOR_URL": self.url("operator"),
                "DOCKET_OPERATOR_KEY": self.operator_key()}

    def spec(self, name, env=None, label=None):
        """`label` names a second process of the same kind."""
        is_worker = name in ("payment", "fulfilment")
        program = "docket-worker" if is_worker else "docket-" + name
        return process.Spec(label or name, [program] + ([name] if is_worker else []),
                            env={**self.environment(name), **(env or {})},
                            executable=f"{CWD}/bin/{program}")

    def run_docket(self, *arguments, deadline_s=60, stdin=None, env=None):
        """The operator's command; returns what it prints."""
        done = self.try_docket(*arguments, deadline_s=deadline_s, stdin=stdin, env=env)
        if done.returncode != 0:
            raise Problem("docket " + " ".join(arguments), (done.stderr or done.stdout).strip())
        return done.stdout

    def try_docket(self, *arguments, deadline_s=60, stdin=None, env=None):
        """However it ends."""
        with process.placed(self.home, "") as place:
            return process.run(["docket", *arguments], executable=f"{CWD}/bin/docket", input=stdin,
                               env={**process.CLEAN, **self._docket(), **(env or {})},
                               timeout=deadline_s, **place)


READY_AT = {"api": "operator", "sandbox": "sandbox"}


def is_ready(world, name):
    path = "/ledger" if name == "sandbox" else "/readyz"
    return get_status(world.ports[READY_AT.get(name, name)], path) == 200


def get_status(port, path, timeout_s=2.0):
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        link.request("GET", path)
        return link.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        link.close()


def wait_ready(world, name, deadline_s=15.0):
    home, until = world.home, time.monotonic() + deadline_s
    while not is_ready(world, name):
        if process.running(home, name) is None:
            raise Problem(name, process.how_it_ended(home, name) + " while starting",
                          home.log(name))
        if time.monotonic() > until:
            raise Problem(name, f"not ready after {deadline_s:.0f} s", home.log(name))
        time.sleep(0.03)
