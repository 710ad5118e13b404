"""The load generator (tests/bench/load), run against a shop and metered."""
import json
import os
import subprocess
import tempfile
import uuid

from .bench import GENERATOR


class Load:
    """Load(bench, shop).orders(connections=64, rate=0): what came of it, over bench.seconds after
    bench.warm; rate 0 is a closed loop.

    Of every run: per_s (good answers a second), count, p50_ms … (from when each was meant to be sent),
    offered_per_s, fates, cpu_s, pss_mib, foreign_cores, report (all that the generator said)."""

    def __init__(self, bench, shop, port=None, **pids):
        self.bench, self.shop, self.port = bench, shop, port or shop.port("api")
        self.pids = pids  # of whom else it is that is asked
        self.files = tempfile.TemporaryDirectory(prefix="docket-bench-")
        self.taskset = None  # "1": the generator runs on that core

    def close(self):
        self.files.cleanup()

    def orders(self, connections, rate=0, **more):
        body = json.dumps(self.shop.order_body(), separators=(",", ":"))
        name = uuid.uuid4().hex[:12]  # no customer and no key twice
        body = body.replace("ada@", f"ada+{name}-@@N@@@", 1)
        return self.run("orders", connections, rate, body=self.file("order.json", body),
                        authorization=self.shop.checkout, prefix=f"b-{name}-", **more)

    def polls(self, ids, connections, rate=0, **more):
        return self.run("polls", connections, rate, ids=self.file("ids", "\n".join(ids)),
                        authorization=self.shop.reader, **more)

    def get(self, path, connections, rate=0, **more):
        return self.run("get", connections, rate, path=path, **more)

    def file(self, name, text):
        path = os.path.join(self.files.name, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def run(self, kind, connections, rate, phases=None, measured=1, **options):
        """phases: [(rate, seconds)], of which the one with the number `measured` is reported (the
        others are in the report)."""
        phases = phases or [(rate, self.bench.warm), (rate, self.bench.seconds)]
        words = {"kind": kind, "port": self.port, "connections": connections,
                 "phases": ",".join(f"{rate}:{seconds}" for rate, seconds in phases), **options}
        argv = ["taskset", "-c", self.taskset] if self.taskset else []
        argv += [os.path.join(self.bench.services.build, GENERATOR)] + [f"{name}={value}" for name, value in words.items() if value is not None]
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        meter, report = self.bench.meter(self.shop, load=[child.pid], **self.pids), None
        used = {}
        for line in child.stdout:
            said = json.loads(line)
            if said.get("began") == measured:
                meter.begin()
            elif said.get("began") == measured + 1:
                used = meter.end()
            elif "phases" in said:
                report = said
        if child.wait() != 0 or report is None:
            raise RuntimeError(f"the load generator ended with {child.returncode}")
        return figures(report, measured, kind) | used | {"connections": connections}


def figures(report, measured, kind):
    phase = report["phases"][measured]
    answered = phase["answered"]
    return {"per_s": phase["good"] / phase["seconds"], "count": phase["good"],
            "offered_per_s": phase["offered"] / phase["seconds"], "kind": kind,
            "fates": {name: phase[name] for name in ("good", "refused", "failed", "late", "lost", "unsent")},
            **{name: answered[name] for name in ("p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms")},
            "curve": [[share_of(name), ms] for name, ms in answered.items() if name[0] == "p"],
            "report": report}


def share_of(name):
    """p999_ms → 0.999"""
    return float("0." + name[1:].removesuffix("_ms"))
