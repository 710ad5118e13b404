"""Draws one picture each: f(figure, part).  Units stand on the axes; the yardstick is grey, a target a dashed line."""
import math
import statistics

from .figures import number
from .palette import BLUE, GREEN, GREY, INK, MUTED, ORANGE, PURPLE, RED

PROCESSES = {"api": BLUE, "relay": GREEN, "payment": PURPLE, "fulfilment": ORANGE, "worker": PURPLE, "writer": GREEN,
             "postgres": GREY, "rabbitmq": RED, "redis": "#e0a100"}


def median(records, name):
    return statistics.median(record[name] for record in records)


def column(part, title, heading):
    """{label: values} of a table."""
    table = part.tables[title]
    place = table["columns"].index(heading)
    return {label: cells[place] for label, cells in table["rows"].items()}


def aim(axis, value, text, across=True, at=0):
    """A target; its words stand at a corner of it."""
    (axis.axhline if across else axis.axvline)(value, color=INK, linewidth=1.1, linestyle=(0, (4, 3)), zorder=1.5)
    if across:
        axis.annotate(text, (1, value), xycoords=("axes fraction", "data"), xytext=(-2, 3), textcoords="offset points",
                      ha="right", va="bottom", fontsize=8, color=INK)
    else:
        axis.annotate(text, (value, 1), xycoords=("data", "axes fraction"), xytext=(3, 2), textcoords="offset points",
                      ha="left", va="bottom", fontsize=8, color=INK)


def bars(axis, values, colors, unit):
    """Horizontal, the first on top: medians, with each round as a dot where there are more; {label: values}."""
    middles = [statistics.median(of) for of in values.values()]
    places = range(len(middles))
    axis.barh(places, middles, height=.62, color=colors, alpha=.85)
    for place, (of, middle) in enumerate(zip(values.values(), middles)):
        if len(of) > 1:
            axis.plot(of, [place] * len(of), linestyle="", marker="o", markersize=3, color=INK, zorder=3)
        axis.annotate(number(middle), (max(of), place), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8.5)
    axis.set_yticks(list(places), list(values))
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.set_xlim(0, max(max(of) for of in values.values()) * 1.14)
    axis.set_xlabel(unit)


def stacked(axis, costs):
    """{label: {process: CPU ms an order}}, horizontal, with the sum at the end."""
    names = [name for name in PROCESSES if any(name in cost for cost in costs.values())]
    lefts = [0.0] * len(costs)
    for name in names:
        widths = [cost.get(name, 0.0) for cost in costs.values()]
        axis.barh(range(len(costs)), widths, left=lefts, height=.62, color=PROCESSES[name], label=name, alpha=.85)
        lefts = [left + width for left, width in zip(lefts, widths)]
    for place, left in enumerate(lefts):
        axis.annotate(number(left), (left, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8.5)
    axis.set_yticks(range(len(costs)), list(costs))
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.set_xlim(0, max(lefts) * 1.12)
    axis.set_xlabel("CPU, ms an order")
    axis.legend(ncol=len(names), loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=.2, handlelength=1, columnspacing=1.1)


def percentiles(axis, curves, colors):
    """{label: [[share, ms], …]}: how many are slower goes by tens to the right."""
    for (label, curve), color in zip(curves.items(), colors):
        axis.plot([1 / (1 - share) for share, _ in curve], [ms for _, ms in curve], marker="o", label=label, color=color)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xticks([2, 10, 100, 1000, 10000], ["50 %", "90 %", "99 %", "99.9 %", "99.99 %"])
    axis.minorticks_off()
    plain_log(axis.yaxis)
    axis.set_xlabel("share of orders that are quicker")
    axis.set_ylabel("ms")


def plain_log(axis):
    """1, 2, 5, 10 …, as they are written."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_formatter(NullFormatter())
    axis.set_tick_params(which="minor", length=0)


def thousands(axis):
    from matplotlib.ticker import FuncFormatter
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def mean_curve(records):
    """The median over the rounds at each share, where there are that many orders."""
    rows = zip(*(record["curve"] for record in records))
    count = min(record["count"] for record in records)
    return [[points[0][0], statistics.median(ms for _, ms in points)] for points in rows
            if (1 - points[0][0]) * count >= 1]


def cpu_ms(record, leave=("bench", "load", "sandbox", "nginx")):
    """{process: CPU ms an operation}"""
    return {name: seconds * 1000 / record["count"] for name, seconds in record["cpu_s"].items()
            if name not in leave and seconds > 0}


def middle(records):
    """The record whose CPU is the median's."""
    ordered = sorted(records, key=lambda record: sum(cpu_ms(record).values()))
    return ordered[len(ordered) // 2]


def accept(figure, part):
    rate, cost = figure.subplots(2, 1, height_ratios=(1.25, 1))
    values = {label: [record["per_s"] for record in records] for label, records in part.runs.items()}
    bars(rate, values, [GREY if "pgbench" in label else BLUE for label in values], "durable orders a second")
    thousands(rate.xaxis)
    best = max(statistics.median(of) for label, of in values.items() if "pgbench" in label)
    aim(rate, 2 * best, "target: 2 × the best pgbench", across=False)
    rate.set_xlim(right=max(rate.get_xlim()[1], 2.9 * best))
    stacked(cost, {label: cpu_ms(middle(records)) for label, records in part.runs.items()})


def latency(figure, part):
    axis = figure.subplots()
    curves = {label: mean_curve(records) for label, records in part.runs.items()}
    percentiles(axis, curves, [GREY if "pgbench" in label else BLUE for label in curves])
    axis.set_title("From when an order was meant to be sent to its 202")
    p50 = next(median(records, "p50_ms") for label, records in part.runs.items() if "pgbench" in label)
    axis.plot([2, 100], [6 * p50, 25], marker="v", color=INK, markersize=7, linestyle="",
              label="targets: p50 ≤ 6 × pgbench's, p99 ≤ 25 ms")
    axis.legend(loc="upper left")
    axis.set_ylim(top=axis.get_ylim()[1] * 3)


def status(figure, part):
    axis = figure.subplots()
    labels = ("nginx", "Docket, 304", "Docket, 200")
    values = {label: [record["per_s"] for record in part.runs[label]] for label in labels}
    bars(axis, values, (GREY, BLUE, BLUE), "reads a second over 64 connections")
    thousands(axis.xaxis)
    yardstick = statistics.median(values["nginx"])
    for place, share in ((1, .5), (2, .35)):
        axis.plot([share * yardstick] * 2, [place - .38, place + .38], color=INK, linewidth=1.1, linestyle=(0, (4, 3)))
        axis.annotate(f"target: {share:g} × nginx", (share * yardstick, place), xytext=(4, 0), textcoords="offset points",
                      va="center", fontsize=8)


def drain(figure, part):
    axis = figure.subplots()
    values = {label: [record["per_s"] for record in records] for label, records in part.runs.items()}
    bars(axis, values, (GREY, BLUE), "messages a second, published and confirmed")
    thousands(axis.xaxis)
    aim(axis, statistics.median(values["bare publisher"]) / 2, "target: half of the bare publisher", across=False)


def overload(figure, part):
    rate, times = figure.subplots(2, 1, sharex=True)
    offered = {label: records for label, records in part.runs.items() if label.endswith(" ×")}
    x = [float(label.removesuffix(" ×")) for label in offered]
    refused = column(part, "overload: by the capacity of a closed loop", "refused/s")
    good = [median(records, "per_s") for records in offered.values()]
    rate.plot(x, good, marker="o", color=BLUE, label="accepted")
    rate.plot(x, [statistics.median(refused[label]) or math.nan for label in offered], marker="s", color=GREY, label="refused (503)")
    rate.plot(x, [median(records, "offered_per_s") for records in offered.values()], color=MUTED, linewidth=1,
              linestyle=":", label="really offered")
    rate.plot([4, 10], [.95 * max(good), .9 * max(good)], linestyle="", marker="v", color=INK, markersize=7,
              label="target: ≥ 95 %, ≥ 90 % of the peak")
    rate.set_yscale("log")
    plain_log(rate.yaxis)
    rate.set_ylabel("orders a second")
    rate.legend(loc="upper left", ncol=2)
    rate.set_ylim(top=max(median(records, "offered_per_s") for records in offered.values()) * 4)
    for name, color in (("p50_ms", BLUE), ("p99_ms", ORANGE)):
        times.plot(x, [median(records, name) for records in offered.values()], marker="o", color=color,
                   label=f"accepted, {name[:3]}")
    late = column(part, "overload: by the capacity of a closed loop", "refused p99 ms")
    times.plot(x, [statistics.median(late[label]) for label in offered], marker="s", color=GREY, label="refused, p99")
    times.plot([10], [250], linestyle="", marker="v", color=INK, markersize=7, label="target: p99 ≤ 250 ms")
    times.set_ylim(0, max(300, times.get_ylim()[1]) * 1.25)
    times.set_ylabel("ms")
    times.set_xlabel("offered, by the capacity of a closed loop")
    times.set_xscale("log")
    times.set_xticks(x, [f"{value:g} ×" for value in x])
    times.minorticks_off()
    times.legend(loc="upper right", ncol=4)


def recovery(figure, part):
    axis = figure.subplots()
    (flood,) = part.runs["ten times, three tries"]
    begin, end = flood["calm_s"], flood["calm_s"] + flood["flood_s"]
    axis.axvspan(begin, end, color=ORANGE, alpha=.12, linewidth=0)
    axis.annotate("ten times the capacity", ((begin + end) / 2, 1), xycoords=("data", "axes fraction"), xytext=(0, -12),
                  textcoords="offset points", ha="center", fontsize=8.5)
    axis.plot(range(len(flood["good"])), flood["good"], marker="o", color=BLUE)
    aim(axis, .95 * flood["baseline_per_s"], "95 % of before")
    axis.set_ylim(0, max(flood["good"]) * 1.25)
    thousands(axis.yaxis)
    axis.set_xlabel("second of the run")
    axis.set_ylabel("orders accepted a second")


def flow(figure, part):
    axis = figure.subplots()
    stacked(axis, {f"provider at {label}": cpu_ms(middle(records)) for label, records in part.runs.items()})


def hops(figure, part):
    whole, steps = figure.subplots(1, 2, width_ratios=(1, 1.1))
    (records,) = part.runs.values()
    percentiles(whole, {"accepted to fulfilled": mean_curve(records)}, (BLUE,))
    whole.set_title("The whole way")
    aim(whole, 60, "outside: 60 ms")
    whole.plot([2, 100], [68, 80], linestyle="", marker="v", color=INK, markersize=6, label="targets: p50, p99")
    whole.legend(loc="upper left")
    names = list(records[0]["hops"])
    middles, slow = ([statistics.median(record["hops"][name][field] for record in records if name in record["hops"])
                      for name in names] for field in ("p50_ms", "p99_ms"))
    steps.hlines(range(len(names)), middles, slow, color=GREY, linewidth=1.4)
    steps.plot(middles, range(len(names)), linestyle="", marker="o", color=BLUE, label="p50")
    steps.plot(slow, range(len(names)), linestyle="", marker="o", color=ORANGE, label="p99")
    steps.set_yticks(range(len(names)), [f"… {name.split(' → ')[1].replace('_', ' ')}" for name in names])
    steps.invert_yaxis()
    steps.set_xlim(left=0)
    steps.set_xlabel("ms since the step before")
    steps.set_title("Step by step")
    steps.set_ylim(bottom=len(names) + .4)  # below the last step there is room for what the colours mean
    steps.legend(loc="lower right", ncol=2)


def flat(figure, part):
    """How the large one does by the small one, each round a dot."""
    axis = figure.subplots()
    verdicts = {what: verdict for what, verdict in part.verdicts.items() if what.endswith(" by that at 10,000")}
    for place, verdict in enumerate(verdicts.values()):
        axis.plot(verdict["values"], [place] * len(verdict["values"]), linestyle="", marker="o", color=BLUE, alpha=.55)
        axis.plot([statistics.median(verdict["values"])], [place], linestyle="", marker="|", markersize=17, color=BLUE,
                  markeredgewidth=2.4)
        axis.plot([verdict["target"]] * 2, [place - .35, place + .35], color=INK, linewidth=1.1, linestyle=(0, (4, 3)))
    axis.axvline(1, color=MUTED, linewidth=1)
    axis.set_yticks(range(len(verdicts)), [what.removesuffix(", by that at 10,000") for what in verdicts])
    axis.set_ylim(len(verdicts) - .5, -.5)
    values = [value for verdict in verdicts.values() for value in verdict["values"]]
    axis.set_xscale("log")
    plain_log(axis.xaxis)
    axis.set_xlim(min(.5, *values) / 1.1, max(2.0, *values) * 1.1)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("× the rate with 10,000 orders (dot: a round; bar: median; dashed: target)")


def peers(figure, part):
    rate, cost, times = figure.subplots(3, 1)
    shown = part.runs
    pick = {name: [record["flow_0"]["per_s"] for record in records] for name, records in shown.items()}
    bars(rate, pick, [BLUE if name == "docket" else GREY for name in pick],
         "orders a second from accepted to fulfilled, provider at 0 ms")
    thousands(rate.xaxis)
    stacked(cost, {name: cpu_ms(middle([record["flow_0"] for record in records])) for name, records in shown.items()})
    for place, records in enumerate(shown.values()):
        p50, p99 = (statistics.median(record["latency"][field] for record in records) for field in ("p50_ms", "p99_ms"))
        times.hlines([place], [p50], [p99], color=GREY, linewidth=1.4)
        times.plot([p50], [place], marker="o", color=BLUE, label=None if place else "p50")
        times.plot([p99], [place], marker="o", color=ORANGE, label=None if place else "p99")
    aim(times, 60, "outside: 60 ms", across=False)
    times.set_yticks(range(len(shown)), list(shown))
    times.invert_yaxis()
    times.set_xscale("log")
    plain_log(times.xaxis)
    times.set_xlabel("ms from accepted to fulfilled at 200 orders/s")
    times.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=.2, ncol=2)
