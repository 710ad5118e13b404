"""CPU seconds and memory of processes, from /proc, and what others on the machine use meanwhile."""
import contextlib
import os
import threading
import time

from docket_local import process

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
SAMPLE_S = 0.25


class Meter:
    """meter.begin() … meter.end() → {"wall_s", "cpu_s": {group: s}, "pss_mib", "foreign_cores"}

    Groups: each program of the shop, postgres (with the backends that ended meanwhile), rabbitmq, what
    the caller adds, and this program itself (bench).  pss_mib: the most that all processes of the
    shop had together, memory that they share counted once; the sandbox is not ours to count."""

    def __init__(self, home, shop=None, more=None):
        self.home, self.shop, self.more = home, shop, more or {}
        self.thread, self.most_pss, self.stopping = None, 0.0, threading.Event()

    def begin(self):
        self.before, self.busy, self.at = self._cpu(), busy_s(), time.monotonic()
        self.last = dict(self.before)
        if self.shop is not None:
            self.thread = threading.Thread(target=self._sample_pss, daemon=True)
            self.thread.start()
        return self

    def look(self):
        """Keeps what a process has used that may be gone when it is asked at the end."""
        now = self._cpu()
        self.last = {group: max(now.get(group, 0.0), was) for group, was in self.last.items()}

    def end(self):
        self.look()
        wall = time.monotonic() - self.at
        used = {group: round(self.last[group] - was, 3) for group, was in self.before.items()}
        foreign = (busy_s() - self.busy - sum(used.values())) / wall
        self.stopping.set()
        if self.thread:
            self.thread.join()
        return {"wall_s": round(wall, 3), "cpu_s": used, "foreign_cores": round(max(foreign, 0.0), 2),
                "pss_mib": round(self.most_pss, 1) if self.shop is not None else None}

    def pids(self):
        """Of one process at least of everything that is measured."""
        servers = (process.running(self.home, name) for name in ("postgres", "rabbitmq"))
        return [*self._programs().values(), *filter(None, servers)]

    def _programs(self):
        return {name: running.child.pid for name, running in self.shop.processes.items()} \
            if self.shop is not None else {}

    def _cpu(self):
        cpu = {name: cpu_s(pid) for name, pid in self._programs().items()}
        cpu["postgres"] = sum(cpu_s(pid, with_ended=pid == process.running(self.home, "postgres"))
                              for pid in process.working_in(self.home.data("postgres")))
        rabbitmq = process.running(self.home, "rabbitmq")
        cpu["rabbitmq"] = cpu_s(rabbitmq, with_ended=True) if rabbitmq else 0.0
        cpu |= {group: sum(cpu_s(pid) for pid in pids) for group, pids in self.more.items()}
        cpu["bench"] = sum(os.times()[:2])
        return cpu

    def _sample_pss(self):
        while True:
            self.most_pss = max(self.most_pss, sum(pss_mib(pid) for name, pid in self._programs().items() if name != "sandbox"))
            if self.stopping.wait(SAMPLE_S):
                return


def cpu_s(pid, with_ended=False):
    """User and system time of a process; with_ended: and of its children that have ended."""
    with contextlib.suppress(OSError, ValueError):
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return sum(int(value) for value in fields[11:15 if with_ended else 13]) * TICK_S
    return 0.0


def busy_s():
    """Of the whole machine."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, soft, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + soft + steal) * TICK_S


def pss_mib(pid):
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) / 1024
    return 0.0
