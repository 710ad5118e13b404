"""What the parts of tests/bench/run are written with.

    def run(bench):
        shop = bench.shop("api")                          # a Docket of its own, its programs started
        runs = bench.alternate({"docket": lambda: accept(bench, shop), "pgbench": …})
        bench.book.table("accept", runs, …)
"""
from .bench import Bench
from .load import Load
from .meter import Meter

__all__ = ["Bench", "Load", "Meter"]
