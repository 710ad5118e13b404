"""A browser's EventSource, as far as a test needs it: one connection, and the events it brings."""
import json
import socket
import time

LONGEST_S = 40


class Stream:
    def __init__(self, port, path, headers=None, timeout_s=10.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        lines = [f"GET {path} HTTP/1.1", "Host: x"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.raw, self.text, self.is_over, self.retry_ms = b"", "", False, None
        while b"\r\n\r\n" not in self.raw:
            data = self.socket.recv(65536)
            assert data, f"no answer to {path}"
            self.raw += data
        head, _, self.raw = self.raw.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in
                        (line.partition(":") for line in lines[1:])}
        if self.status == 204:
            self.is_over = True

    def problem(self):
        while len(self.raw) < int(self.headers["content-length"]):
            self.raw += self.socket.recv(65536)
        return json.loads(self.raw)

    def _take_chunk(self):
        """One whole chunk out of what was read; false if there is none."""
        size, _, rest = self.raw.partition(b"\r\n")
        if b"\r\n" not in self.raw or len(rest) < int(size, 16) + 2:
            return False
        length = int(size, 16)
        self.text += rest[:length].decode()
        self.raw = rest[length + 2:]
        self.is_over |= length == 0
        return True

    def _more(self):
        """What came with the head may be all there is: so read on only when it is used up."""
        if self._take_chunk():
            return
        data = self.socket.recv(65536)
        self.raw += data
        self.is_over |= not data

    def _block(self):
        while "\n\n" not in self.text:
            if self.is_over:
                return None
            self._more()
        block, _, self.text = self.text.partition("\n\n")
        return block

    def next(self):
        """The next event as (id, data); None where the stream ends.  Heartbeats do not put the deadline off."""
        until = time.monotonic() + LONGEST_S
        while (block := self._block()) is not None:
            fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
            if "retry" in fields:
                self.retry_ms = int(fields["retry"])
            if "data" in fields and fields["event"] != "heartbeat":
                assert fields["event"] == "order.updated", block
                return int(fields["id"]), json.loads(fields["data"])
            assert time.monotonic() < until, f"no event for {LONGEST_S} s, but heartbeats"
        return None

    def beat(self):
        """Waits for the next heartbeat."""
        while (block := self._block()) is not None:
            if block == "event: heartbeat\ndata: {}":
                return True
        return False

    def rest(self):
        """Every further event, up to the end of the stream."""
        return list(iter(self.next, None))

    def close(self):
        self.socket.close()
