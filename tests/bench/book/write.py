"""What was measured: lines of JSON, and tables and verdicts on the terminal.

A part is a line that begins it, a line of each run of each contestant, of each table, of each verdict, and a line that
ends it; all of them name the part and the time it began at.  A part that did not come to its end has no last line.
"""
import datetime
import json
import os
import platform
import shlex
import subprocess
import sys

from .figures import found, is_met, table, target

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


class Book:
    """The file that results are appended to."""

    def __init__(self, path):
        self.path, self.part, self.began = path, None, None
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)

    def begin(self, part):
        self.part, self.began = part, now()
        self._write("begin", about())

    def end(self):
        self._write("end", {"at": now()})

    def add(self, label, number, record):
        """One run of one contestant."""
        self._write("run", {"label": label, "round": number, **record})

    def table(self, title, runs, columns):
        """runs: {label: [record]}; columns: {heading: record → number or None}."""
        rows = {label: [[value for record in records if (value := read(record)) is not None]
                        for read in columns.values()] for label, records in runs.items()}
        self._write("table", {"title": title, "columns": list(columns), "rows": rows})
        print(f"\n{title}\n\n{table(columns, rows)}\n", flush=True)

    def verdict(self, what, values, target_value, at_least=True, unit="×"):
        """Whether the median of the rounds' values reaches the target."""
        verdict = {"what": what, "values": values, "target": target_value, "sign": "≥" if at_least else "≤",
                   "unit": unit}
        self._write("verdict", verdict)
        print(f"{what}: {found(verdict)}, to reach {target(verdict).removeprefix(what + ' ')}: "
              f"{'reached' if is_met(verdict) else 'MISSED'}", flush=True)
        return is_met(verdict)

    def _write(self, kind, record):
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"part": self.part, "began": self.began, "is": kind, **record}, ensure_ascii=False) + "\n")


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def said(*argv):
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def about():
    """Of what, on what and by which command."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.partition(": ")[2].strip() for line in file if line.startswith("model name")), platform.machine())
    argv = [os.path.relpath(os.path.realpath(sys.argv[0]), ROOT), *sys.argv[1:]]
    versions = said("dpkg-query", "-W", "-f", "${Package} ${Version}, ", "postgresql-15", "rabbitmq-server")
    return {"commit": said("git", "-C", ROOT, "rev-parse", "--short", "HEAD"), "command": shlex.join(argv),
            "cores": os.cpu_count(), "cpu": model, "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
            "kernel": platform.release(), "versions": versions.removesuffix(", ")}
