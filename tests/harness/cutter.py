"""A network that fails where a test says so: a TCP proxy before the API that reads along."""
import re
import socket
import threading

CUTS = ("half", "sent", "answered")
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Cutter:
    """Passes on what it is given.  The next POSTs of an order are cut as `cuts` says, one after the other:
    "half": before the request is whole; "sent": as soon as it is; "answered": when the answer is there, and
    it is not passed on.  `streams`: "pass" them, "refuse" them with 502, or "hold" back what they bring."""

    def __init__(self, port, cuts=()):
        assert set(cuts) <= set(CUTS)
        self.port, self.cuts, self.streams = port, list(cuts), "pass"
        self.seen = []  # "POST /v1/orders", …
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def close(self):
        self.listener.close()

    def count(self, pattern):
        return sum(1 for line in list(self.seen) if re.match(pattern, line))

    def _run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=Passage(self, client).run, daemon=True).start()

    def plan(self, line):
        """What becomes of this request."""
        with self.lock:
            self.seen.append(line)
            if line == "POST /v1/orders" and self.cuts:
                return self.cuts.pop(0)
        return self.streams if re.match(r"GET /v1/orders/\w+/events", line) else "pass"


class Passage:
    """One connection through it; requests of a browser come one after the other."""

    def __init__(self, cutter, client):
        self.cutter, self.client, self.server, self.plan = cutter, client, None, "pass"
        self.answered = threading.Event()

    def run(self):
        try:
            self.server = socket.create_connection(("127.0.0.1", self.cutter.port), 5)
            self.server.settimeout(None)
            threading.Thread(target=self._answers, daemon=True).start()
            while request := self._request():
                self._pass_on(request)
        except OSError:
            pass
        self._end()

    def _request(self):
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := self.client.recv(65536)):
                return b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
        while length and len(body) < int(length[1]):
            body += self.client.recv(65536)
        return head + b"\r\n\r\n" + body

    def _pass_on(self, request):
        line = b" ".join(request.split(b"\r\n", 1)[0].split()[:2]).decode()
        self.answered.clear()
        self.plan = plan = self.cutter.plan(line)
        if plan == "refuse":
            self.client.sendall(BAD_GATEWAY)
            raise ConnectionAbortedError
        self.server.sendall(request[:len(request) // 2] if plan == "half" else request)
        if plan == "answered":
            self.answered.wait(10)
        if plan in CUTS:
            raise ConnectionAbortedError

    def _answers(self):
        try:
            while data := self.server.recv(65536):
                self.answered.set()
                if self.plan == "pass":
                    self.client.sendall(data)
                elif self.plan == "hold":  # the head alone gets through
                    self.client.sendall(data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
                    self.plan = "held"
        except OSError:
            pass
        self.answered.set()
        self._end()

    def _end(self):
        for end in (self.client, self.server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except (OSError, AttributeError):
                pass
