"""docket migrate: once, twice at once, and what it refuses."""
import concurrent.futures

import pytest

from docket_local.problem import Problem
from harness import wait_for


@pytest.fixture
def empty(docket_fresh):
    docket_fresh.sql("DROP SCHEMA public CASCADE")
    docket_fresh.sql("CREATE SCHEMA public AUTHORIZATION docket_owner")
    docket_fresh.sql("GRANT USAGE ON SCHEMA public TO PUBLIC")
    return docket_fresh


def versions(docket):
    return [row[0] for row in docket.sql("SELECT version FROM migration ORDER BY version")]


def test_an_empty_database_is_brought_up(empty):
    assert "not applied" in empty.docket("migrate", "status")
    assert "applied 0001_docket" in empty.docket("migrate", "up")
    assert versions(empty)[0] == 1
    assert "not applied" not in empty.docket("migrate", "status")
    assert "up to date" in empty.docket("migrate", "up")
    assert empty.one("SELECT count(*) = 5 FROM pg_class WHERE relname LIKE 'orders\\_20%%' "
                     "AND relkind = 'r'")


def test_twice_at_once_is_once(empty):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda n: empty.docket("migrate", "up"), range(4)))
    assert sum("applied 0001_docket" in text for text in said) == 1
    assert len(versions(empty)) == len(set(versions(empty)))


def test_what_is_brought_up_serves(empty):
    empty.docket("migrate", "up")
    empty.start("api")
    empty.stock_up()
    empty.make_keys()
    assert empty.post_order().status == 202


def test_an_edited_migration_is_refused(docket_fresh):
    docket_fresh.sql("UPDATE migration SET checksum = 'other' WHERE version = 1")
    with pytest.raises(Problem, match="edited"):
        docket_fresh.docket("migrate", "up")


def test_a_schema_that_does_not_serve_this_binary_is_refused(docket_fresh):
    docket_fresh.sql("INSERT INTO migration (version, name, serves_from, checksum) "
                     "VALUES (9999, '9999_later', 9999, '')")
    with pytest.raises(Problem, match="9999"):
        docket_fresh.docket("migrate", "up")
    docket_fresh.start("api", wait=False)
    wait_for(lambda: "install a newer Docket" in str(docket_fresh.operator.get("/readyz").body), 10,
             "the API says so")


def test_a_newer_schema_that_serves_this_binary_is_fine(docket_fresh):
    docket_fresh.sql("INSERT INTO migration (version, name, serves_from, checksum) "
                     "VALUES (9999, '9999_later', 1, '')")
    assert "up to date" in docket_fresh.docket("migrate", "up")
    docket_fresh.start("api")


def test_a_migration_that_fails_leaves_nothing_behind(empty):
    empty.sql("CREATE TABLE account (id int)")
    with pytest.raises(Problem):
        empty.docket("migrate", "up")
    assert versions(empty) == []
    empty.sql("DROP TABLE account")
    assert "applied 0001_docket" in empty.docket("migrate", "up")
