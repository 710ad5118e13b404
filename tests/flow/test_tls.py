"""HTTPS: what is spoken, what is refused, and a certificate that changes under traffic."""
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from docket_local import process
from docket_local.problem import Problem
from harness import Raw, wait_for
from harness.client import Client


def make_pair(directory, name, days=90):
    """(certificate, key) of localhost as PEM."""
    key, cert = (os.path.join(directory, f"{name}.{kind}") for kind in ("key", "pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", str(days), "-subj",
                    f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    with open(cert, encoding="ascii") as one, open(key, encoding="ascii") as other:
        return one.read(), other.read()


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    directory = str(tmp_path_factory.mktemp("tls"))
    return {name: make_pair(directory, name, days)
            for name, days in (("first", 90), ("second", 90), ("soon", 3))}


def give(shop, pair):
    shop.home.give_file("tls.pem", pair[0])
    shop.home.give_file("tls.key", pair[1])


SETTINGS = {"DOCKET_TLS_CERT": "tls.pem", "DOCKET_TLS_KEY": "tls.key"}


@pytest.fixture(scope="module")
def shop(docket, pairs):
    give(docket, pairs["first"])
    docket.start("api", env=SETTINGS)
    docket.stock_up()
    docket.make_keys()
    return docket


def trusting(*pairs, **options):
    context = ssl.create_default_context(cadata="".join(cert for cert, _ in pairs))
    for name, value in options.items():
        setattr(context, name, value)
    return context


class Https(Client):
    def __init__(self, shop, context, key=None):
        super().__init__(shop.port("api"), key or shop.checkout)
        self.context = context

    def _link(self, timeout_s):
        link = getattr(self.links, "link", None)
        if link is None:
            link = http.client.HTTPSConnection("localhost", self.port, timeout=timeout_s,
                                               context=self.context)
            self.links.link = link
        return link


def connect(shop, context, session=None):
    plain = socket.create_connection(("127.0.0.1", shop.port("api")), 20)
    return context.wrap_socket(plain, server_hostname="localhost", session=session)


def get(link, path="/v1/nothing", more=""):
    link.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode())


def name_of(shop, *pairs):
    with connect(shop, trusting(*pairs)) as link:
        return dict(part[0] for part in link.getpeercert()["subject"])["commonName"]


def test_orders_go_over_tls(shop, pairs):
    client = Https(shop, trusting(pairs["first"]))
    told = shop.post_order(client=client)
    assert told.status == 202
    again = shop.post_order(told.body, told.key, client=client)
    assert again.answer.body == told.answer.body
    reader = Https(shop, trusting(pairs["first"]), shop.reader)
    assert reader.get(f"/v1/orders/{told.id}").json["version"] == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
def test_tls_1_2_and_1_3_with_forward_secrecy(shop, pairs, version):
    context = trusting(pairs["first"], minimum_version=version, maximum_version=version)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with connect(shop, context) as link:
        assert link.selected_alpn_protocol() == "http/1.1" and link.compression() is None
        get(link)
        assert link.recv(12) == b"HTTP/1.1 404"


@pytest.mark.parametrize("arguments", [["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], ["-tls1_2", "-cipher", "AES128-SHA"],
                                       ["-tls1_2", "-cipher", "AES128-GCM-SHA256"], ["-alpn", "h2"]],
                         ids=["tls 1.1", "cbc", "no forward secrecy", "only h2"])
def test_what_is_weak_or_not_ours_is_refused(shop, arguments):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{shop.port('api')}",
                           *arguments], input="", capture_output=True, text=True, timeout=20,
                          check=False)
    assert done.returncode != 0 and "alert" in done.stderr, done.stderr
    assert "BEGIN CERTIFICATE" not in done.stdout or "-alpn" in arguments


def test_renegotiation_is_refused(shop):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{shop.port('api')}",
                           "-tls1_2"], input="R\n", capture_output=True, text=True, timeout=20,
                          check=False)
    assert "no renegotiation" in done.stderr, done.stderr


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
def test_a_session_is_resumed_by_its_ticket(shop, pairs, version):
    context = trusting(pairs["first"], minimum_version=version, maximum_version=version)
    with connect(shop, context) as link:
        get(link)
        assert link.recv(12) == b"HTTP/1.1 404"
        session = link.session
        assert session.has_ticket and not link.session_reused
    with connect(shop, context, session) as link:
        get(link)
        assert link.recv(12) == b"HTTP/1.1 404" and link.session_reused


def test_pipelined_requests_are_answered_in_order(shop, pairs):
    with connect(shop, trusting(pairs["first"])) as link:
        link.sendall(b"".join(b"GET /v1/%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(100))
                     + b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data = b""
        while part := link.recv(65536):  # b"" is close_notify; a bare end would raise
            data += part
    assert data.count(b"HTTP/1.1 404") == 101


def test_a_body_larger_than_a_record_arrives_whole(shop, pairs):
    client = Https(shop, trusting(pairs["first"]))
    answer = client.post("/v1/quotes", shop.order_body(metadata={"x": "y" * 40000}))
    assert answer.code == "validation_failed"
    assert client.post("/v1/quotes", "x" * 70000).status == 413


def test_a_long_poll_waits_over_tls(shop, pairs):
    told = shop.post_order(client=Https(shop, trusting(pairs["first"])))
    reader = Https(shop, trusting(pairs["first"]), shop.reader)
    answer = reader.get(f"/v1/orders/{told.id}?wait=1", headers={"If-None-Match": '"1"'})
    assert answer.status == 304


def test_plain_http_is_told_what_is_wrong(shop):
    raw = Raw(shop.port("api")).send("GET /v1/orders HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = raw.answer()
    assert answer.status == 400 and b"https://" in answer.body and raw.is_closed()


@pytest.mark.parametrize("data", [b"\x00" * 200, b"\x16\x03\x01\xff\xff" + b"A" * 5000,
                                  b"\x80\x2e\x01\x00\x02", os.urandom(3000)],
                         ids=["zeros", "a record too long", "ssl 2", "noise"])
def test_garbage_is_closed_and_nobody_else_notices(shop, pairs, data):
    raw = Raw(shop.port("api")).send(data)
    raw.socket.shutdown(socket.SHUT_WR)
    assert raw.is_closed()
    assert name_of(shop, pairs["first"]) == "first"


def hello(context):
    """The first flight of a client, as bytes."""
    inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
    machine = context.wrap_bio(inside, outside, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        machine.do_handshake()
    return outside.read()


def test_a_handshake_that_stops_half_way_is_closed_with_its_client(shop, pairs):
    first = hello(trusting(pairs["first"]))
    for length in (1, 5, len(first) // 2, len(first)):
        raw = Raw(shop.port("api")).send(first[:length])
        raw.socket.shutdown(socket.SHUT_WR)
        assert raw.is_closed(), length


def test_a_handshake_in_single_bytes_succeeds_and_one_that_waits_is_closed(shop, pairs):
    first = hello(trusting(pairs["first"]))
    slow, waiting = Raw(shop.port("api")), Raw(shop.port("api"), timeout_s=15)
    waiting.send(first[:20])
    for byte in first:
        slow.send(bytes([byte]))
    assert slow.socket.recv(1) == b"\x16"
    assert waiting.is_closed()


def reload(shop):
    process.tell(shop.pid("api"), signal.SIGHUP)


def test_a_new_certificate_is_taken_at_sighup_and_open_connections_live_on(shop, pairs):
    old = connect(shop, trusting(pairs["first"]))
    give(shop, pairs["second"])
    reload(shop)
    both = pairs["first"], pairs["second"]
    wait_for(lambda: name_of(shop, *both) == "second", 20, "the new certificate")
    get(old)
    assert old.recv(12) == b"HTTP/1.1 404"
    old.close()


def test_a_bad_pair_is_logged_and_the_old_one_stays(shop, pairs):
    before = name_of(shop, pairs["first"], pairs["second"])
    give(shop, (pairs["first"][0], pairs["second"][1]))
    reload(shop)
    wait_for(lambda: "tls_not_reloaded" in shop.log("api"), 20, "the log says it")
    assert name_of(shop, pairs["first"], pairs["second"]) == before


def test_a_certificate_that_ends_soon_is_logged_and_measured(shop, pairs):
    give(shop, pairs["soon"])
    reload(shop)
    wait_for(lambda: "tls_expires" in shop.log("api"), 20, "the log says it")
    text = shop.operator.get("/metrics").body.decode()
    left_s = float(next(line.split()[1] for line in text.splitlines()
                        if line.startswith("docket_tls_expires_seconds ")))
    assert 2 * 86400 < left_s <= 3 * 86400


def test_orders_under_reloads_are_all_answered(shop, pairs):
    both = pairs["first"], pairs["second"]
    for n in range(6):
        give(shop, both[n % 2])
        reload(shop)
        told = shop.post_order(client=Https(shop, trusting(*both, pairs["soon"])))
        assert told.status == 202, told


WRONG = [
    ({"DOCKET_TLS_KEY": ""}, "both DOCKET_TLS_CERT and DOCKET_TLS_KEY"),
    ({"DOCKET_TLS_CERT": "nowhere.pem"}, "nowhere.pem"),
    ({"DOCKET_TLS_CERT": "tls.key"}, "tls.key: is no certificate"),
    ({"DOCKET_TLS_KEY": "other.key"}, "other.key: is no key in PEM that fits"),
    ({"DOCKET_TLS_KEY": "open.key"}, "everybody may use the key open.key"),
    ({"DOCKET_TLS_CERT": "", "DOCKET_TLS_KEY": "", "DOCKET_OPERATOR_TLS": 1}, "DOCKET_OPERATOR_TLS"),
]


@pytest.mark.parametrize("change, said", WRONG, ids=[said for _, said in WRONG])
def test_a_wrong_pair_is_refused_before_anything_starts(shop, pairs, change, said):
    give(shop, pairs["first"])
    shop.home.give_file("other.key", pairs["second"][1])
    shop.home.give_file("open.key", pairs["first"][1], mode=0o644)
    shop.start("api", env=SETTINGS | change, label="api2", wait=False)
    assert shop.wait_ended("api2") == 2
    shop.expect_exit("api2")
    assert said in shop.log("api2")


def test_the_operators_listener_speaks_it_too_if_told_so(shop, pairs):
    give(shop, pairs["first"])
    shop.home.give_file("ca.pem", pairs["first"][0])
    shop.start("api", env=SETTINGS | {"DOCKET_OPERATOR_TLS": 1}, label="api3", wait=False)
    port = shop.processes["api3"].world.ports["operator"]
    env = {"DOCKET_OPERATOR_URL": f"https://localhost:{port}", "DOCKET_OPERATOR_CA": "ca.pem"}

    def listed():
        try:
            return json.loads(shop.docket("key", "list", "--json", env=env))["keys"]
        except Problem:
            return None

    assert wait_for(listed, 20, "docket reaches it")
    with pytest.raises(Problem):
        shop.docket("key", "list", env={"DOCKET_OPERATOR_URL": env["DOCKET_OPERATOR_URL"]})


def end_of(link):
    """All that comes until close_notify; a bare end of the connection raises."""
    data = b""
    while part := link.recv(65536):
        data += part
    return data


def test_one_connection_too_many_is_told_so_in_tls(shop, pairs):
    """503 with the last word of TLS, not a cut; handshakes for it are paced, and it gets in when there is room."""
    give(shop, pairs["first"])
    shop.start("api", env=SETTINGS | {"DOCKET_CONNECTIONS_MAX": 16}, label="api4")
    port, told = shop.processes["api4"].world.ports["api"], shop.post_order(
        client=Https(shop, trusting(*pairs.values())))
    context = trusting(pairs["first"])

    def dial():
        plain = socket.create_connection(("127.0.0.1", port), 20)
        return context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)

    busy = [dial() for _ in range(16)]
    for link in busy:
        get(link, f"/v1/orders/{told.id}/events?client_token={told.json['client_token']}")
        assert link.recv(12) == b"HTTP/1.1 200"
    late = dial()
    get(late)
    answer = end_of(late)
    assert answer.startswith(b"HTTP/1.1 503") and b"Connection: close" in answer, answer
    assert b"too_many_connections" in answer and b"Retry-After" in answer, answer
    silent, stuck = dial(), socket.create_connection(("127.0.0.1", port), 20)
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: (link := dial(), get(link), end_of(link))[2], range(40)))
    assert all(answer.startswith(b"HTTP/1.1 503") for answer in answers), answers
    assert time.monotonic() - began > 0.3, "40 handshakes were not paced"
    assert end_of(silent).startswith(b"HTTP/1.1 503"), "who says nothing is told, too"
    assert stuck.recv(1) == b"", "nor is the place kept of who begins no handshake"
    for link in busy:
        link.close()

    def gets_in():
        with dial() as link:
            get(link)
            return link.recv(12) == b"HTTP/1.1 404"

    wait_for(gets_in, 20, "there is room again")
    shop.kill("api4")


def test_a_drain_answers_and_says_goodbye(shop, pairs):
    give(shop, pairs["first"])
    reload(shop)
    wait_for(lambda: name_of(shop, *pairs.values()) == "first", 20, "the first certificate again")
    with connect(shop, trusting(pairs["first"])) as idle:
        get(idle)
        assert idle.recv(65536).startswith(b"HTTP/1.1 404")
        shop.stop("api")
        assert idle.recv(1) == b""  # close_notify, not a cut
