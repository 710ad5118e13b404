"""HTTP as a client speaks it: whole requests (Client), and single bytes (Raw).

A Client remembers what it was told about every order it posted; that is one of the three books.
"""
import http.client
import json
import select
import socket
import threading
import uuid

from . import contract


class Answer:
    """What came back.  status is None where nothing that could be read did; then `why` says it."""

    def __init__(self, status, headers=None, body=b"", why=None):
        self.status, self.headers, self.body, self.why = status, headers or {}, body, why

    def __repr__(self):
        return f"<{self.status} {self.why or self.body[:400]!r}>"

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def id(self):
        return self.json["id"]

    @property
    def accepted(self):
        """yes, no or unknown: what the answer says about the key; no answer says nothing."""
        if self.status is None:
            return "unknown"
        return self.headers.get("accepted") or self._field("accepted") or \
            ("yes" if self.status in (200, 202) else None)

    @property
    def code(self):
        return self._field("code")

    def _field(self, name):
        try:
            value = json.loads(self.body)
        except ValueError:
            return None
        return value.get(name) if isinstance(value, dict) else None


class Told:
    """One POST of an order: its key, its body, and the answer."""

    def __init__(self, key, body, answer):
        self.key, self.body, self.answer = key, body, answer

    def __getattr__(self, name):
        return getattr(self.answer, name)

    def __repr__(self):
        return f"<{self.key} → {self.answer!r}>"


class Client:
    """One connection at a time, kept alive; a broken one is replaced, a request never repeated.
    Each answer is held against schema/openapi.yaml."""

    def __init__(self, port, key=None, timeout_s=10.0):
        self.port, self.key, self.timeout_s = port, key, timeout_s
        self.links = threading.local()

    def request(self, method, path, body=None, headers=None, timeout_s=None, undocumented=None):
        """undocumented: why the answer to this request need not be in schema/openapi.yaml."""
        answer = self._exchange(method, path, body, headers, timeout_s)
        if not undocumented:
            contract.check(method, path, answer)
        return answer

    def _exchange(self, method, path, body, headers, timeout_s):
        link = self._link(timeout_s or self.timeout_s)
        try:
            link.request(method, path, self._encode(body), self._headers(body, headers))
            response = link.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            answer = Answer(response.status, fields, response.read())
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            return Answer(None, why=repr(error))
        if response.will_close or timeout_s:
            self._drop()
        return answer

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, body, **options)

    def _headers(self, body, more):
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        headers.update(more or {})
        return {name: value for name, value in headers.items() if value is not None}

    @staticmethod
    def _encode(body):
        if body is None or isinstance(body, bytes):
            return body
        return (body if isinstance(body, str) else json.dumps(body)).encode()

    def _link(self, timeout_s):
        link = getattr(self.links, "link", None)
        if link is None or link.timeout != timeout_s or self._was_closed(link):
            self._drop()
            link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
            self.links.link = link
        return link

    @staticmethod
    def _was_closed(link):
        """By the server, after a pause: there is something to read before anything was asked."""
        poll = select.poll()
        if link.sock is None:
            return False
        poll.register(link.sock, select.POLLIN)
        return bool(poll.poll(0))

    def _drop(self):
        link = getattr(self.links, "link", None)
        if link is not None:
            link.close()
        self.links.link = None


class Raw:
    """A connection on which a test decides every byte."""

    def __init__(self, port, timeout_s=5.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        self.unread = b""

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def answer(self):
        """The next answer; None where the server closes without one."""
        while b"\r\n\r\n" not in self.unread:
            if not self._more():
                return None
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        length = int(headers.get("content-length", 0))
        while len(self.unread) < length:
            if not self._more():
                return Answer(None, headers, self.unread, "the body stopped half-way")
        body, self.unread = self.unread[:length], self.unread[length:]
        return Answer(int(lines[0].split()[1]), headers, body)

    def is_closed(self):
        """Waits for the server to close; false if it does not before the time-out."""
        try:
            while self._more():
                pass
            return True
        except TimeoutError:
            return False

    def reset(self):
        """Leaves at once, with RST."""
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.socket.close()

    def close(self):
        self.socket.close()

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self.unread += data
        return bool(data)


def new_key():
    return f"key-{uuid.uuid4()}"


def request_bytes(api_key, key, body, length=None):
    """A POST of an order as it goes over the wire, for Raw."""
    payload = json.dumps(body).encode()
    return (f"POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api_key}\r\n"
            f"Content-Type: application/json\r\nIdempotency-Key: {key}\r\n"
            f"Content-Length: {length or len(payload)}\r\n\r\n").encode() + payload
