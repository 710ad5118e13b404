"""2,000 streams and 10,000 idle connections at once: all of them live, all are told, and no order waits for them."""
import http.client
import json
import os
import re
import resource
import select
import socket
import statistics
import threading
import time

import pytest

from docket_local import order, process
from harness import wait_for
from harness.client import Client, Raw, new_key
from harness.stream import Stream

STREAMS, IDLE, ORDERS, SPARE, ROUNDS, ACCEPTS = 2000, 10000, 1000, 20, 5, 500
RSS_MIB_MAX = 96


@pytest.fixture(scope="module")
def size():
    """(streams, idle connections): fewer where descriptors are few."""
    process.raise_file_limit()
    room = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1000
    share = min(1, room / (STREAMS + IDLE))
    return int(STREAMS * share) // ORDERS * ORDERS, int(IDLE * share)


@pytest.fixture(scope="module")
def shop(docket, size):
    streams, idle = size
    docket.start("api", env={"DOCKET_STREAMS_MAX": streams, "DOCKET_STREAMS_ACCOUNT_MAX": streams,
                             "DOCKET_CONNECTIONS_MAX": streams + idle + SPARE, "DOCKET_QUOTA_ORDERS": 0})
    docket.stock_up()
    docket.make_keys()
    return docket


def rss_mib(shop):
    with open(f"/proc/{shop.pid('api')}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1]) / 1024


class Orders:
    """Those that are followed; each round gives all of them their next version."""

    def __init__(self, shop):
        self.shop, self.version = shop, 1
        self.told = [shop.post_order() for _ in range(ORDERS)]
        self.uuids = [order.to_uuid(told.id) for told in self.told]

    def move(self):
        self.version += 1
        self.shop.sql("WITH moved AS (UPDATE orders SET version = version + 1, status = 2 WHERE id = ANY(%s::uuid[]) "
                      "RETURNING id, version) INSERT INTO order_event (order_id, version, kind, status, process) "
                      "SELECT id, version, 'test', 2, 'test' FROM moved", self.uuids)
        for first in range(0, ORDERS, 100):  # as many as a hint carries
            self.shop.sql("SELECT pg_notify('docket_orders', %s)", ",".join(self.uuids[first:first + 100]))


class Crowd:
    """Connections that say one thing and then stay."""

    def __init__(self, port):
        self.port, self.links, self.heard, self.gone = port, {}, {}, set()
        self.poll = select.epoll()

    def add(self, request):
        link = socket.create_connection(("127.0.0.1", self.port), 30)
        link.sendall(request.encode())
        link.setblocking(False)
        self.links[link.fileno()], self.heard[link.fileno()] = link, b""
        self.poll.register(link, select.EPOLLIN)
        return link.fileno()

    def read(self, timeout_s):
        """What has come; returns the connections that it came on, or that have ended."""
        ready = [at for at, _ in self.poll.poll(timeout_s)]
        for at in ready:
            data = self.links[at].recv(1 << 16)
            self.heard[at] += data
            if not data:
                self.poll.unregister(at)
                self.gone.add(at)
        return ready

    def hear(self, is_enough, what, deadline_s=60):
        """Reads until it is enough on every one."""
        waiting, until = {at for at in self.links if not is_enough(self.heard[at])}, time.monotonic() + deadline_s
        while waiting and time.monotonic() < until:
            waiting -= {at for at in self.read(0.1) if is_enough(self.heard[at])}
        assert not waiting, f"{len(waiting)} of {len(self.links)} still not: {what}"

    def ended(self):
        """Those that the server has closed by now."""
        while self.read(0):
            pass
        return self.gone

    def close(self):
        for link in self.links.values():
            link.close()
        self.poll.close()


def accept(shop):
    """The latencies of so many orders, one after the other on one connection, in ms."""
    link, times = http.client.HTTPConnection("127.0.0.1", shop.port("api"), timeout=30), []
    body = json.dumps(shop.order_body())
    for _ in range(ACCEPTS):
        headers = {"Authorization": f"Bearer {shop.checkout}", "Content-Type": "application/json",
                   "Idempotency-Key": new_key()}
        begun = time.perf_counter()
        link.request("POST", "/v1/orders", body, headers)
        answer = link.getresponse()
        answer.read()
        times.append(1000 * (time.perf_counter() - begun))
        assert answer.status == 202
    link.close()
    return times


def show(what, times, alone):
    at = statistics.quantiles(times, n=100)
    ratio = "" if times is alone else f"   {at[49] / statistics.median(alone):4.1f}×, " \
        f"{at[98] / statistics.quantiles(alone, n=100)[98]:4.1f}×"
    print(f"accepts {what:<26} p50 {at[49]:6.2f} ms   p99 {at[98]:6.2f} ms{ratio}")


def test_a_crowd_is_served_and_delays_no_order(shop, size):
    streams, idle = size
    orders, crowd = Orders(shop), Crowd(shop.port("api"))
    alone, empty = accept(shop), rss_mib(shop)

    for n in range(idle):
        crowd.add("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
    crowd.hear(lambda heard: b"HTTP/1.1 204" in heard, "its answer")
    with_idle = rss_mib(shop)
    followers = [crowd.add(f"GET /v1/orders/{told.id}/events?client_token={told.json['client_token']} "
                           "HTTP/1.1\r\nHost: x\r\n\r\n")
                 for _ in range(streams // ORDERS) for told in orders.told]
    crowd.hear(lambda heard: b" 204 " in heard or b"id: 1\n" in heard, "the first event")
    with_all = rss_mib(shop)
    beside = accept(shop)

    mover = threading.Thread(target=lambda: [orders.move() for _ in range(ROUNDS)])
    mover.start()
    meanwhile = accept(shop)
    mover.join()
    newest = f"id: {orders.version}\n".encode()
    crowd.hear(lambda heard: b" 204 " in heard or newest in heard, "the newest event")
    told_all = rss_mib(shop)

    print(f"\n{streams} streams, {idle} idle connections")
    show("alone", alone, alone)
    show("beside them", beside, alone)
    show("while all are told", meanwhile, alone)
    print(f"RSS {empty:.1f} MiB alone, {with_idle:.1f} with the idle, {with_all:.1f} with the streams, "
          f"{told_all:.1f} when all were told: {1024 * (with_idle - empty) / idle:.2f} KiB an idle connection, "
          f"{1024 * (with_all - with_idle) / streams:.2f} KiB a stream")

    for at in followers:  # each newer version once, in order; what came close together may be one read's
        versions = [int(number) for number in re.findall(rb"^id: (\d+)$", crowd.heard[at], re.M)]
        assert versions == list(range(1, orders.version + 1)), versions
    assert not crowd.ended()
    limits_hold(shop, crowd, orders, set(followers))
    if os.environ.get("DOCKET_BUILD", "build") == "build":
        assert told_all < RSS_MIB_MAX
    crowd.close()
    wait_for(lambda: shop.operator.get("/metrics").body.find(b"\ndocket_streams 0\n") > 0, 10, "all are forgotten")


def limits_hold(shop, crowd, orders, followers):
    """What is too much is told so; where connections are short, those that have been idle longest make room."""
    told = orders.told[0]
    more = Stream(shop.port("api"), f"/v1/orders/{told.id}/events?client_token={told.json['client_token']}")
    assert more.status == 503 and more.problem()["code"] == "overloaded"
    more.close()
    extra = [Raw(shop.port("api")).send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(2 * SPARE)]
    assert all(link.answer().status == 204 for link in extra)
    gone = wait_for(crowd.ended, 20, "some made room")
    assert len(gone) <= 2 * SPARE and not gone & followers
    assert gone == set(sorted(crowd.links)[:len(gone)]), "not those that were idle longest"
    assert Client(shop.port("api")).request("OPTIONS", "*", undocumented="of the server").status == 204
    for link in extra:
        link.close()
