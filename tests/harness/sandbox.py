"""A docket-sandbox of a test's own, spawned, asked over raw HTTP, and killed."""
import http.client
import json
import os
import re
import signal
import subprocess
import time
import urllib.parse

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("DOCKET_BUILD", "build"))
BINARY = os.path.join(BUILD, "ops/sandbox/docket-sandbox")
FSYNC_FAILS = os.path.join(BUILD, "tests/ops/sandbox/libfsync_fails.so")
INSUFFICIENT = "pm_card_chargeDeclinedInsufficientFunds"
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "halt_on_error=1"}


def wait_for(predicate, what, deadline_s=5.0):
    until = time.monotonic() + deadline_s
    while True:
        value = predicate()
        if value:
            return value
        assert time.monotonic() < until, f"after {deadline_s} s still not: {what}"
        time.sleep(0.01)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"<{self.status} {self.body!r}>"

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


class Sandbox:
    def __init__(self, directory, log):
        self.directory, self.log, self.child, self.port = directory, log, None, None

    # The process

    def start(self, **env):
        listen = {"DOCKET_SANDBOX_LISTEN": "127.0.0.1:0",
                  "DOCKET_SANDBOX_DIR": str(self.directory) if self.directory else ""}
        begin = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen([BINARY], stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log, env=SANITIZERS | listen | env)
        said = wait_for(lambda: self._ready(begin), "the sandbox is ready")
        self.port = int(said.group(1))
        return self

    def _ready(self, begin):
        text = self.log.read_text()[begin:]
        assert self.child.poll() is None, text
        return re.search(r"listening on port (\d+)", text)

    def kill(self):
        self.child.kill()
        self.child.wait()

    def stop(self):
        """Its exit status; a sanitizer's complaint makes it one that is not 0."""
        if self.child.poll() is None:
            self.child.terminate()
        return self.child.wait(timeout=10)

    # Calls

    def call(self, method, path, body=None, key=None, fault=None, timeout=5.0, auth="sk_test"):
        headers = {"Authorization": f"Bearer {auth}"} if auth else {}
        headers |= {"Idempotency-Key": key} if key else {}
        headers |= {"Sandbox-Fault": fault} if fault else {}
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            link.request(method, path, body, headers)
            response = link.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            link.close()

    def post(self, path, key=None, fault=None, timeout=5.0, **form):
        return self.call("POST", path, urllib.parse.urlencode(form), key, fault, timeout)

    def create(self, order="ord_1", method="pm_card_visa", key=None, fault=None, **form):
        form = {"amount": 1250, "currency": "eur", "payment_method": method,
                "metadata[order_id]": order} | form
        return self.post("/v1/payment_intents", key, fault, **form)

    def made(self, *args, **options):
        answer = self.create(*args, **options)
        assert answer.status == 200, answer
        return answer.json["id"]

    def paid(self, *args, **options):
        intent = self.made(*args, **options)
        answer = self.confirm(intent)
        assert answer.json["status"] == "succeeded", answer
        return intent

    def confirm(self, intent, **options):
        return self.post(f"/v1/payment_intents/{intent}/confirm", **options)

    def retrieve(self, intent):
        return self.call("GET", f"/v1/payment_intents/{intent}").json

    def ship(self, reference="ref_1", order="ord_1", key=None, fault=None, timeout=5.0, **more):
        body = {"reference": reference, "order": order, "name": "A",
                "lines": [{"sku": "TEA", "quantity": 2}], "method": "standard",
                "address": {"line1": "1 Road", "country": "DE"}} | more
        return self.call("POST", "/shipments", json.dumps(body), key, fault, timeout)

    def look_up(self, reference):
        return self.call("GET", f"/shipments?reference={reference}").json["data"]

    # The sandbox's own

    def rule(self, fault, times=-1, **more):
        match = {name: more.pop(name) for name in ("op", "order", "method") if name in more}
        answer = self.call("POST", "/sandbox/rules", json.dumps(
            {"match": match, "fault": fault, "times": times, **more}))
        assert answer.status == 201, answer

    def set(self, **settings):
        answer = self.call("PUT", "/sandbox/settings", json.dumps(settings))
        assert answer.status == 200, answer

    def ledger(self, order=None):
        body = self.call("GET", "/ledger" + (f"?order={order}" if order else "")).body
        return [json.loads(line) for line in body.splitlines()]

    def kinds(self, order=None):
        return [fact["kind"] for fact in self.ledger(order)]

    def calls(self):
        return self.call("GET", "/sandbox/calls").json


@pytest.fixture
def sandbox(tmp_path):
    running = Sandbox(tmp_path / "ledgers", tmp_path / "log").start()
    yield running
    assert running.stop() in (0, -signal.SIGKILL), running.log.read_text()
