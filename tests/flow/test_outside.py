"""The provider's and the carrier's callers against the sandbox: what they say must be what its
ledger shows."""
import http.server
import json
import os
import ssl
import subprocess
import threading
import urllib.request

import pytest

from harness import must

ROOT = os.path.abspath(f"{__file__}/../../..")
BUILD = os.path.join(ROOT, os.environ.get("DOCKET_BUILD", "build"))
UNKNOWN_AFTER_ACTING = ("act_then_reset", "act_then_500", "torn")


def probe(side, url, operation, **fields):
    """Every call's result, then what the process says about itself."""
    done = subprocess.run([f"{BUILD}/tests/outside_probe", side, url, operation,
                           *(f"{name}={value}" for name, value in fields.items())],
                          capture_output=True, text=True, timeout=60, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


class Sandbox:
    def __init__(self):
        env = {**os.environ, "DOCKET_SANDBOX_LISTEN": "127.0.0.1:0", "DOCKET_SANDBOX_DIR": ""}
        self.process = subprocess.Popen([f"{BUILD}/ops/sandbox/docket-sandbox"], env=env,
                                        stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            said = json.loads(line)
            if said["event"] == "ready":
                break
        port = int(said["text"].split("port ")[1].split(";")[0])
        self.url = f"http://127.0.0.1:{port}"

    def close(self):
        self.process.terminate()
        self.process.stderr.read()
        self.process.wait(20)
        self.process.stderr.close()

    def request(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method,
                                         data=json.dumps(body).encode() if body else None,
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def rule(self, op, fault, **more):
        self.request("POST", "/sandbox/rules", {"match": {"op": op}, "fault": fault, **more})

    def ledger(self, kind, order):
        lines = [json.loads(line) for line in self.request("GET", "/ledger").splitlines()]
        return [line for line in lines if line["kind"] == kind and line["order"] == order]

    def probe(self, side, operation, **fields):
        return probe(side, self.url, operation, **fields)

    def pay(self, operation, **fields):
        return self.probe("provider", operation, **fields)[0]

    def ship(self, operation, **fields):
        return self.probe("carrier", operation, **fields)[0]

    def intent(self, order, method="pm_card_visa"):
        created = self.pay("create", order=order, method=method, key=f"{order}-create")
        must(created["verdict"], "state", created)
        must(created["state"], "requires_confirmation", created)
        return created["intent"]


@pytest.fixture(scope="module", name="sandbox")
def lend_sandbox():
    running = Sandbox()
    yield running
    running.close()


@pytest.fixture(autouse=True)
def without_rules(sandbox):
    yield
    sandbox.request("DELETE", "/sandbox/rules")


def test_create_confirm_and_retrieve_tell_the_state(sandbox):
    intent = sandbox.intent("ord_good")
    said = sandbox.pay("confirm", order="ord_good", intent=intent, key="good-1")
    must((said["verdict"], said["state"], said["agrees"]), ("state", "succeeded", "yes"), said)
    said = sandbox.pay("retrieve", order="ord_good", intent=intent)
    must((said["verdict"], said["state"], said["agrees"]), ("state", "succeeded", "yes"), said)
    must(len(sandbox.ledger("charge", "ord_good")), 1, "charges")


def test_a_second_confirm_is_told_the_state(sandbox):
    intent = sandbox.intent("ord_second")
    sandbox.pay("confirm", intent=intent, key="second-1")
    said = sandbox.pay("confirm", intent=intent, key="second-2")
    must((said["verdict"], said["state"]), ("state", "succeeded"), said)
    must(len(sandbox.ledger("charge", "ord_second")), 1, "charges")


def test_a_cancel_fences_the_charge_off(sandbox):
    intent = sandbox.intent("ord_fenced")
    said = sandbox.pay("cancel", intent=intent, key="fenced-1")
    must((said["verdict"], said["state"]), ("state", "canceled"), said)
    said = sandbox.pay("confirm", intent=intent, key="fenced-2")
    must((said["verdict"], said["state"]), ("state", "canceled"), said)
    must(sandbox.ledger("charge", "ord_fenced"), [], "charges")


@pytest.mark.parametrize("method,code", [
    ("pm_card_visa_chargeDeclined", "generic_decline"),
    ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds")])
def test_a_decline_is_final_and_named(sandbox, method, code):
    intent = sandbox.intent(f"ord_{code}", method)
    said = sandbox.pay("confirm", intent=intent, key=f"{code}-1")
    must((said["verdict"], said["decline"]), ("declined", code), said)
    said = sandbox.pay("retrieve", intent=intent)
    must((said["verdict"], said["state"]), ("state", "requires_payment_method"), said)


@pytest.mark.parametrize("fault", UNKNOWN_AFTER_ACTING)
def test_acted_without_a_whole_answer_is_unknown_then_looked_up(sandbox, fault):
    order = f"ord_{fault}"
    intent = sandbox.intent(order)
    sandbox.rule("confirm", fault, times=1)
    said = sandbox.pay("confirm", intent=intent, key=order)
    must(said["verdict"], "unknown", said)
    said = sandbox.pay("retrieve", order=order, intent=intent)
    must((said["verdict"], said["state"]), ("state", "succeeded"), said)
    must(len(sandbox.ledger("charge", order)), 1, "charges")


@pytest.mark.parametrize("fault", ["act_then_hang", "drip", "hang"])
def test_no_answer_before_the_deadline_is_unknown(sandbox, fault):
    order = f"ord_{fault}"
    intent = sandbox.intent(order)
    sandbox.rule("confirm", fault, times=1, ms=5000)
    said = sandbox.pay("confirm", intent=intent, key=order, timeout_ms=300)
    must((said["verdict"], said["code"]), ("unknown", "timed_out"), said)
    must(len(sandbox.ledger("charge", order)), 0 if fault == "hang" else 1, "charges")


def test_a_500_without_acting_is_unknown_and_the_next_key_confirms(sandbox):
    intent = sandbox.intent("ord_500")
    sandbox.rule("confirm", "fail_500", times=1)
    for _ in range(2):  # the stored 500 is replayed
        must(sandbox.pay("confirm", intent=intent, key="500-1")["verdict"], "unknown", "verdict")
    said = sandbox.pay("retrieve", intent=intent)
    must(said["state"], "requires_confirmation", said)
    said = sandbox.pay("confirm", intent=intent, key="500-2")
    must(said["state"], "succeeded", said)


def test_too_many_requests_did_nothing(sandbox):
    intent = sandbox.intent("ord_429")
    sandbox.rule("confirm", "rate_limit", times=1)
    must(sandbox.pay("confirm", intent=intent, key="429-1")["verdict"], "transient", "verdict")
    must(sandbox.pay("confirm", intent=intent, key="429-1")["state"], "succeeded", "state")


def test_a_key_with_other_parameters_is_our_fault(sandbox):
    sandbox.intent("ord_key")
    said = sandbox.pay("create", order="ord_key", method="pm_card_visa", key="ord_key-create",
                       amount=7)
    must(said["verdict"], "broken", said)


def test_a_missing_intent_is_our_fault(sandbox):
    must(sandbox.pay("retrieve", intent="pi_none")["verdict"], "broken", "verdict")


def test_a_refund_tells_its_state(sandbox):
    intent = sandbox.intent("ord_back")
    sandbox.pay("confirm", intent=intent, key="back-1")
    said = sandbox.pay("refund", order="ord_back", intent=intent, key="back-2")
    must(said["verdict"], "state", said)
    assert said["refund"].startswith("re_"), said
    must(len(sandbox.ledger("refund", "ord_back")), 1, "refunds")


def test_hundreds_of_calls_are_held_open_by_one_thread(sandbox):
    sandbox.rule("create", "delay", ms=2000, times=-1)
    *said, process = sandbox.probe("provider", "create", order="ord_many", method="pm_card_visa",
                                   key="many", count=600, timeout_ms=20000)
    must({line["verdict"] for line in said}, {"state"}, "verdicts")
    must((len(said), process["open"], process["threads"]), (600, 600, 1), "calls, open, threads")


def test_a_shipment_is_made_once_and_found(sandbox):
    must(sandbox.ship("look_up", reference="r-new")["verdict"], "none", "before")
    first = sandbox.ship("ship", order="ord_ship", reference="r-new", key="ship-1")
    must(first["verdict"], "shipped", first)
    again = sandbox.ship("ship", order="ord_ship", reference="r-new", key="ship-2")
    must((again["verdict"], again["shipment"]), ("shipped", first["shipment"]), again)
    found = sandbox.ship("look_up", reference="r-new")
    must((found["verdict"], found["shipment"]), ("shipped", first["shipment"]), found)
    must(len(sandbox.ledger("shipment", "ord_ship")), 1, "shipments")


def test_another_content_under_a_reference_is_our_fault(sandbox):
    sandbox.ship("ship", order="ord_other", reference="r-other", key="other-1")
    said = sandbox.ship("ship", order="ord_other", reference="r-other", key="other-2", sku="tee")
    must((said["verdict"], said["code"]), ("broken", "reference_conflict"), said)


def test_a_refused_shipment_is_final(sandbox):
    sandbox.rule("ship", "decline", times=1)
    said = sandbox.ship("ship", order="ord_no", reference="r-no", key="no-1")
    must(said["verdict"], "refused", said)


@pytest.mark.parametrize("fault", UNKNOWN_AFTER_ACTING)
def test_shipped_without_a_whole_answer_is_unknown_then_found(sandbox, fault):
    order = f"ord_ship_{fault}"
    sandbox.rule("ship", fault, times=1)
    said = sandbox.ship("ship", order=order, reference=order, key=order)
    must(said["verdict"], "unknown", said)
    must(sandbox.ship("look_up", reference=order)["verdict"], "shipped", "look-up")
    must(len(sandbox.ledger("shipment", order)), 1, "shipments")


# The carrier's look-up over TLS.

class NoShipments(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = 0

    def do_GET(self):
        NoShipments.asked += 1
        body = b'{"data":[]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module", name="tls")
def serve_tls(tmp_path_factory):
    """(URL with the name of the certificate, its CA file)"""
    home = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", home / "key.pem",
                    "-out", home / "cert.pem"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "cert.pem", home / "key.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), NoShipments)
    server.socket = context.wrap_socket(server.socket, server_side=True,
                                        do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], home / "cert.pem"
    server.shutdown()
    server.server_close()


def test_a_certificate_of_a_known_authority_is_taken(tls):
    port, ca = tls
    said = probe("carrier", f"https://localhost:{port}", "look_up", ca=ca)[0]
    must(said["verdict"], "none", said)


@pytest.mark.parametrize("host,with_ca", [("localhost", False), ("127.0.0.1", True)])
def test_a_strange_certificate_is_refused_before_a_byte_is_sent(tls, host, with_ca):
    port, ca = tls
    before = NoShipments.asked
    said = probe("carrier", f"https://{host}:{port}", "look_up", **({"ca": ca} if with_ca else {}))[0]
    must((said["verdict"], said["code"]), ("transient", "certificate_refused"), said)
    must(NoShipments.asked, before, "requests seen")
