"""A Prometheus of a test's own: Debian's, on loopback, with our rules at another speed."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.parse

from .client import Client
from .services import ROOT
from .wait import wait_for

RULES = os.path.join(ROOT, "ops/prometheus/alerts.yml")
UNITS = {"s": 1, "m": 60, "h": 3600}
AGE = re.compile(r"((?:oldest|late|held)_seconds\) > )(\d+)")
WINDOW_SPEED, WINDOW_S = 60, (4, 15)


def scaled(text, speed):
    """The rules with every duration divided: how long a fault must last, and how old a backlog may be.  Over what a
    rate is taken becomes a sixtieth, 4 s (two scrapes, whatever the machine does) to 15 s."""
    def window(match):
        least, most = WINDOW_S
        return f"[{min(most, max(least, round(int(match[1]) * UNITS[match[2]] / WINDOW_SPEED)))}s]"

    def patience(match):
        return f"for: {round(int(match[1]) * UNITS[match[2]] * 1000 / speed)}ms"

    text = re.sub(r"\[(\d+)([smh])\]", window, text)
    text = re.sub(r"for: (\d+)([smh])$", patience, text, flags=re.M)
    return AGE.sub(lambda match: f"{match[1]}{max(1, round(int(match[2]) / speed))}", text)


class Prometheus:
    def __init__(self, port, targets, node=None, speed=300):
        self.directory = tempfile.mkdtemp(prefix="docket-prometheus-")
        self.client = Client(port, timeout_s=5)
        with open(RULES, encoding="utf-8") as file:
            self._write("alerts.yml", scaled(file.read(), speed))
        self._write("prometheus.yml", json.dumps({
            "global": {"scrape_interval": "500ms", "scrape_timeout": "400ms",
                       "evaluation_interval": "250ms"},
            "rule_files": ["alerts.yml"],
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": hosts}]}
                               for job, hosts in (("docket", targets), ("node", [node])) if hosts != [None]]}))
        with open(os.path.join(self.directory, "log"), "wb") as log:
            self.child = subprocess.Popen(
                ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                 f"--web.listen-address=127.0.0.1:{port}"], cwd=self.directory,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self._is_ready, 20, "Prometheus is ready")

    def _write(self, name, text):
        with open(os.path.join(self.directory, name), "w", encoding="utf-8") as file:
            file.write(text)

    def _is_ready(self):
        assert self.child.poll() is None, self.log()
        try:
            return self.client.get("/-/ready").status == 200
        except OSError:
            return False

    def log(self):
        with open(os.path.join(self.directory, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()[-3000:]

    def query(self, expression):
        found = self.client.get("/api/v1/query?query=" + urllib.parse.quote(expression))
        assert found.status == 200, repr(found)
        return json.loads(found.body)["data"]["result"]

    def firing(self):
        """The names of the alerts that fire now."""
        return {row["metric"]["alertname"] for row in self.query('ALERTS{alertstate="firing"}')}

    def close(self):
        self.child.terminate()
        self.child.wait(20)
        shutil.rmtree(self.directory)
