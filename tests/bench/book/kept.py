"""The results that the page is made of: docs/performance/results/PART.jsonl, each the whole of one run of the part."""
import json
import os

from .write import ROOT

RESULTS = os.path.join(ROOT, "docs/performance/results")
LEFT_OUT = ("report",)  # all that the load generator said: long, and its figures stand beside it
DIGITS = 5


class Part:
    """about: what, on what and by which command; runs: {label: [record, a round each]}; tables: {title: table};
    verdicts: {what: verdict}."""

    def __init__(self, lines):
        (self.about,) = of_kind(lines, "begin")
        self.name, self.began = self.about["part"], self.about["began"]
        self.tables = {table["title"]: table for table in of_kind(lines, "table")}
        self.verdicts = {verdict["what"]: verdict for verdict in of_kind(lines, "verdict")}
        self.runs = {}
        for record in of_kind(lines, "run"):
            self.runs.setdefault(record["label"], []).append(record)

    def foreign_cores(self):
        """The least and the most that others used during a run."""
        used = [value for records in self.runs.values() for record in records for value in foreign(record)]
        return (min(used), max(used)) if used else None


def foreign(record):
    """Of a record, or of its parts."""
    for name, value in record.items():
        if name == "foreign_cores":
            yield value
        elif isinstance(value, dict):
            yield from foreign(value)


def of_kind(lines, kind):
    return [line for line in lines if line["is"] == kind]


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def parts(directory=RESULTS):
    names = sorted(name for name in os.listdir(directory) if name.endswith(".jsonl"))
    return {name[:-6]: Part(read(os.path.join(directory, name))) for name in names}


def newest(lines):
    """{part: lines of its newest run that came to its end}"""
    whole = {}
    for line in lines:
        whole.setdefault((line["part"], line["began"]), []).append(line)
    return {part: run for (part, _), run in sorted(whole.items()) if of_kind(run, "end")}


def take(path, names=(), directory=RESULTS):
    """Each part's newest run in a file of results takes the place of the one that is kept; their names."""
    found = newest(read(path))
    if missing := set(names) - set(found):
        raise SystemExit(f"{path} has no whole run of {', '.join(sorted(missing))}")
    os.makedirs(directory, exist_ok=True)
    taken = [name for name in found if name in names or not names]
    for name in taken:
        with open(os.path.join(directory, name + ".jsonl"), "w", encoding="utf-8") as file:
            file.writelines(json.dumps(shortened(line), ensure_ascii=False) + "\n" for line in found[name])
    return taken


def shortened(value):
    if isinstance(value, dict):
        return {name: shortened(inner) for name, inner in value.items() if name not in LEFT_OUT}
    if isinstance(value, list):
        return [shortened(inner) for inner in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
