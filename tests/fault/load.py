"""Clients that post orders, each until it is told, while a test does its worst."""
import itertools
import threading

import loads

from harness import wait_for

CLIENTS = 3
PACE_S = 0.02  # between two orders of one client: a shop, not a benchmark
DEADLINE_S = 60


class Load:
    def __init__(self, docket):
        self.docket = docket
        self.bodies = itertools.cycle(loads.bodies(docket))
        self.ending = threading.Event()
        self.wrong = []
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CLIENTS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, error, _):
        self.ending.set()
        for thread in self.threads:
            thread.join(DEADLINE_S + 20)
        if kind is None and self.wrong:
            raise self.wrong[0]

    def _run(self):
        try:
            while not self.ending.wait(PACE_S):
                self.docket.post_until_told(next(self.bodies), deadline_s=DEADLINE_S)
        except Exception as error:  # pylint: disable=broad-except; raised at the end
            self.wrong.append(error)

    def more(self, count=30):
        """Waits until so many more orders were promised."""
        wanted = self.promised() + count
        wait_for(lambda: self.wrong or self.promised() >= wanted, DEADLINE_S,
                 f"{count} more orders", every_s=0.05)

    def promised(self):
        return sum(told.status == 202 for told in list(self.docket.told))
