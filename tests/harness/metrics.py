"""What the programs measure, as Prometheus would read it."""
import re
import subprocess

from docket_local import programs

from .client import Client

LINE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")


def page(shop, label):
    """The text of one process's /metrics."""
    running = shop.processes[label]
    port = running.world.ports[programs.READY_AT.get(running.name, running.name)]
    answer = Client(port).get("/metrics")
    assert answer.status == 200, repr(answer)
    return answer.body.decode()


def read(shop, label):
    """{(name, labels): value} of one process; labels as they stand between the braces, or ""."""
    found = {}
    for line in page(shop, label).splitlines():
        if match := LINE.match(line):
            found[match[1], match[2] or ""] = float(match[3])
    return found


def value(shop, label, name, labels=""):
    """Of one series of one process."""
    return read(shop, label)[name, labels]


def promtool(*arguments, stdin=None):
    """Debian's promtool; (exit code, what it says)."""
    done = subprocess.run(["promtool", *arguments], input=stdin, capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout + done.stderr
