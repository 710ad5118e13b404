"""10,000 idle connections and 2,000 streams of events: the API's memory, and how soon a change reaches its stream

Changes of random orders are committed one by one, 200 a second, each with the hint that a worker sends; what is timed is
from the return of the commit to the arrival of the event.
"""
import json
import os
import random
import subprocess
import threading
import time

from docket_local import order, process

from lib import Load
from lib.bench import STREAMS
from lib.results import field

from .status import fill

MEMORY_MIB, REACHED_MS, CHANGES_PER_S = 64, 100, 200


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS:"))


def change(cursor, uuid):
    """As a worker's outcome does it: version and event in one transaction, then a hint."""
    cursor.execute("WITH won AS (UPDATE orders SET version = version + 1, updated_at = now() WHERE id = %s "
                   "RETURNING id, version, status) INSERT INTO order_event (order_id, version, kind, status, process) "
                   "SELECT id, version, 'bench', status, 'bench' FROM won RETURNING version", (uuid,))
    version, at = cursor.fetchone()[0], time.time()
    cursor.execute("SELECT pg_notify('docket_orders', %s)", (uuid,))
    return version, at


def change_for(shop, ids, seconds):
    """{(stream, version): when it was committed}"""
    committed, link = {}, shop.services.connect(shop.database)
    link.autocommit = True
    uuids, begun = [order.to_uuid(public) for public in ids], time.monotonic()
    with link.cursor() as cursor:
        while time.monotonic() - begun < seconds:
            stream = random.randrange(len(ids))
            version, at = change(cursor, uuids[stream])
            committed[stream, version] = at
            time.sleep(max(0.0, begun + len(committed) / CHANGES_PER_S - time.monotonic()))
    link.close()
    return committed


def listen(bench, shop, load, ids, idle):
    seconds = round(bench.seconds * 2)
    child = subprocess.Popen([os.path.join(bench.services.build, STREAMS), str(shop.port("api")), str(idle),
                              shop.reader, load.file("ids", "\n".join(ids)), str(seconds + 2)],
                             stdout=subprocess.PIPE, text=True)
    opened = json.loads(next(line for line in child.stdout if "open" in line))["open"]
    if opened != idle + len(ids):
        raise RuntimeError(f"only {opened} connections were opened")
    said = []
    reader = threading.Thread(target=lambda: said.extend(child.stdout))  # all along: it waits while its pipe is full
    reader.start()
    meter = bench.meter(shop, load=[child.pid]).begin()
    committed = change_for(shop, ids, seconds)
    used, memory = meter.end(), resident_mib(shop.pid("api"))
    reader.join()
    child.wait()
    lines = [json.loads(line) for line in said]
    came = {(line["stream"], line["version"]): line["at_us"] / 1e6 for line in lines if "stream" in line}
    delays = sorted((came[change] - at) * 1000 for change, at in committed.items() if change in came)
    if len(delays) < len(committed) * 0.999:
        raise RuntimeError(f"{len(committed) - len(delays)} of {len(committed)} changes did not arrive")
    return used | {"resident_mib": memory, "changes": len(committed), "still_open": lines[-1]["still_open"],
                   "p50_ms": delays[len(delays) // 2], "p99_ms": delays[len(delays) * 99 // 100],
                   "max_ms": delays[-1], "per_s": len(committed) / used["wall_s"]}


def run(bench):
    process.raise_file_limit()
    idle, streams = bench.option("idle", 10000), bench.option("streams", 2000)
    shop = bench.shop("api")
    load = Load(bench, shop)
    ids = fill(load, shop, streams)
    runs = bench.alternate({f"{idle:,} idle, {streams:,} streams": lambda: listen(bench, shop, load, ids, idle)})
    bench.book.table("connections", runs, {
        "resident MiB": field("resident_mib"), "PSS MiB": field("pss_mib"), "changes": field("changes"),
        "p50 ms": field("p50_ms"), "p99 ms": field("p99_ms"), "max ms": field("max_ms"),
        "foreign cores": field("foreign_cores")})
    (records,) = runs.values()
    bench.book.verdict("resident memory of the API", [run["resident_mib"] for run in records], MEMORY_MIB, at_least=False,
                       unit="MiB")
    bench.book.verdict("p99 from the commit of a change to its stream", [run["p99_ms"] for run in records], REACHED_MS,
                       at_least=False, unit="ms")
