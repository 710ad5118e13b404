"""What a part reads off its records: columns of its table, and ratios for its verdicts."""


def cpu_per_1000(*groups):
    """Column: CPU seconds of these groups (all but the load and the bench, if none is named) for 1,000
    operations."""
    def read(record):
        cpu = record.get("cpu_s")
        counted = [group for group in cpu or () if group in (groups or set(cpu) - {"load", "bench"})]
        if not counted or not record.get("count"):
            return None
        return sum(cpu[group] for group in counted) * 1000 / record["count"]
    return read


def field(name):
    return lambda record: record.get(name)


def ratios(runs, system, yardsticks, name="per_s"):
    """Round by round, the system's figure by that of the best yardstick."""
    return [run[name] / max(runs[yardstick][number][name] for yardstick in yardsticks)
            for number, run in enumerate(runs[system])]
