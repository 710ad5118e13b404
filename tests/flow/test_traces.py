"""Traces as a collector gets them: one trace from the POST to the shipment, and no order that waits for it.

The collector is a real HTTP server that takes what https://opentelemetry.io/docs/specs/otlp/ describes.
"""
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness import must, wait_for
from harness.metrics import read

HEX = {"traceId": r"[0-9a-f]{32}", "spanId": r"[0-9a-f]{16}", "parentSpanId": r"[0-9a-f]{16}"}
INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = range(1, 6)
PROCESSES = ("api", "relay", "payment", "fulfilment")


class Collector:
    """Answers what it is told to, and keeps what it accepted."""

    def __init__(self):
        self.spans, self.statuses, self.headers, self.calls = [], [], [], 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.calls += 1
                outer.headers.append(dict(self.headers))
                status = outer.statuses.pop(0) if outer.statuses else 200
                if status == 200:
                    outer.take(self.path, json.loads(body))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, path, body):
        assert path == "/v1/traces", path
        for resource in body["resourceSpans"]:
            about = words(resource["resource"]["attributes"])
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    self.spans.append(span | {"service": about["service.name"]})

    def of(self, trace):
        return [span for span in self.spans if span["traceId"] == trace]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def words(attributes):
    return {note["key"]: note["value"]["stringValue"] for note in attributes}


@pytest.fixture(name="collector")
def make_collector():
    collector = Collector()
    yield collector
    collector.close()


def open_traced(docket, endpoint, **more):
    env = {"DOCKET_OTLP_ENDPOINT": endpoint} | more
    docket.open_shop(**{name: env for name in PROCESSES})


def post_traced(docket, trace, flags="01", parent="00f067aa0ba902b7"):
    return docket.post_order(headers={"traceparent": f"00-{trace}-{parent}-{flags}"})


def names(spans):
    return sorted((span["service"], span["name"]) for span in spans)


EXPECTED = sorted([
    ("docket-api", "POST /v1/orders"), ("docket-relay", "publish"), ("docket-relay", "publish"),
    ("docket-payment", "payment"), ("docket-payment", "claim"),
    ("docket-payment", "create"), ("docket-payment", "commit"), ("docket-payment", "confirm"),
    ("docket-payment", "commit"),
    ("docket-fulfilment", "fulfilment"), ("docket-fulfilment", "claim"),
    ("docket-fulfilment", "ship"), ("docket-fulfilment", "commit")])


def must_hang_together(spans, parent):
    """Each span is well formed, and lies under one that is there, up to the client's own."""
    ids = {span["spanId"]: span for span in spans}
    must(len(ids), len(spans), "span ids that differ")
    for span in spans:
        for name, form in HEX.items():
            assert re.fullmatch(form, span[name]), (name, span)
        assert 0 < int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]), span
    root, = [span for span in spans if span["parentSpanId"] not in ids]
    must((root["parentSpanId"], root["name"], root["kind"]), (parent, "POST /v1/orders", SERVER),
         "the first span")
    return root


def test_one_trace_goes_from_the_post_to_the_shipment(docket_fresh, collector):
    open_traced(docket_fresh, collector.endpoint, DOCKET_OTLP_HEADER="Authorization: Bearer tell")
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    told = post_traced(docket_fresh, trace)
    docket_fresh.wait_status(told.id, "fulfilled")
    wait_for(lambda: len(collector.of(trace)) >= len(EXPECTED), 10, "all spans are told")
    spans = collector.of(trace)
    must(names(spans), EXPECTED, "spans")
    root = must_hang_together(spans, "00f067aa0ba902b7")
    must(words(root["attributes"]), {"docket.outcome": "accepted", "docket.order": told.id}, "notes")
    kinds = {span["name"]: span["kind"] for span in spans}
    must((kinds["publish"], kinds["payment"], kinds["confirm"], kinds["commit"]),
         (PRODUCER, CONSUMER, CLIENT, INTERNAL), "kinds")
    call, = [span for span in spans if span["name"] == "confirm"]
    task, = [span for span in spans if span["name"] == "payment"]
    must((call["parentSpanId"], words(call["attributes"])),
         (task["spanId"], {"peer.service": "stripe"}), "a call lies under its task")
    assert all(headers["Authorization"] == "Bearer tell" for headers in collector.headers)


def test_what_is_not_sampled_is_not_told(docket_fresh, collector):
    open_traced(docket_fresh, collector.endpoint, DOCKET_TRACE_PERCENT=0)
    silent = post_traced(docket_fresh, "a" * 32, flags="00")
    chosen = docket_fresh.post_order()
    for told in (silent, chosen):
        docket_fresh.wait_status(told.id, "fulfilled")
    loud = post_traced(docket_fresh, "b" * 32)
    docket_fresh.wait_status(loud.id, "fulfilled")
    wait_for(lambda: len(collector.of("b" * 32)) >= len(EXPECTED), 10, "the sampled one is told")
    must({span["traceId"] for span in collector.spans}, {"b" * 32}, "traces")


def test_a_failed_call_says_so(docket_fresh, collector):
    open_traced(docket_fresh, collector.endpoint, DOCKET_RETRY_BASE_MS=50)
    docket_fresh.fault("confirm", "act_then_500", times=1)
    told = post_traced(docket_fresh, "c" * 32)
    docket_fresh.wait_status(told.id, "fulfilled")
    wait_for(lambda: "retrieve" in [span["name"] for span in collector.of("c" * 32)], 10, "a look-up")
    call, = [span for span in collector.of("c" * 32) if span["name"] == "confirm"]
    must(call["status"]["code"], 2, "the status of a call that got a 500")


def test_a_collector_that_is_busy_or_away_gets_the_spans_later_and_delays_nothing(
        docket_fresh, collector):
    collector.statuses = [503, 429, 503, 429]
    open_traced(docket_fresh, collector.endpoint)
    told = post_traced(docket_fresh, "d" * 32)
    docket_fresh.wait_status(told.id, "fulfilled")
    wait_for(lambda: len(collector.of("d" * 32)) >= len(EXPECTED), 20, "told in the end")
    must(names(collector.of("d" * 32)), EXPECTED, "each span once")


def test_spans_that_a_collector_refuses_are_not_sent_again(docket_fresh, collector):
    collector.statuses = [400] * 1000
    open_traced(docket_fresh, collector.endpoint)
    told = post_traced(docket_fresh, "e" * 32)
    docket_fresh.wait_status(told.id, "fulfilled")
    refused = ("docket_trace_spans_total", 'outcome="refused"')
    wait_for(lambda: read(docket_fresh, "fulfilment")[refused] >= 4, 10, "they are counted")
    must(collector.spans, [], "spans")


def test_with_no_collector_at_all_orders_go_on_and_each_process_ends(docket_fresh):
    open_traced(docket_fresh, "http://127.0.0.1:9")
    told = post_traced(docket_fresh, "f" * 32)
    docket_fresh.wait_status(told.id, "fulfilled")
    for name in ("fulfilment", "payment", "relay", "api"):
        docket_fresh.stop(name, deadline_s=12)


def test_what_is_left_at_sigterm_is_told(docket_fresh, collector):
    open_traced(docket_fresh, collector.endpoint)
    told = post_traced(docket_fresh, "1" * 32)
    docket_fresh.wait_status(told.id, "fulfilled")
    for name in ("fulfilment", "payment", "relay", "api"):
        docket_fresh.stop(name)
    must(names(collector.of("1" * 32)), EXPECTED, "spans, once all have ended")
