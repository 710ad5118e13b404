"""Programs of C that test against a real Postgres: their cases, and one of them run alone (tests/case.c)."""
import os
import re
import subprocess

from docket_local import postgres

from .services import ROOT


def of(*programs):
    """(program, case) of each, in the order of their sources."""
    for program in programs:
        with open(os.path.join(ROOT, f"tests/flow/{program}.c"), encoding="utf-8") as file:
            yield from ((program, case) for case in re.findall(r"^        CASE\((\w+)\),$", file.read(), re.M))


def run(services, database, program, case):
    binary = os.path.join(ROOT, os.environ.get("DOCKET_BUILD", "build"), "tests", program)
    conninfo = postgres.conninfo(services.home, postgres.SUPERUSER, database)
    done = subprocess.run([binary], text=True, capture_output=True, timeout=60, check=False,
                          env=os.environ | {"DOCKET_TEST_PG": conninfo, "DOCKET_CASE": case})
    assert done.returncode == 0 and f"OK ] {case}" in done.stdout, done.stdout + done.stderr
