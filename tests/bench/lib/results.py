"""What was measured: a line of JSON each run, and tables of medians."""
import datetime
import json
import os
import statistics
import subprocess

from harness.services import ROOT

COMMIT = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                        check=False).stdout.strip()


class Book:
    """The file that results are appended to."""

    def __init__(self, path):
        self.path, self.part = path, None
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)

    def add(self, label, number, record):
        about = {"at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                 "commit": COMMIT, "cores": os.cpu_count(), "part": self.part, "label": label,
                 "round": number}
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps({**about, **record}) + "\n")

    def table(self, title, runs, columns):
        """runs: {label: [record]}; columns: {heading: record → number or None}.  Medians, and least and
        most where there is more than one round."""
        print(f"\n{title}\n")
        print("| | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
        for label, records in runs.items():
            cells = [spread([value for record in records if (value := read(record)) is not None])
                     for read in columns.values()]
            print(f"| {label} | " + " | ".join(cells) + " |")
        print(flush=True)


def spread(values):
    if not values:
        return "–"
    text = number(statistics.median(values))
    return text if len(values) == 1 else f"{text} ({number(min(values))}–{number(max(values))})"


def number(value):
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def cpu_per_1000(*groups):
    """Column: CPU seconds of these groups (all but the load and the bench, if none is named) for 1,000
    operations."""
    def read(record):
        cpu = record.get("cpu_s")
        if not cpu or not record.get("count"):
            return None
        counted = groups or [group for group in cpu if group not in ("load", "bench")]
        return sum(cpu.get(group, 0.0) for group in counted) * 1000 / record["count"]
    return read


def field(name):
    return lambda record: record.get(name)


def ratios(runs, system, yardsticks, name="per_s"):
    """Round by round, the system's figure by that of the best yardstick."""
    return [run[name] / max(runs[yardstick][number][name] for yardstick in yardsticks)
            for number, run in enumerate(runs[system])]


def verdict(what, values, target, at_least=True):
    """One line: the median of the ratios, their spread, and whether the target is reached."""
    middle = statistics.median(values)
    is_met = middle >= target if at_least else middle <= target
    sign = "≥" if at_least else "≤"
    print(f"{what}: {spread(values)}, to reach {sign} {number(target)}: "
          f"{'reached' if is_met else 'MISSED'}", flush=True)
    return is_met
