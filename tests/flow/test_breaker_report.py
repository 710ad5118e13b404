"""What a worker tells of its breaker, and what happens meanwhile: each case of a program, against a real Postgres."""
import pytest

from harness import cases


@pytest.fixture(scope="module", name="database")
def lend_database(services):
    name = services.make_database()
    yield name
    services.drop_database(name)


@pytest.mark.parametrize("program, case", cases.of("breaker_test"))
def test_breaker(services, database, program, case):
    cases.run(services, database, program, case)
