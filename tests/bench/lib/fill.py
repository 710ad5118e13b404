"""Many orders by SQL, as the programs would have left them (tests/bench/fill)."""
import concurrent.futures
import contextlib
import itertools
import os
import time

HERE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fill")
STEP = 100_000
PER_MS = 20  # ids follow each other as if so many had been accepted: each step has a time of its own
EACH_S = 4e-5  # what one takes to fill in, until the first step tells: retries are not due before all are there …
SLACK = 1.5  # … and vacuumed, and what else is measured before them …
WORKED_OFF_PER_S = 2000  # … and come due while about as many are worked off: one in ten is a retry, however many wait
salts = itertools.count(time.time_ns() // 1000)


def script(name):
    with open(os.path.join(HERE, name + ".sql"), encoding="utf-8") as file:
        return file.read()


def fill(bench, shop, kind, count, newest_ms=None, worked_off_per_s=WORKED_OFF_PER_S):
    """kind: ready, parked or fulfilled; newest_ms: when the newest was made, an hour ago if nothing is said.
    Returns when the first retry of those that are ready is due, as time.time() has it."""
    began = time.time()
    newest_ms = newest_ms or int(began * 1000) - 3_600_000
    numbers = {"due_s": began + count * EACH_S, "due_for_s": count / worked_off_per_s}
    first, *rest = [{"count": min(STEP, count - done), "salt": next(salts),
                     "newest_ms": newest_ms - max(0, count - done - STEP) // PER_MS} for done in range(0, count, STEP)]
    fill_step(shop, kind, first | numbers)
    if rest:
        numbers["due_s"] = began + count * SLACK * (time.time() - began) / first["count"]
        fill_rest(bench, shop, kind, rest, numbers)
        vacuum(bench, shop)
    return numbers["due_s"]


def fill_rest(bench, shop, kind, steps, numbers):
    with concurrent.futures.ThreadPoolExecutor(min(os.cpu_count(), len(steps))) as pool:
        jobs = [pool.submit(fill_step, shop, kind, step | numbers) for step in steps]
        for number, job in enumerate(concurrent.futures.as_completed(jobs), 1):
            job.result()
            bench.say(f"{number:,} of {len(steps):,} times up to {STEP:,} orders are there")


def vacuum(bench, shop):
    """A load leaves minutes of work to autovacuum: none of it while something is measured."""
    bench.say("vacuum")
    with contextlib.closing(shop.services.connect(shop.database)) as link, link.cursor() as cursor:
        link.autocommit = True
        cursor.execute("VACUUM (ANALYZE)")


def fill_step(shop, kind, numbers):
    with contextlib.closing(shop.services.connect(shop.database)) as link, link.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off; SET work_mem = '64MB'; SET temp_buffers = '64MB'")
        cursor.execute(script("made") + script(kind), numbers | {"per_ms": PER_MS})
        link.commit()
