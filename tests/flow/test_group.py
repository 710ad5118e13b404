"""Group commit against a real Postgres: each case of its programs, in a database of its own."""
import os
import re
import subprocess

import pytest

from docket_local import postgres
from harness.services import ROOT

PROGRAMS = ("group_test", "group_month_test")


def cases():
    for program in PROGRAMS:
        with open(os.path.join(ROOT, f"tests/flow/{program}.c"), encoding="utf-8") as file:
            yield from ((program, case) for case in re.findall(r"^        CASE\((\w+)\),$", file.read(), re.M))


@pytest.fixture(scope="module", name="conninfo")
def lend_database(services):
    name = services.make_empty_database()
    yield postgres.conninfo(services.home, postgres.SUPERUSER, name)
    # Where a case died while commits waited for a standby, the drop would wait with them.
    services.admin("ALTER SYSTEM RESET synchronous_standby_names")
    services.admin("SELECT pg_reload_conf()")
    services.drop_database(name)


@pytest.mark.parametrize("program, case", list(cases()))
def test_group(conninfo, program, case):
    binary = os.path.join(ROOT, os.environ.get("DOCKET_BUILD", "build"), "tests", program)
    done = subprocess.run([binary], text=True, capture_output=True, timeout=60, check=False,
                          env=os.environ | {"DOCKET_TEST_PG": conninfo, "DOCKET_CASE": case})
    assert done.returncode == 0 and f"OK ] {case}" in done.stdout, done.stdout + done.stderr
