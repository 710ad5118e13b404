"""A process of ours: started apart from the terminal, known by pid, start time and specification.

run/NAME.pid has the pid for everybody; run/NAME.json says which process that was, so that a pid
which the kernel has given to somebody else since is never signalled, and how it was started, so that
a program that was rebuilt or is to be started otherwise is seen to be out of date.
"""
import contextlib
import hashlib
import json
import os
import resource
import signal
import subprocess
import threading
import time

from .home import write_whole


CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
DIRECTORY_FD = 100
FILES_MAX = 65536
descriptor_lock = threading.Lock()
children = {}  # pid → Popen: what this program has started itself


class Spec:
    """How to start one: its directory below data/, what to execute, with which environment (and
    nothing else).  It finds its directory as home.CWD; one that leaves its working directory and
    comes back by name (Postgres does) gets it as home.BY_FD instead."""

    def __init__(self, name, argv, cwd="", env=None, executable=None, by_fd=False):
        self.name, self.argv, self.cwd, self.executable = name, argv, cwd, executable
        self.by_fd = by_fd
        self.env = {**CLEAN, **(env or {})}

    def digest(self, home):
        """Changes with anything that would make the process another one."""
        parts = [self.argv, self.cwd, sorted(self.env.items()), self.executable]
        if self.executable and self.executable.startswith("/proc/self/cwd/"):
            path = os.path.join(home.data(self.cwd), self.executable[len("/proc/self/cwd/"):])
            with open(path, "rb") as file:
                parts.append(hashlib.sha256(file.read()).hexdigest())
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def start(home, spec):
    """Starts it in a session of its own; the caller waits until it is ready."""
    raise_file_limit()
    with open(os.open(home.log(spec.name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
              "ab") as log:
        with placed(home, spec.cwd, spec.by_fd) as place:
            child = subprocess.Popen(spec.argv, executable=spec.executable, env=spec.env,
                                     stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                     start_new_session=True, umask=0o077, **place)
    record(home, spec.name, child.pid, spec.digest(home))
    children[child.pid] = child
    return child


def raise_file_limit():
    """A shell often allows 1,024 open files; what we start holds a connection for each client."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, FILES_MAX)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def run(argv, **options):
    """Runs a command to its end; its output is returned."""
    if options.get("input") is None:
        options["stdin"] = subprocess.DEVNULL
    return subprocess.run(argv, capture_output=True, text=True, check=False, **options)


@contextlib.contextmanager
def placed(home, directory, by_fd=False):
    """Arguments of Popen that put a process into a directory of the home as the servers' user."""
    path = home.data(directory)
    if not by_fd:
        yield {"cwd": path, **home.owner.popen_arguments()}
        return
    with descriptor_lock:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        os.dup2(fd, DIRECTORY_FD)
        os.close(fd)
        try:
            yield {"cwd": "/", "pass_fds": [DIRECTORY_FD], **home.owner.popen_arguments()}
        finally:
            os.close(DIRECTORY_FD)


def record(home, name, pid, digest):
    about = {"pid": pid, "started": start_time(pid), "boot": boot_id(), "digest": digest}
    write_whole(home.at("run", name + ".json"), json.dumps(about), 0o600)
    write_whole(home.at("run", name + ".pid"), f"{pid}\n", 0o644)


def recorded(home, name):
    try:
        with open(home.at("run", name + ".json"), encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return None


def running(home, name):
    """The pid of our process of that name, or None; never somebody else's."""
    about = recorded(home, name)
    if about is None or about["boot"] != boot_id() or about["started"] is None:
        return None
    return about["pid"] if start_time(about["pid"]) == about["started"] else None


def is_current(home, spec):
    return running(home, spec.name) is not None and \
        recorded(home, spec.name)["digest"] == spec.digest(home)


def tell_to_end(pid, sig=signal.SIGTERM):
    """A frozen one is woken first, since it cannot hear.  Never afterwards: SIGCONT takes back a SIGSTOP
    that is under way (signal(7)), and a sanitizer that stops its process in order to look for leaks
    would wait for it for ever."""
    tell(pid, signal.SIGCONT)
    tell(pid, sig)


def stop(home, name, sig=signal.SIGTERM, deadline_s=12.0):
    """Asks it to end and waits; at the deadline it is killed and that is returned as False."""
    pid = running(home, name)
    if pid is not None:
        tell_to_end(pid, sig)
    ended = gone(home, name, deadline_s)
    if not ended:
        tell(pid, signal.SIGKILL)
        gone(home, name, 5.0)
    for suffix in (".pid", ".json"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(home.at("run", name + suffix))
    return ended


def how_it_ended(home, name):
    """In words, as far as it can be known: only a child of ours tells how it ended."""
    child = children.get((recorded(home, name) or {}).get("pid"))
    code = child.wait() if child else None
    if code is None:
        return "it ended"
    return f"it was ended by {signal.Signals(-code).name}" if code < 0 else f"it ended with {code}"


def gone(home, name, deadline_s):
    until = time.monotonic() + deadline_s
    while running(home, name) is not None:
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def tell(pid, sig):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sig)


def start_time(pid):
    """In clock ticks since boot; None where there is no such process, or only its remains.  One
    whose first thread has ended while others still do keeps its ports, so it still counts."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        is_dead = fields[0] in "ZX" and len(os.listdir(f"/proc/{pid}/task")) <= 1
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if is_dead else int(fields[19])


def working_in(directory):
    """The pids of all processes, as far as we may look, that have it as working directory."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.path.samefile(f"/proc/{pid}/cwd", directory):
                found.append(int(pid))
    return found


def boot_id():
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()
