"""A program on a terminal, as a person sees it: what it writes, what is typed, how wide it is."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time


class Terminal:
    def __init__(self, *argv, env, columns=100, lines=40):
        self.shown = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored, if the tests run in the background of a shell
            os.execvpe(argv[0], argv, env)
        self.resize(columns, lines)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def resize(self, columns, lines=40):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    @property
    def plain(self):
        """What is shown, without what only moves the cursor or colours."""
        return re.sub(r"\033\[[0-9;?]*[a-zA-Z]|\r", "", self.shown)

    def _read(self, rest_s):
        """False: it has ended."""
        if not select.select([self.fd], [], [], rest_s)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # the other side is closed
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)

    def wait_shown(self, predicate, deadline_s, what):
        """Until what is shown meets it (a text: contains it)."""
        meets = predicate if callable(predicate) else lambda shown: predicate in shown
        until = time.monotonic() + deadline_s
        while not meets(self.plain if not callable(predicate) else self.shown):
            assert self._read(0.1) and time.monotonic() < until, \
                f"after {deadline_s} s not shown: {what}; shown: {self.shown!r}"
        return self.shown

    def wait_ended(self, deadline_s=10):
        """The exit code."""
        until = time.monotonic() + deadline_s
        while self._read(0.05):
            assert time.monotonic() < until, f"still runs; shown: {self.shown!r}"
        status = os.waitpid(self.pid, 0)[1]
        self.pid = 0
        return os.waitstatus_to_exitcode(status)
