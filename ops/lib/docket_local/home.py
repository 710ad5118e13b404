"""A home: the directory that holds everything of one stack.

    env  order.json          for the one who uses it
    run/NAME.pid  log/NAME.log
    state.json               ports and secrets, kept from one start to the next (0600)
    data/                    what belongs to the servers: postgres/ rabbitmq/ sandbox/ bin/
"""
import contextlib
import fcntl
import json
import os
import pwd
import secrets
import shutil

from . import ports
from .problem import Problem

OURS = ("env", "order.json", "state.json", "run", "log", "data", "lock")
CWD = "/proc/self/cwd"
BY_FD = "/proc/self/fd/100"  # process.DIRECTORY_FD


class Owner:
    """Whom the servers run as: the caller, or the user `docket` where the caller is root."""

    def __init__(self):
        self.is_other = os.geteuid() == 0
        if not self.is_other:
            self.uid, self.gid = os.geteuid(), os.getegid()
            return
        try:
            entry = pwd.getpwnam("docket")
        except KeyError:
            raise Problem("home", "root needs the system user `docket` to run servers as; "
                          "ops/lib/install makes it") from None
        self.uid, self.gid = entry.pw_uid, entry.pw_gid

    def popen_arguments(self):
        if not self.is_other:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path):
        if self.is_other:
            os.chown(path, self.uid, self.gid)


class Home:
    def __init__(self, path, first_port, say=print):
        self.path = os.path.abspath(path)
        self.first_port = first_port
        self.say = say
        self.owner = Owner()
        self.node_was_used = False  # RabbitMQ starts on data that another run left
        self._make()
        self.state = self._load()

    def _make(self):
        try:
            os.makedirs(self.path, mode=0o700, exist_ok=True)
            for name in ("run", "log"):
                os.makedirs(self.at(name), mode=0o700, exist_ok=True)
        except OSError as error:
            raise Problem("home", f"{error.filename}: {error.strerror}") from None
        self.data("")

    def at(self, *parts):
        return os.path.join(self.path, *parts)

    def log(self, name):
        return self.at("log", name + ".log")

    def data(self, name):
        """The path of a directory that the servers own; made if it is not there."""
        path = os.path.normpath(self.at("data", name))
        if not os.path.isdir(path):
            os.makedirs(path, mode=0o700)
            self.owner.give(path)
        return path

    def give_file(self, name, text, mode=0o600):
        """Writes data/NAME whole or not at all, for the servers to read."""
        write_whole(self.at("data", name), text, mode, self.owner)

    @contextlib.contextmanager
    def locked(self):
        """One at a time; who waits says for whom."""
        with self._lock() as file:
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            self._make()
            self.state = self._load()
            yield

    def _lock(self):
        while True:
            self._make()
            file = open(self.at("lock"), "a+", encoding="ascii")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                self.say(f"another one is at work here (pid {file.read().strip()}); waiting for it")
                fcntl.flock(file, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), os.stat(self.at("lock"))):
                    return file
            file.close()  # it was wiped while we waited: that lock keeps nobody out any more

    def _load(self):
        try:
            with open(self.at("state.json"), encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return {"ports": {}, "secrets": {}}

    def save(self):
        write_whole(self.at("state.json"), json.dumps(self.state, indent=1), 0o600)

    def secret(self, name):
        """A secret that is made once and kept."""
        if name not in self.state["secrets"]:
            self.state["secrets"][name] = secrets.token_hex(32)
            self.save()
        return self.state["secrets"][name]

    def port(self, name):
        """The port that was last chosen for `name`."""
        return self.state["ports"][name]

    def choose_port(self, name):
        """A free port for a server about to start: its last one, unless somebody else has it now."""
        wanted = self.state["ports"].get(name, self.first_port + ports.OFFSETS[name])
        if name in self.state["ports"]:
            ports.wait_free(wanted, 1.0)  # its last holder may be ending just now
        chosen = ports.free_from(wanted, taken=self.state["ports"].values())
        if chosen != wanted:
            self.say(f"port {wanted} ({name}) is busy; taking {chosen}")
        self.state["ports"][name] = chosen
        self.save()
        return chosen

    def wipe(self):
        for name in OURS:
            path = self.at(name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            elif os.path.lexists(path):
                os.unlink(path)
        with contextlib.suppress(OSError):  # other files of the user's stay
            os.rmdir(self.path)


def write_whole(path, text, mode, owner=None):
    beside = f"{path}.{os.getpid()}"
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w",
              encoding="utf-8") as file:
        file.write(text)
    if owner:
        owner.give(beside)
    os.replace(beside, path)
