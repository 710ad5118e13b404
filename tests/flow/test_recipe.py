"""The README's recipe for a new step, followed to the letter in a copy of the tree."""
import copy
import os
import re
import shutil
import signal
import subprocess

import pytest

from docket_local import process
from harness.docket import Docket
from harness.services import ROOT, Services
from harness.wait import wait_for

BUILD_DEADLINE_S = 400


def recipe():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        chapter = file.read().split("## To add a step")[1].split("\n## ")[0]
    return re.findall(r"```\w+\n(.*?)```", chapter, re.S)


def follow(tree):
    row, step, sql = recipe()
    stages = os.path.join(tree, "schema/stages.h")
    with open(stages, encoding="utf-8") as file:
        text = file.read()
    last = row.splitlines()[-1]
    assert text.count(last) == 1, f"schema/stages.h has no row {last!r}"
    with open(stages, "w", encoding="utf-8") as file:
        file.write(text.replace(last + "\n", row))
    for path, content in (("workers/steps/gift_note.c", step),
                          ("schema/migrations/0100_gift_note.sql", sql)):
        with open(os.path.join(tree, path), "w", encoding="utf-8") as file:
            file.write(content)


@pytest.mark.skipif("asan" in os.environ.get("DOCKET_BUILD", ""), reason="builds a tree of its own")
def test_an_order_takes_the_new_step_between_the_others(tmp_path, monkeypatch):
    tree = str(tmp_path / "docket")
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("build*", ".git", "__pycache__"))
    follow(tree)
    build = os.path.join(tree, "build")
    targets = ["api/docket-api", "workers/docket-relay", "workers/docket-worker", "ops/docket",
               "ops/sandbox/docket-sandbox"]
    for argv in (["meson", "setup", "-Doptimization=0", build, tree],
                 ["ninja", "-C", build, *targets]):
        done = subprocess.run(argv, capture_output=True, text=True, check=False,
                              timeout=BUILD_DEADLINE_S)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]

    monkeypatch.setenv("DOCKET_BUILD", build)
    services = Services()
    docket = Docket(services)
    docket.open_shop()
    worker = start_worker(docket)
    try:
        told = docket.post_order()
        assert told.status == 202, told
        wait_for(lambda: docket.one("SELECT status FROM orders") == 4, 30, "the order is fulfilled")
        kinds = [row[0] for row in docket.sql("SELECT kind FROM order_event ORDER BY version")]
        assert kinds[-5:] == ["paid", "gift_note_started", "step_done", "fulfilment_started",
                              "shipped"], kinds
    finally:
        process.tell(worker.pid, signal.SIGTERM)
        assert worker.wait(12) == 0
        docket.close()
        services.close()


def start_worker(docket):
    spec = copy.copy(docket.world.spec("fulfilment", {
        "DOCKET_METRICS_LISTEN": "127.0.0.1:0", "DOCKET_CARRIER_URL": "", "DOCKET_CARRIER_KEY": "",
    }, f"{docket.database}.gift_note"))
    spec.argv = [argument.replace("fulfilment", "gift_note") for argument in spec.argv]
    return process.start(docket.home, spec)
