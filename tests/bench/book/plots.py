"""The pictures of docs/performance.md.

A picture is an SVG whose last line says what it was drawn from, so that one that is older than its results is found
without drawing it again.  It is light, and dark where the reader's screen is.
"""
import collections
import hashlib
import io
import os

from . import draw, kept
from .palette import RC, with_dark

Plot = collections.namedtuple("Plot", "part draw height says")
PLOTS = {
    "accept": Plot("accept", draw.accept, 4.6, "Orders accepted a second, and what one costs, by pgbench and by Docket"),
    "latency": Plot("latency", draw.latency, 3.2, "How long accepting an order takes at half of the peak, by percentile"),
    "status": Plot("status", draw.status, 2.2, "Reads a second of nginx and of Docket"),
    "overload": Plot("overload", draw.overload, 5.0, "Goodput and latency at half to ten times the capacity"),
    "recovery": Plot("overload", draw.recovery, 2.8, "Goodput second by second before, in and after the flood"),
    "drain": Plot("drain", draw.drain, 1.8, "Messages a second of the relay and of a bare publisher"),
    "flow": Plot("flow", draw.flow, 2.0, "CPU an order from the outbox to shipped, by process"),
    "hops": Plot("hops", draw.hops, 3.6, "Milliseconds from accepted to fulfilled, as a whole and step by step"),
    "backlog": Plot("backlog", draw.flat, 2.2, "Rates with a large backlog by those with 10,000 orders"),
    "history": Plot("history", draw.flat, 2.5, "Rates with a long history by those with 10,000 orders"),
    "peers": Plot("peers", draw.peers, 7.4, "Rate, CPU an order by process and latency of Docket and its peers"),
}
WIDTH = 7.6
SOURCES = ("draw.py", "palette.py", "plots.py")


def stamp(name, directory=kept.RESULTS):
    """Of what a picture is drawn from: its results and the code that draws."""
    here, digest = os.path.dirname(os.path.abspath(__file__)), hashlib.sha256()
    for path in [os.path.join(directory, PLOTS[name].part + ".jsonl"), *(os.path.join(here, file) for file in SOURCES)]:
        with open(path, "rb") as file:
            digest.update(file.read())
    return f"<!-- {name} {digest.hexdigest()[:16]} -->"


def hidden(figure):
    """Points that lie under a legend."""
    found = []
    for axis in figure.axes:
        if legend := axis.get_legend():
            box = legend.get_window_extent()
            found += [(x, y) for line in axis.lines if line.get_marker() not in ("None", "", None)
                      for (x, y), place in zip(line.get_xydata(), axis.transData.transform(line.get_xydata()))
                      if box.contains(*place)]
    return found


def svg(name, part):
    import matplotlib
    from matplotlib.figure import Figure
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(WIDTH, PLOTS[name].height), layout="constrained")
        PLOTS[name].draw(figure, part)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
        assert not hidden(figure), f"{name}: a legend covers {hidden(figure)}"
    return with_dark(out.getvalue()) + stamp(name) + "\n"
