"""What a worker tells of its breaker, and what happens meanwhile: each case of a program, against a real Postgres."""
import os
import re
import subprocess

import pytest

from docket_local import postgres
from harness.services import ROOT


def cases():
    with open(os.path.join(ROOT, "tests/flow/breaker_test.c"), encoding="utf-8") as file:
        return re.findall(r"^        CASE\((\w+)\),$", file.read(), re.M)


@pytest.fixture(scope="module", name="conninfo")
def lend_database(services):
    name = services.make_database()
    yield postgres.conninfo(services.home, postgres.SUPERUSER, name)
    services.drop_database(name)


@pytest.mark.parametrize("case", cases())
def test_breaker(conninfo, case):
    binary = os.path.join(ROOT, os.environ.get("DOCKET_BUILD", "build"), "tests/breaker_test")
    done = subprocess.run([binary], text=True, capture_output=True, timeout=60, check=False,
                          env=os.environ | {"DOCKET_TEST_PG": conninfo, "DOCKET_CASE": case})
    assert done.returncode == 0 and f"OK ] {case}" in done.stdout, done.stdout + done.stderr
