"""docs/metrics.md, made from what the programs say they measure:
python3 ops/lib/metrics.py > docs/metrics.md (BUILD as an argument if it is not build)."""
import os
import re
import subprocess
import sys

PROGRAMS = {"api": ["api/docket-api"], "relay": ["workers/docket-relay"],
            "payment": ["workers/docket-worker", "payment"],
            "fulfilment": ["workers/docket-worker", "fulfilment"]}
HEAD = """\
# Metrics

Every program serves them at `/metrics` (the API on the operators' listener), in Prometheus' text format. This table is
made from the code: `python3 ops/lib/metrics.py > docs/metrics.md`; `tests/flow/test_metrics.py` compares it with what
the programs serve. Counters and histograms begin at 0 with their process; gauges of the backlog are shown by the relay
that leads, and are 0 at the others. Alerts on them: `ops/prometheus/alerts.yml`, with [runbooks](runbooks.md).

| metric | type | labels | programs | what it is |
|---|---|---|---|---|
"""


def series(build, program):
    """(name, type, labels, help) of every series that a program registers."""
    path, *arguments = PROGRAMS[program]
    printed = subprocess.run([os.path.join(build, path), *arguments, "--metrics"], check=True,
                             capture_output=True, text=True).stdout
    return [tuple(line.split("\t")) for line in printed.splitlines()]


class Row:
    def __init__(self, kind, text):
        self.kind, self.text, self.labels, self.programs = kind, text, {}, []

    def note(self, program, labels):
        for name, value in re.findall(r'(\w+)="([^"]*)"', labels):
            self.labels.setdefault(name, [])
            if value not in self.labels[name]:
                self.labels[name].append(value)
        if program not in self.programs:
            self.programs.append(program)

    def shown_labels(self):
        """With their values where they are few and do not change with each release."""
        return "; ".join(f"`{name}`" + (f": {', '.join(values)}" if 1 < len(values) <= 12 or name == "stage"
                                        else "") for name, values in self.labels.items())


def table(build):
    rows = {}
    for program in PROGRAMS:
        for name, kind, labels, text in series(build, program):
            row = rows.setdefault(name, Row(kind, text))
            assert (row.kind, row.text) == (kind, text), f"{name} is described in two ways"
            row.note(program, labels)
    return rows


def page(build):
    rows = table(build)
    return HEAD + "".join(
        f"| `{name}` | {row.kind} | {row.shown_labels()} | "
        f"{'all' if len(row.programs) == len(PROGRAMS) else ', '.join(row.programs)} | {row.text} |\n"
        for name, row in sorted(rows.items()))


if __name__ == "__main__":
    sys.stdout.write(page(sys.argv[1] if len(sys.argv) > 1 else "build"))
