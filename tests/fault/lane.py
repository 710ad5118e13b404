"""One Docket that is killed again and again, and its operator's supervisor.

After each kill the three books are compared: our tables, the sandbox's ledger, and what the
clients were told.
"""
import threading
import time

import loads
from harness import Docket, must, wait_for

SETTLE_S = 60
REACH_S = 40
WORKER = {"DOCKET_RETRY_BASE_MS": 50, "DOCKET_RETRY_MAX_MS": 500, "DOCKET_CUSTOMER_WAIT_S": 1,
          "DOCKET_PROVIDER_LONGEST_MS": 300, "DOCKET_PROVIDER_TIMEOUT_MS": 2000,
          "DOCKET_CARRIER_TIMEOUT_MS": 2000, "DOCKET_DUPLICATE_WINDOW_S": 600, "DOCKET_ORPHAN_EVERY_S": 1, "DOCKET_ORPHAN_HOURS": 1}
SETTINGS = {"relay": {"DOCKET_SWEEP_S": 1, "DOCKET_BREAKER_PAUSE_MS": 100,
                      "DOCKET_BREAKER_PAUSE_MAX_MS": 1000},
            "payment": WORKER, "fulfilment": WORKER}
making = threading.Lock()  # ports and databases are given out by one at a time


class Supervisor(threading.Thread):
    """As an operator's systemd would: starts a process again whenever it ends."""

    def __init__(self, docket, name):
        super().__init__(daemon=True)
        self.docket, self.name, self.code, self.wrong = docket, name, None, None
        self.is_over = False

    def run(self):
        try:
            self.code = self.docket.wait_ended(self.name, REACH_S)
            if self.is_over:
                return
            self.docket.start(self.name, env=SETTINGS.get(self.name), wait=False)
            self.docket.wait_ready(self.name)
        except Exception as error:  # pylint: disable=broad-except; it is told by the lane
            self.wrong = error

    def must_have_restarted(self):
        self.join(REACH_S + 30)
        if self.wrong is not None:
            raise self.wrong
        must(self.code, -9, f"how {self.name} ended")


class Lane:
    def __init__(self, services):
        self.supervisor = None
        with making:
            self.docket = Docket(services)
        try:
            self.docket.open_shop(**SETTINGS)
        except BaseException:
            self.end()
            raise

    def close(self):
        self.docket.close()

    def end(self):
        """Without asking: of a lane that has failed already."""
        if self.supervisor is not None:
            self.supervisor.is_over = True
        self._kill_all()
        if self.supervisor is not None:
            self.supervisor.join(30)
            self._kill_all()  # what it was just starting

    def _kill_all(self):
        for label in list(self.docket.processes):
            if self.docket.is_alive(label):
                self.docket.kill(label)

    def kill(self, kill):
        """Kills the process at the point, under load, and compares the books at the end."""
        docket, first = self.docket, len(self.docket.told)
        loads.trouble(docket)
        self._start_armed(kill)
        supervisor = self.supervisor = Supervisor(docket, kill.process)
        supervisor.start()
        self._load_until_over(kill, supervisor)
        supervisor.must_have_restarted()
        self.must_balance(first)

    def _start_armed(self, kill):
        """The relay is asked to end, so that the next one need not wait for its lease to lapse."""
        docket = self.docket
        if kill.process == "relay":
            docket.stop("relay")
        else:
            docket.kill(kill.process)
        if kill.load in loads.BEFORE:
            loads.BEFORE[kill.load](self)
        docket.start(kill.process, env=SETTINGS.get(kill.process), wait=False,
                     point=f"{kill.point}:{kill.nth}")

    def _load_until_over(self, kill, supervisor):
        until = time.monotonic() + REACH_S
        kill.load(self)
        while supervisor.is_alive() and time.monotonic() < until:
            supervisor.join(2.5)
            if supervisor.is_alive() and supervisor.code is None:
                kill.load(self)

    def must_balance(self, first=0):
        """Every order is final or explained, the books agree, and each 202 is what it was."""
        told = {one.key: one for one in self.docket.told[first:] if one.status == 202}
        books = self.docket.books(settle_s=SETTLE_S)
        wait_for(lambda: not list(books.unowned_tasks()), 10, "every task named by a message")
        for key, one in told.items():
            again = self.docket.post_until_told(one.body, key)
            must((again.status, again.answer.body), (202, one.answer.body), f"{key}, told again")
        books.must_balance()
