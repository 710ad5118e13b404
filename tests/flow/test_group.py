"""Group commit against a real Postgres: each case of its programs, in a database of its own."""
import pytest

from harness import cases


@pytest.fixture(scope="module", name="database")
def lend_database(services):
    name = services.make_empty_database()
    yield name
    # Where a case died while commits waited for a standby, the drop would wait with them.
    services.admin("ALTER SYSTEM RESET synchronous_standby_names")
    services.admin("SELECT pg_reload_conf()")
    services.drop_database(name)


@pytest.mark.parametrize("program, case", cases.of("group_test", "group_month_test"))
def test_group(services, database, program, case):
    cases.run(services, database, program, case)
