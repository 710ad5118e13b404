"""The benchmarks themselves: each part runs, counts what it should, and says what it found."""
import importlib
import json
import os
import sys

import pytest

from harness.services import ROOT

sys.path.append(os.path.join(ROOT, "tests/bench"))

from lib import Bench, results  # noqa: E402


@pytest.fixture
def bench(services, tmp_path):
    with Bench.borrowing(services, results.Book(tmp_path / "results.jsonl"), connections="4") as bench:
        yield bench


def run(bench, name):
    bench.begin_part(name)
    importlib.import_module("parts." + name).run(bench)
    with open(bench.book.path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_accept_counts_its_orders_and_says_what_they_cost(bench, capsys):
    records = run(bench, "accept")
    assert [record["label"] for record in records] == [
        "pgbench, 16 clients", "pgbench, 64 clients", "Docket, 4 connections"]
    docket = records[-1]
    assert docket["stored"] >= docket["count"] > 0 and docket["fates"]["failed"] == 0
    assert docket["cpu_s"]["api"] > 0 and docket["pss_mib"] > 0
    assert "by the best pgbench: " in capsys.readouterr().out


def test_latency_is_timed_at_half_of_the_peak(bench, capsys):
    records = run(bench, "latency")
    assert records[-1]["peak_per_s"] > records[-1]["offered_per_s"] * 1.2 and records[-1]["p99_ms"] > 0
    assert "latency, p50 by pgbench's: " in capsys.readouterr().out


def test_a_change_is_timed_to_its_stream(bench, capsys):
    bench.options |= {"idle": "40", "streams": "20"}
    (record,) = run(bench, "connections")
    assert record["changes"] > 20 and record["still_open"] == 60
    assert 0 < record["resident_mib"] < 200 and 0 < record["p50_ms"] <= record["p99_ms"]
    assert "MiB of the API: " in capsys.readouterr().out
