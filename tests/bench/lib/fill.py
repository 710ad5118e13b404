"""Many orders by SQL, as the programs would have left them (tests/bench/fill)."""
import itertools
import os
import time

HERE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fill")
STEP = 100_000
salts = itertools.count(time.time_ns() // 1000)


def script(name):
    with open(os.path.join(HERE, name + ".sql"), encoding="utf-8") as file:
        return file.read()


def fill(bench, shop, kind, count):
    """kind: ready or fulfilled.  The statistics are left as they are: nobody waits for autovacuum."""
    link = shop.services.connect(shop.database)
    try:
        with link.cursor() as cursor:
            cursor.execute("SET synchronous_commit = off")
            for done in range(0, count, STEP):
                cursor.execute(script("made") + script(kind) + "DROP TABLE made",
                               {"count": min(STEP, count - done), "salt": next(salts)})
                link.commit()
                if count > STEP:
                    bench.say(f"{min(done + STEP, count):,} of {count:,} orders are there")
    finally:
        link.close()
