"""Fixtures of all tests that need real services.

services  (session)  one private Postgres and one private RabbitMQ, and a migrated template database
docket    (module)   a database and a vhost of its own; no process is started
shop      (module)   `docket` with every process started, a catalogue and the keys
docket_fresh, shop_fresh   the same for one test alone
sandbox             a docket-sandbox alone, for tests of the sandbox itself

DOCKET_BUILD names the build directory (default: build); DOCKET_KEEP=1 keeps what a run leaves.
"""
import pytest

from harness import Docket, Services, TRAVELLERS, contract
from harness.sandbox import sandbox  # noqa: F401 - a fixture

# Files that take the longest are begun first: one at the end would be waited for by itself.
LONGEST = ("test_kills", "test_broker", "test_whole", "test_runbooks_work", "test_runbooks_edge", "test_up",
           "test_recipe", "test_runbooks_money", "test_bench", "test_breaker", "test_payment_life", "test_workers",
           "test_accept_faults", "test_retention", "test_relay", "test_payment", "test_cancel", "test_restore",
           "test_doctor")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def services():
    running = Services()
    yield running
    running.close()


def lend(request, services, start):
    docket = Docket(services)
    request.node.stash.setdefault(TRAVELLERS, []).append(docket)
    try:
        if start:
            docket.open_shop()
        yield docket
    finally:
        docket.close()


@pytest.fixture(scope="module")
def docket(request, services):
    yield from lend(request, services, start=False)


@pytest.fixture(scope="module")
def shop(request, services):
    yield from lend(request, services, start=True)


@pytest.fixture
def docket_fresh(request, services):
    yield from lend(request, services, start=False)


@pytest.fixture
def shop_fresh(request, services):
    yield from lend(request, services, start=True)


@pytest.fixture(autouse=True)
def answers_as_documented():
    """Every answer that a test was given is one of schema/openapi.yaml."""
    yield
    wrong = contract.take_noted()
    assert not wrong, "not as schema/openapi.yaml says:\n" + "\n".join(wrong)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of each log of the processes it used."""
    report = (yield).get_result()
    if not report.failed:
        return
    for node in item.listchain():
        for docket in node.stash.get(TRAVELLERS, []):
            report.sections += docket.log_tails()
