"""The walk through docs/runbooks.md, the API and its Postgres: the fault is made, its alert fires in a real Prometheus,
and the runbook's own blocks, run as they stand, mend it.  How long a fault must last is shortened."""
import json
import re

import pytest

from harness import must, wait_for
from harness.metrics import value
from harness.prometheus import scaled
from harness.small_disk import SmallDisk, may_be_made
from harness.walk import IS_ASAN, clock_ahead, customers, lend_walk, stolen_time
from harness.webhooks import deliver, event_of, sign
from test_tls import SETTINGS as TLS
from test_tls import give, make_pair

pytestmark = pytest.mark.skipif(IS_ASAN, reason="Prometheus and the shell are what is tested")


@pytest.fixture(scope="module")
def disk(services):
    if not may_be_made():
        yield None
        return
    small = SmallDisk(services.free_port())
    yield small
    small.close()


@pytest.fixture(scope="module")
def walk(shop, disk):
    yield from lend_walk(shop, disk)


def test_a_postgres_that_is_down_is_started(walk):
    shop = walk.shop
    shop.services.postgres_stop_immediate()
    key = "runbook-postgres-away"
    shop.post_order(key=key, headers={"Request-Timeout-Ms": "500"})
    walk.fires("DocketPostgresAway", "DocketNotReady")
    assert "Postgres" in walk.follow("DocketNotReady")
    walk.follow("DocketPostgresAway")
    walk.quiet("DocketPostgresAway", "DocketNotReady")
    shop.wait_status(shop.post_until_told(key=key).id, "fulfilled", deadline_s=40)


def test_a_database_that_was_made_read_only_is_written_again(walk):
    shop = walk.shop
    shop.sql(f"ALTER DATABASE {shop.database} SET default_transaction_read_only = on")
    shop.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
             "AND pid <> pg_backend_pid()")
    key = "runbook-read-only"
    shop.post_order(key=key, headers={"Request-Timeout-Ms": "2000"})
    walk.fires("DocketPostgresRefuses")
    walk.follow("DocketPostgresRefuses")
    walk.quiet("DocketPostgresRefuses")
    told = shop.post_until_told(key=key)
    must(told.status, 202, "the same key, now")
    shop.wait_status(told.id, "fulfilled", deadline_s=40)


def test_who_holds_a_lock_on_orders_and_sleeps_is_ended(walk):
    shop = walk.shop
    stranger = shop.services.connect(shop.database)
    stranger.cursor().execute("LOCK TABLE orders IN SHARE MODE")
    with customers(shop):
        walk.fires("DocketAcceptUnknown")
        assert "docket_api_problems_total" in walk.follow("DocketAcceptUnknown")
        said = walk.follow("DocketAcceptSlow")
        assert "LOCK TABLE orders" in said, said
        walk.fires("DocketAcceptSlow")
        walk.quiet("DocketAcceptSlow", "DocketAcceptUnknown")
    stranger.close()


def test_commits_that_a_setting_makes_slow_are_quick_again(walk):
    """Two batches of four orders at a time, and a tenth of a second for each: sixteen customers are too many."""
    shop = walk.shop
    for setting, to in (("commit_delay", 100000), ("commit_siblings", 0)):
        shop.services.admin(f"ALTER ROLE docket_api IN DATABASE {shop.database} SET {setting} = {to}")
    shop.restart("api", env={"DOCKET_ACCEPT_BATCH_MAX": 4})
    with customers(shop, 16):
        walk.fires("DocketShedding")
        said = walk.follow("DocketShedding")
        assert "docket_accept_shed_total" in said and "commit_delay=100000" in said, said
        walk.quiet("DocketShedding")
    shop.restart("api")


def test_a_certificate_a_clock_and_a_limit_that_are_wrong_are_put_right(walk, tmp_path):
    """Three faults of one API, side by side."""
    shop = walk.shop
    give(shop, make_pair(str(tmp_path), "soon", days=3))
    shop.restart("api", env=TLS | clock_ahead(shop.home, 5))
    open_fds = int(value(shop, "api", "process_open_fds"))
    walk.as_the_programs(f"prlimit --pid $PID --nofile={open_fds + open_fds // 10}:", shop.pid("api"))
    walk.fires("DocketCertificateExpires", "DocketClockSkew", "DocketFilesRunOut")
    said = walk.follow("DocketClockSkew")
    assert "the database's clock is 5.0 s behind that of the API's machine" in said, said
    walk.follow("DocketFilesRunOut", shop.pid("api"))
    give(shop, make_pair(str(tmp_path), "renewed", days=90))
    walk.follow("DocketCertificateExpires", shop.pid("api"))
    walk.quiet("DocketFilesRunOut", "DocketCertificateExpires")
    assert walk.is_firing("DocketClockSkew")
    shop.restart("api")  # on a machine where NTP runs
    walk.quiet("DocketClockSkew")


def test_a_secret_that_was_replaced_at_the_provider_alone_is_known_here_too(walk):
    shop = walk.shop

    def tell():
        event = event_of("pi_of_nobody", None)
        return deliver(shop, event, sign(json.dumps(event).encode(), "whsec_the_new_secret")).status

    shop.restart("api", env={"DOCKET_STRIPE_WEBHOOK_SECRETS": "whsec_the_old_secret"})
    must({tell() for _ in range(4)}, {400}, "answers to the provider")
    wait_for(lambda: tell() and walk.is_firing("DocketWebhooksRefused"), 40, "DocketWebhooksRefused fires")
    walk.follow("DocketWebhooksRefused")
    must(tell(), 200, "the answer to the provider")
    walk.quiet("DocketWebhooksRefused")
    shop.restart("api")


def test_a_program_without_cpu_is_noticed(walk):
    with stolen_time(walk.shop, "fulfilment"):
        walk.fires("DocketLoopLag")
        assert "load average" in walk.follow("DocketLoopLag")
    walk.quiet("DocketLoopLag")


def test_a_disk_that_old_logs_fill_is_given_room(walk):
    if walk.disk is None:
        pytest.skip("no mount namespace may be made here")
    walk.disk.fill("docket.log.1", left_mib=1)
    walk.fires("DocketDiskFilling")
    said = walk.follow("DocketDiskFilling")
    assert "docket.log.1" in said and "15M" in said, said
    walk.quiet("DocketDiskFilling")


def test_partitions_that_are_missing_are_made(walk):
    """The one of the day in a week, which may be this month's: what is in it is put back."""
    shop = walk.shop
    place = shop.one("SELECT month_table('orders', ((now() + interval '7 days') AT TIME ZONE 'UTC')::date)")
    shop.sql(f"ALTER TABLE orders DETACH PARTITION {place}")
    shop.sql(f"ALTER TABLE {place} RENAME TO taken_away")
    walk.fires("DocketPartitionsMissing")
    walk.follow("DocketPartitionsMissing")
    shop.sql("INSERT INTO orders SELECT * FROM taken_away; DROP TABLE taken_away")
    walk.quiet("DocketPartitionsMissing")
    shop.wait_status(shop.post_until_told().id, "fulfilled", deadline_s=40)


def test_a_cluster_half_way_to_the_wraparound_is_frozen(walk):
    """Its next transaction id is set to 1.1 milliards, as after that many transactions without a vacuum."""
    shop = walk.shop
    shop.services.postgres_jump_xids(1049)
    walk.fires("DocketXidAge")
    said = walk.follow("DocketXidAge")
    assert re.search(r"^\w+\|\d{9,10}$", said, re.M), said
    shop.services.admin("ALTER SYSTEM SET autovacuum_naptime = 1")  # for what nobody can connect to: template0
    shop.services.admin("SELECT pg_reload_conf()")
    walk.quiet("DocketXidAge")
    shop.services.admin("ALTER SYSTEM RESET autovacuum_naptime")
    shop.wait_status(shop.post_until_told().id, "fulfilled", deadline_s=40)


def test_the_walk_has_left_nothing_wrong(walk):
    walk.all_quiet()
    walk.shop.books().must_balance()


def test_rules_are_the_same_but_for_their_durations():
    rule = "expr: max(docket_outbox_oldest_seconds) > 900 and rate(x[5m]) > 60 and rate(x[1h]) > 0\nfor: 5m\n"
    must(scaled(rule, 300),
         "expr: max(docket_outbox_oldest_seconds) > 3 and rate(x[5s]) > 60 and rate(x[15s]) > 0\nfor: 1000ms\n", "scaled")
