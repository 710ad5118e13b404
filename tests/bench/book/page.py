"""docs/performance.md: its words from docs/performance/page.md, its figures from the kept results.

On a line of their own, in {{ }}:

    score              how many of all targets are reached, and which are missed
    machines           what the runs were made on
    about PART         by which command, when, of which commit, and how much others used meanwhile
    targets PART       a table: target, found, reached or missed
    table PART: TITLE  a table of the run, as it was printed
    plot NAME          a picture of book/plots.py
    if missed PART: WHAT … end     (also reached; WHAT | WHAT: one of them) what stands only where that is so; not nested

and within a line, {{WHAT of PART}}: what was found for a target, as "2.3 (1.4–3.2) ×";
{{HEADING of LABEL in PART: TITLE}}: a cell of a table.  Of a part that has no result, `about` says so.
"""
import os
import re

from . import plots
from .figures import found, is_met, spread, table, target
from .write import ROOT

GENERATED = ("<!-- Made by tests/bench/report from docs/performance/page.md (the words) and docs/performance/results "
             "(the figures).\n     Change those, then run tests/bench/report. -->\n")
FOLDER = "performance"  # seen from the page
INLINE = re.compile(r"\{\{(.*?) (?:of|in) (\w+)(?:: (.*?))?\}\}")


class Unknown(Exception):
    """The words name a part, a figure or a picture that does not exist."""


class Page:
    def __init__(self, words, parts):
        self.words, self.parts = words, parts
        self.asked = set()  # verdicts that the words ask about: {(part, what)}

    def text(self):
        return GENERATED + re.sub(r"\n{3,}", "\n\n", "\n".join(self._lines()))

    def _lines(self):
        is_shown = True
        for line in self.words.split("\n"):
            verb, rest = order_of(line)
            if verb == "if":
                is_shown = self._holds(rest)
            elif verb == "end":
                is_shown = True
            elif verb and is_shown:
                yield from self._obey(verb, rest)
            elif is_shown:
                yield INLINE.sub(self._cell, line)

    def _obey(self, verb, rest):
        if verb in ("score", "machines"):
            yield getattr(self, "_" + verb)()
        elif part := self._part(plots.PLOTS[rest].part if rest in plots.PLOTS and verb == "plot" else rest.partition(":")[0]):
            yield {"about": self._about, "targets": self._targets, "table": self._table,
                   "plot": self._plot}[verb](part, rest.partition(": ")[2] or rest)
        elif verb == "about":
            yield f"*No result of `tests/bench/run {rest}` is kept.*"

    def _part(self, name):
        """None: it has no result."""
        if not os.path.exists(os.path.join(ROOT, "tests/bench/parts", name + ".py")):
            raise Unknown(f"there is no part {name}")
        return self.parts.get(name)

    def _holds(self, rest):
        fate, name, whats = re.fullmatch(r"(missed|reached) (\w+): (.*)", rest).groups()
        self.asked |= {(name, what) for what in whats.split(" | ")}
        part = self._part(name)
        return part is not None and any(is_met(among(part, part.verdicts, what)) == (fate == "reached")
                                        for what in whats.split(" | "))

    def _score(self):
        verdicts = [(name, verdict) for name, part in self.parts.items() for verdict in part.verdicts.values()]
        missed = [f"{verdict['what']} (`{name}`)" for name, verdict in verdicts if not is_met(verdict)]
        return (f"**{len(verdicts) - len(missed)} of {len(verdicts)} targets are reached.**"
                + (f" Missed: {'; '.join(missed)}." if missed else ""))

    def _machines(self):
        return "\n".join(sorted({
            f"- {about['cpu']}, {about['cores']} cores, {about['memory_gib']} GiB; Linux {about['kernel']}; {about['versions']}"
            for about in (part.about for part in self.parts.values())}))

    @staticmethod
    def _about(part, _):
        cores = part.foreign_cores()
        others = f", others used {spread(cores)} cores" if cores else ""
        return f"`{part.about['command']}` at {part.about['commit']}, {part.began[:10]}{others}:"

    @staticmethod
    def _targets(part, _):
        return "\n".join(["| target | found | |", "|---|---|---|", *(
            f"| {target(verdict)} | {found(verdict)} | {'reached' if is_met(verdict) else '**missed**'} |"
            for verdict in part.verdicts.values())])

    @staticmethod
    def _table(part, title):
        of = among(part, part.tables, title)
        kept = [n for n, _ in enumerate(of["columns"]) if any(cells[n] for cells in of["rows"].values())]
        return table([of["columns"][n] for n in kept],
                     {label: [cells[n] for n in kept] for label, cells in of["rows"].items()})

    @staticmethod
    def _plot(_, name):
        if name not in plots.PLOTS:
            raise Unknown(f"there is no plot {name}: {', '.join(plots.PLOTS)}")
        return f"![{plots.PLOTS[name].says}]({FOLDER}/{name}.svg)"

    def _cell(self, match):
        what, name, title = match.groups()
        part = self._part(name)
        if part is None:
            return "–"
        if title is None:
            return found(among(part, part.verdicts, what))
        heading, label = what.split(" of ", 1)
        of = among(part, part.tables, title)
        return spread(among(part, of["rows"], label)[of["columns"].index(heading)])

    def unexplained(self):
        """Targets that were missed and of which the words say nothing."""
        return [f"{name}: {what}" for name, part in self.parts.items() for what, verdict in part.verdicts.items()
                if not is_met(verdict) and (name, what) not in self.asked]


def order_of(line):
    """(verb, rest) of a line that is an order, else (None, "")."""
    order = re.fullmatch(r"\{\{(score|machines|about|targets|table|plot|if|end) ?(.*)\}\}", line)
    return order.groups() if order else (None, "")


def among(part, there, what):
    if what not in there:
        raise Unknown(f"{part.name} has no “{what}”, but {', '.join(there)}")
    return there[what]
