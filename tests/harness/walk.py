"""A walk through docs/runbooks.md: a shop, a Prometheus that watches it with our rules, and one who types what a
runbook says."""
import os
import re
import shlex
import subprocess
import threading

from docket_local import postgres, process, rabbitmq

from .prometheus import Prometheus
from .services import ROOT
from .wait import must, wait_for

PROGRAMS = ("api", "relay", "payment", "fulfilment")
IS_ASAN = "asan" in os.environ.get("DOCKET_BUILD", "")


def blocks(alert):
    """The lines of the shell blocks of one runbook."""
    with open(os.path.join(ROOT, "docs/runbooks.md"), encoding="utf-8") as file:
        section = re.search(rf"^## {alert}\n(.*?)(?=^## |\Z)", file.read(), re.M | re.S)[1]
    found = re.findall(r"^```sh\n(.*?)^```$", section, re.M | re.S)
    assert found, f"{alert} has no commands"
    return [line for block in found for line in block.splitlines()]


class Walk:
    """env: the settings with which `start` and `restart` start a program; disk: a SmallDisk to be watched."""

    def __init__(self, shop, disk=None, **env):
        self.shop, self.disk, self.env = shop, disk, env
        targets = [shop.world.listen("operator" if name == "api" else name) for name in PROGRAMS]
        self.prometheus = Prometheus(shop.services.free_port(), targets, node=disk and disk.target)

    def begin(self):
        wait_for(lambda: len(self.prometheus.query("docket_ready == 1")) == len(PROGRAMS), 30,
                 "Prometheus has seen them all", every_s=0.1)
        self.all_quiet()

    def close(self):
        self.prometheus.close()

    def is_firing(self, alert):
        return alert in self.prometheus.firing()

    def fires(self, *alerts, deadline_s=40):
        """All of them, whichever is first: each has fired by then, some may be over."""
        left = set(alerts)

        def none_is_left():
            left.difference_update(self.prometheus.firing())
            return not left

        try:
            wait_for(none_is_left, deadline_s, f"{' and '.join(alerts)} fire", every_s=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}; did not: {left}") from None

    def quiet(self, *alerts, deadline_s=40):
        wait_for(lambda: not set(alerts) & self.prometheus.firing(), deadline_s, f"{' and '.join(alerts)} are over",
                 every_s=0.1)

    def all_quiet(self, deadline_s=40):
        seen = set()

        def is_quiet():
            seen.clear()
            seen.update(self.prometheus.firing())
            return not seen

        try:
            wait_for(is_quiet, deadline_s, "all is quiet", every_s=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}: {seen}") from None

    def start(self, name, env=None):
        if name == "postgres":
            self.shop.services.postgres_start()
        elif name == "rabbitmq":
            self.shop.services.broker_start()
        else:
            self.shop.start(name, env=self.env.get(name, {}) | (env or {}))

    def restart(self, name, env=None):
        self.shop.restart(name, env=self.env.get(name, {}) | (env or {}))

    def follow(self, alert, pid=None):
        """Types what the runbook says; all that is printed."""
        exported, said = {}, ""
        for line in blocks(alert):
            words = shlex.split(line)
            if words[0] == "export":
                name, _, value = words[1].partition("=")
                exported[name] = value
            elif words[0] in ("start", "restart"):
                getattr(self, words[0])(words[1], exported)
            elif words[0] == "prlimit":
                said += self.as_the_programs(line, pid)
            elif words[0] == "rabbitmqctl":
                said += self._rabbitmqctl(words[1:])
            else:
                said += self._shell(line, pid)
        return said

    def shows(self, alert, *patterns):
        """What a runbook that only looks shows, each sooner or later: what is at work at one look is not waiting."""
        left = set(patterns)

        def none_is_left():
            said = self.follow(alert)
            left.difference_update([one for one in left if re.search(one, said, re.M)])
            return not left

        wait_for(none_is_left, 20, f"the runbook of {alert} shows {patterns}", every_s=0.1)

    def as_the_programs(self, line, pid):
        """A command of the user whose processes they are."""
        with process.placed(self.shop.home, "") as place:
            done = process.run(["bash", "-c", line], env=process.CLEAN | {"PID": str(pid)}, **place)
        must(done.returncode, 0, f"{line}: {done.stderr}")
        return done.stdout

    def _rabbitmqctl(self, words):
        is_of_vhost = words[0].startswith("list_") or words[0].endswith("_policy")
        vhost = ["-p", self.shop.vhost] if is_of_vhost else []
        return rabbitmq.control(self.shop.home, words[0], *vhost, *words[1:])

    def _shell(self, line, pid):
        shop, world = self.shop, self.shop.world
        env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "DOCKET_OPERATOR_URL": world.url("operator"),
               "DOCKET_OPERATOR_KEY": world.operator_key(), "DOCKET_PG": world.pg("docket_owner"),
               "DOCKET_SINGLE_NODE": "1", "PG_ADMIN": postgres.conninfo(shop.home, postgres.SUPERUSER, shop.database),
               "PID": str(pid), "DISK": self.disk.path if self.disk else ""}
        docket = os.path.join(shop.services.build, "ops/docket")
        done = subprocess.run(["bash", "-c", f"docket() {{ {shlex.quote(docket)} \"$@\"; }}\n{line}"], env=env,
                              capture_output=True, text=True, check=False, timeout=60)
        must(done.returncode, 0, f"{line}\n{done.stdout}{done.stderr}\nended with")
        return done.stdout


def lend_walk(shop, disk=None, **env):
    """For a fixture: `yield from`."""
    walk = Walk(shop, disk, **env)
    try:
        walk.begin()
        yield walk
    finally:
        walk.close()


class Repeated:
    """What happens again and again on `count` threads until the end."""

    def __init__(self, act, count=1):
        self.act, self.ending = act, threading.Event()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join(40)

    def _run(self):
        while not self.ending.wait(0.05):
            self.act(self.ending)


def customers(shop, count=3):
    """Orders on and on, whatever is answered."""
    return Repeated(lambda _: shop.post_until_told(deadline_s=30), count)


def stolen_time(shop, label, frozen_s=0.35):
    """As of a machine that another one keeps its CPU from, for most of the time."""
    def steal(ending):
        shop.freeze(label)
        ending.wait(frozen_s)
        shop.thaw(label)
        ending.wait(0.1)

    return Repeated(steal)


def clock_ahead(home, seconds):
    """Settings with which a program's clock is ahead of all others."""
    source = os.path.join(ROOT, "tests/harness/clock_ahead.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", home.at("data", "clock_ahead.so"), source], check=True)
    return {"LD_PRELOAD": "./clock_ahead.so", "CLOCK_AHEAD_S": str(seconds)}
