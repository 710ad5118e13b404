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
