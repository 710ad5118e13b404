"""How a figure is told: a median, and least and most where there is more than one round."""
import statistics


def spread(values):
    if not values:
        return "–"
    if isinstance(values[0], str):
        return values[0]
    text = number(statistics.median(values))
    least, most = number(min(values)), number(max(values))
    return text if least == most else f"{text} ({least}–{most})"


def number(value):
    if isinstance(value, str):
        return value
    if isinstance(value, int) or value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def table(columns, rows):
    """Markdown; rows: {label: [[value of a round, …] of a column, …]}."""
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    lines += [f"| {label} | " + " | ".join(map(spread, cells)) + " |" for label, cells in rows.items()]
    return "\n".join(lines)


def is_met(verdict):
    """verdict: {"values", "target", "sign", …}"""
    middle = statistics.median(verdict["values"])
    return middle >= verdict["target"] if verdict["sign"] == "≥" else middle <= verdict["target"]


def target(verdict):
    return f"{verdict['what']} {verdict['sign']} {number(verdict['target'])} {verdict['unit']}"


def found(verdict):
    return f"{spread(verdict['values'])} {verdict['unit']}"
