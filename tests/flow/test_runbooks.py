"""The walk through docs/runbooks.md: the fault is made, its alert fires in a real Prometheus, and the
runbook's own blocks, run as they stand, mend it.  Rules and rates are sixty times faster."""
import os
import re
import shlex
import subprocess
import threading

import pytest

from docket_local import postgres, rabbitmq
from harness import must, wait_for
from harness.prometheus import Prometheus, scaled
from harness.services import ROOT
from test_tls import SETTINGS as TLS
from test_tls import give, make_pair

pytestmark = pytest.mark.skipif("asan" in os.environ.get("DOCKET_BUILD", ""),
                                reason="Prometheus and the shell are what is tested")
PROGRAMS = ("api", "relay", "payment", "fulfilment")


@pytest.fixture(scope="module")
def watched(shop):
    """The shop and the Prometheus that watches it."""
    targets = [shop.world.listen("operator" if name == "api" else name) for name in PROGRAMS]
    prometheus = Prometheus(shop.services.free_port(), targets)
    try:
        wait_for(lambda: len(prometheus.query("docket_ready == 1")) == len(PROGRAMS), 30,
                 "Prometheus has seen them all", every_s=0.2)
        wait_for(lambda: prometheus.firing() == set(), 30, "all is quiet", every_s=0.2)
        yield shop, prometheus
    finally:
        prometheus.close()


def blocks(alert):
    """The lines of the shell blocks of one runbook."""
    with open(os.path.join(ROOT, "docs/runbooks.md"), encoding="utf-8") as file:
        section = re.search(rf"^## {alert}\n(.*?)(?=^## |\Z)", file.read(), re.M | re.S)[1]
    found = re.findall(r"^```sh\n(.*?)^```$", section, re.M | re.S)
    assert found, f"{alert} has no commands"
    return [line for block in found for line in block.splitlines()]


def start(shop, name):
    if name == "postgres":
        shop.services.postgres_start()
    elif name == "rabbitmq":
        shop.services.broker_start()
    else:
        shop.start(name)


def follow(shop, alert, pid=None):
    """Types what the runbook says; all that is printed."""
    home, world = shop.home, shop.world
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "DOCKET_OPERATOR_URL": world.url("operator"),
           "DOCKET_OPERATOR_KEY": world.operator_key(), "DOCKET_PG": world.pg("docket_owner"), "DOCKET_SINGLE_NODE": "1",
           "PG_ADMIN": postgres.conninfo(home, postgres.SUPERUSER, shop.database), "PID": str(pid)}
    docket = os.path.join(shop.services.build, "ops/docket")
    said = ""
    for line in blocks(alert):
        words = shlex.split(line)
        if words[0] == "start":
            start(shop, words[1])
        elif words[0] == "rabbitmqctl":
            is_of_vhost = words[1].startswith("list_") or words[1].endswith("_policy")
            vhost = ["-p", shop.vhost] if is_of_vhost else []
            said += rabbitmq.control(home, words[1], *vhost, *words[2:])
        else:
            done = subprocess.run(["bash", "-c", f"docket() {{ {shlex.quote(docket)} \"$@\"; }}\n{line}"],
                                  env=env, capture_output=True, text=True, check=False, timeout=30)
            must(done.returncode, 0, f"{line}\n{done.stdout}{done.stderr}\nended with")
            said += done.stdout
    return said


def test_a_relay_that_died_is_started(watched):
    shop, prometheus = watched
    shop.kill("relay")
    told = shop.post_order()
    must(told.status, 202, "accepting without a relay")
    prometheus.wait_firing("DocketNoRelayLeads")
    prometheus.wait_firing("DocketDown")
    follow(shop, "DocketNoRelayLeads")
    prometheus.wait_quiet("DocketNoRelayLeads")
    prometheus.wait_quiet("DocketDown")
    shop.wait_status(told.id, "fulfilled")


def test_a_step_without_a_worker_gets_one(watched):
    shop, prometheus = watched
    shop.stop("payment")
    told = shop.post_order()
    prometheus.wait_firing("DocketNoWorker")
    follow(shop, "DocketNoWorker")
    prometheus.wait_quiet("DocketNoWorker")
    shop.wait_status(told.id, "fulfilled")


def test_a_broker_that_blocks_is_given_memory(watched):
    shop, prometheus = watched
    shop.services.broker_alarm(True)
    told = shop.post_order()
    must(told.status, 202, "accepting with a blocked broker")
    prometheus.wait_firing("DocketBrokerBlocked")
    prometheus.wait_firing("DocketOutboxOld")
    follow(shop, "DocketBrokerBlocked")
    prometheus.wait_quiet("DocketBrokerBlocked")
    prometheus.wait_quiet("DocketOutboxOld")
    shop.wait_status(told.id, "fulfilled")


def test_a_transaction_that_is_held_open_is_found_and_ended(watched):
    shop, prometheus = watched
    stranger = shop.services.connect("postgres")
    with stranger.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()")
    shop.post_order()
    prometheus.wait_firing("DocketTransactionHeldOpen")
    wait_for(lambda: shop.one("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' "
                              "AND state_change < now() - interval '10 seconds'") > 0, 20, "it is old")
    assert "pg_current_xact_id" in follow(shop, "DocketTransactionHeldOpen")
    prometheus.wait_quiet("DocketTransactionHeldOpen")
    stranger.close()


def test_a_database_that_was_made_read_only_is_written_again(watched):
    shop, prometheus = watched
    shop.sql(f"ALTER DATABASE {shop.database} SET default_transaction_read_only = on")
    shop.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
             "AND pid <> pg_backend_pid()")
    key = "runbook-read-only"
    shop.post_order(key=key, timeout_s=8)
    prometheus.wait_firing("DocketPostgresRefuses")
    follow(shop, "DocketPostgresRefuses")
    prometheus.wait_quiet("DocketPostgresRefuses")
    told = shop.post_until_told(key=key)
    must(told.status, 202, "the same key, now")
    shop.wait_status(told.id, "fulfilled", deadline_s=40)


def test_a_dead_letter_is_seen_and_replayed(watched):
    shop, prometheus = watched
    shop.fault("confirm", "wrong_amount", times=1)
    shop.post_order()
    prometheus.wait_firing("DocketDeadLetters")
    shop.no_faults()
    first = shop.one("SELECT min(id) FROM dead_letter WHERE state = 'open'")
    assert "integrity_failure" in follow(shop, "DocketDeadLetters")
    wait_for(lambda: shop.one("SELECT state FROM dead_letter WHERE id = %s", first) != "open", 10,
             "it is replayed")
    prometheus.wait_quiet("DocketDeadLetters")


def test_an_unknown_payment_is_looked_up_until_there_is_evidence(watched):
    shop, prometheus = watched
    shop.restart("payment", env={"DOCKET_RETRY_MAX_MS": 1000})
    shop.fault("confirm", "act_then_reset")
    shop.fault("retrieve", "reset")
    told = shop.post_order()
    prometheus.wait_firing("DocketPaymentsUnknown", 60)
    prometheus.wait_firing("DocketOutsideFailing")
    assert "pi_" in follow(shop, "DocketPaymentsUnknown")
    shop.no_faults()  # the provider is back
    prometheus.wait_quiet("DocketPaymentsUnknown")
    prometheus.wait_quiet("DocketOutsideFailing")
    shop.wait_status(told.id, "fulfilled")


def test_a_postgres_that_is_down_is_started(watched):
    shop, prometheus = watched
    shop.services.postgres_stop_immediate()
    key = "runbook-postgres-away"
    shop.post_order(key=key, timeout_s=8)
    prometheus.wait_firing("DocketPostgresAway")
    prometheus.wait_firing("DocketNotReady")
    assert "Postgres" in follow(shop, "DocketNotReady")
    follow(shop, "DocketPostgresAway")
    prometheus.wait_quiet("DocketPostgresAway")
    prometheus.wait_quiet("DocketNotReady")
    shop.wait_status(shop.post_until_told(key=key).id, "fulfilled", deadline_s=40)


def test_a_broker_that_is_down_is_started(watched):
    shop, prometheus = watched
    shop.services.broker_kill()
    told = shop.post_until_told()
    prometheus.wait_firing("DocketBrokerAway")
    assert "docket.payment" in follow(shop, "DocketBrokerAway")
    prometheus.wait_quiet("DocketBrokerAway")
    shop.wait_status(told.id, "fulfilled", deadline_s=40)


def test_a_provider_that_was_paused_and_forgotten_is_resumed(watched):
    shop, prometheus = watched
    shop.docket("pause", "stripe", "--reason", "maintenance")
    prometheus.wait_firing("DocketBreakerOpen")  # by now the workers know, too
    told = shop.post_until_told()
    prometheus.wait_firing("DocketTasksParked", 60)
    said = follow(shop, "DocketTasksParked")
    assert "maintenance" in said or "stripe" in said, said
    assert re.search(r"^1\|1\|", said, re.M), said
    follow(shop, "DocketBreakerOpen")
    prometheus.wait_quiet("DocketTasksParked")
    prometheus.wait_quiet("DocketBreakerOpen")
    shop.wait_status(told.id, "fulfilled", deadline_s=40)


def test_a_dead_letter_that_nobody_looked_at_is_replayed(watched):
    shop, prometheus = watched
    shop.fault("confirm", "wrong_amount", times=1)
    shop.post_until_told()
    letter = wait_for(lambda: shop.sql("SELECT id FROM dead_letter WHERE state = 'open'"), 20,
                      "a dead letter")[0][0]
    shop.sql("UPDATE dead_letter SET created_at = now() - interval '2 days' WHERE id = %s", letter)
    prometheus.wait_firing("DocketDeadLettersForgotten")
    assert "integrity_failure" in follow(shop, "DocketDeadLettersForgotten")
    follow(shop, "DocketDeadLetters")
    prometheus.wait_quiet("DocketDeadLettersForgotten")


def test_partitions_that_are_missing_are_made(watched):
    """The one of the day in a week, which may be this month's: what is in it is put back."""
    shop, prometheus = watched
    place = shop.one("SELECT month_table('orders', ((now() + interval '7 days') AT TIME ZONE 'UTC')::date)")
    shop.sql(f"ALTER TABLE orders DETACH PARTITION {place}")
    shop.sql(f"ALTER TABLE {place} RENAME TO taken_away")
    prometheus.wait_firing("DocketPartitionsMissing")
    follow(shop, "DocketPartitionsMissing")
    shop.sql("INSERT INTO orders SELECT * FROM taken_away; DROP TABLE taken_away")
    prometheus.wait_quiet("DocketPartitionsMissing")
    shop.wait_status(shop.post_until_told().id, "fulfilled", deadline_s=40)


class Customers:
    """Orders on and on, whatever is answered, until the end."""

    def __init__(self, shop):
        self.shop, self.ending = shop, threading.Event()
        self.threads = [threading.Thread(target=self._order, daemon=True) for _ in range(3)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join(40)

    def _order(self):
        while not self.ending.wait(0.05):
            self.shop.post_until_told(deadline_s=30)


def test_who_holds_a_lock_on_orders_and_sleeps_is_ended(watched):
    shop, prometheus = watched
    stranger = shop.services.connect(shop.database)
    stranger.cursor().execute("LOCK TABLE orders IN SHARE MODE")
    with Customers(shop):
        prometheus.wait_firing("DocketAcceptUnknown", 60)
        said = follow(shop, "DocketAcceptSlow")
        assert "LOCK TABLE orders" in said, said
        prometheus.wait_firing("DocketAcceptSlow", 60)
        prometheus.wait_quiet("DocketAcceptSlow", 60)
        prometheus.wait_quiet("DocketAcceptUnknown", 60)
    stranger.close()


def test_a_queue_that_a_policy_limits_takes_messages_again(watched):
    shop, prometheus = watched
    shop.stop("payment")
    rabbitmq.control(shop.home, "set_policy", "-p", shop.vhost, "limit", "^docket.payment$",
                     '{"max-length": 1}', "--apply-to", "queues")
    told = [shop.post_until_told() for _ in range(8)]
    prometheus.wait_firing("DocketBrokerRefuses", 60)
    assert "limit" in follow(shop, "DocketBrokerRefuses")
    shop.start("payment")
    prometheus.wait_quiet("DocketBrokerRefuses", 60)
    for one in told:
        shop.wait_status(one.id, "fulfilled", deadline_s=40)


def test_a_certificate_that_ends_soon_is_renewed(watched, tmp_path):
    shop, prometheus = watched
    give(shop, make_pair(str(tmp_path), "soon", days=3))
    shop.restart("api", env=TLS)
    prometheus.wait_firing("DocketCertificateExpires", 90)
    give(shop, make_pair(str(tmp_path), "renewed", days=90))
    follow(shop, "DocketCertificateExpires", shop.pid("api"))
    prometheus.wait_quiet("DocketCertificateExpires")
    shop.restart("api")


def test_a_program_that_starts_again_and_again_is_noticed(watched):
    shop, prometheus = watched

    def is_noticed():
        shop.restart("fulfilment")
        return "DocketCrashing" in prometheus.firing()

    wait_for(is_noticed, 40, "DocketCrashing fires")
    assert "0 fail" in follow(shop, "DocketCrashing")
    prometheus.wait_quiet("DocketCrashing", 60)


def test_the_walk_has_left_nothing_wrong(watched):
    shop, prometheus = watched
    wait_for(lambda: prometheus.firing() == set(), 40, "all is quiet", every_s=0.2)
    shop.books().must_balance()


def test_rules_are_the_same_but_for_their_durations():
    rule = "expr: max(docket_outbox_oldest_seconds) > 60 and rate(x[5m]) > 60\nfor: 1m\n"
    must(scaled(rule, 60),
         "expr: max(docket_outbox_oldest_seconds) > 1 and rate(x[5s]) > 60\nfor: 1000ms\n", "scaled")
