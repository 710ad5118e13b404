"""The benchmarks themselves: each part runs, counts what it should, and says what it found."""
import importlib
import json
import os
import sys

import pytest

from harness.services import ROOT

sys.path.append(os.path.join(ROOT, "tests/bench"))

from book.write import Book  # noqa: E402
from lib import Bench  # noqa: E402


@pytest.fixture
def bench(services, tmp_path):
    with Bench.borrowing(services, Book(tmp_path / "results.jsonl"), connections="4", clients="2") as bench:
        yield bench


def run(bench, name):
    """The records of its runs."""
    bench.begin_part(name)
    importlib.import_module("parts." + name).run(bench)
    with open(bench.book.path, encoding="utf-8") as file:
        return [record for record in map(json.loads, file) if record["is"] == "run"]


def test_accept_counts_its_orders_and_says_what_they_cost(bench, capsys):
    records = run(bench, "accept")
    assert [record["label"] for record in records] == [
        "pgbench, 2 clients", "Docket, 4 connections"]
    docket = records[-1]
    assert docket["stored"] >= docket["count"] > 0 and docket["fates"]["failed"] == 0
    assert docket["cpu_s"]["api"] > 0 and docket["pss_mib"] > 0
    assert "by the best pgbench: " in capsys.readouterr().out


def test_latency_is_timed_at_half_of_the_peak(bench, capsys):
    records = run(bench, "latency")
    assert records[-1]["peak_per_s"] > records[-1]["offered_per_s"] * 1.2 and records[-1]["p99_ms"] > 0
    assert "p50 at half of the peak, by that of one pgbench client: " in capsys.readouterr().out


def test_a_change_is_timed_to_its_stream(bench, capsys):
    bench.options |= {"idle": "40", "streams": "20"}
    (record,) = run(bench, "connections")
    assert record["changes"] > 20 and record["still_open"] == 60
    most_mib = 1000 if "asan" in os.environ.get("DOCKET_BUILD", "") else 200  # a shadow of its own
    assert 0 < record["resident_mib"] < most_mib and 0 < record["p50_ms"] <= record["p99_ms"]
    assert "resident memory of the API: " in capsys.readouterr().out


def test_the_relay_is_timed_against_a_bare_publisher(bench, capsys):
    bench.options |= {"messages": "2000"}
    records = run(bench, "drain")
    assert [(record["label"], record["count"]) for record in records] == [
        ("bare publisher", 2000), ("docket-relay", 2000)]
    assert "messages/s, by a bare publisher: " in capsys.readouterr().out


def test_orders_are_timed_to_their_end_and_charged_once(bench, capsys):
    bench.options |= {"orders": "50"}
    records = run(bench, "flow")
    assert all(record["count"] >= 50 and record["calls_per_order"] == 3 for record in records)
    assert "memory of all processes: " in capsys.readouterr().out


def test_reads_are_held_against_a_constant_and_none_is_stale(bench, capsys):
    bench.options |= {"orders": "200", "stale_seconds": "1"}
    *timed, changed = run(bench, "status")
    assert [record["label"] for record in timed] == ["nginx", "Docket, 304", "Docket, 200"]
    assert [list(record["report"]["statuses"]) for record in timed] == [["200"], ["200", "304"], ["200"]]
    assert changed["changes"] > 100 and changed["count"] > 100 and changed["stale"] == 0
    assert "reads older than what was committed before they began: 0" in capsys.readouterr().out


def test_overload_is_offered_refused_and_recovered_from(bench, capsys):
    bench.options |= {"connections": "200", "calm_seconds": "2", "flood_seconds": "1", "after_seconds": "2", "commit_ms": "20",
                      "batch": "10", "times": "0.5,4,10"}
    capacity, *curve, flood = run(bench, "overload")
    assert [record["label"] for record in curve] == ["0.5 ×", "4 ×", "10 ×"]
    assert curve[-1]["offered_per_s"] > capacity["per_s"] * 2 and curve[-1]["fates"]["refused"] > 0
    assert len(flood["good"]) == 5 and 0 <= flood["recovery_s"] <= 2
    assert "goodput is that of before: " in capsys.readouterr().out


def test_each_hop_is_timed(bench, capsys):
    bench.options |= {"rate": "40"}
    (record,) = run(bench, "hops")
    assert 60 < record["p50_ms"] <= record["p99_ms"]
    assert set(record["hops"]) >= {"accepted → payment_started", "fulfilment_started → shipped"}
    assert "beyond the 60 ms outside: " in capsys.readouterr().out


def test_an_outage_of_the_provider_gives_nothing_up(bench, capsys):
    bench.options |= {"outage": "3", "rate": "40"}
    (record,) = run(bench, "outage")
    assert record["parked"] > 50 and record["count"] >= record["parked"]
    assert record["place_off"] <= record["place_off_p99"] <= record["place_off_most"]
    assert "places off by the orders that waited, p99: " in capsys.readouterr().out
