"""Old months go as a whole, only when all in them is settled, and nobody waits for it."""
import json
import threading
import time

import pytest

from docket_local import order
from docket_local.problem import Problem
from harness import must, wait_for
from harness.client import new_key
from harness.months import copy_to, make_month, month_ago, tables_of
from harness.outcomes import open_quick_shop, post, post_many, wait_all

KEPT = 3
OLD, KEPT_MONTH = month_ago(KEPT + 1), month_ago(KEPT)
ENV = {"DOCKET_RETENTION_MONTHS": str(KEPT)}
PAUSE_MAX_S = 2.5  # between two orders of one client; a lock that stops inserts is seen as more


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    return open_quick_shop(docket)


@pytest.fixture(autouse=True)
def begin_with_two_empty_months(shop):
    for month in (OLD, KEPT_MONTH):
        make_month(shop, month)
    yield
    for month in (OLD, KEPT_MONTH):
        for table in tables_of(shop, month):
            shop.sql(f"DROP TABLE {table}")
    shop.sql("DELETE FROM order_key k WHERE NOT EXISTS (SELECT FROM orders o WHERE o.id = k.order_id)")
    shop.sql("UPDATE dead_letter SET state = 'discarded'; DELETE FROM dead_letter")


def month_text(month):
    return month.strftime("%Y-%m")


def retire(docket, *arguments, env=None):
    return json.loads(docket.docket("migrate", "retire", "--json", *arguments, env=env or ENV))


def old_orders(docket, count=3):
    """Fulfilled orders, with copies in the old month and in one that is kept."""
    orders = post_many(docket, count)
    wait_all(docket, orders, "fulfilled")
    return ([copy_to(docket, OLD, public, number=n) for n, public in enumerate(orders)],
            [copy_to(docket, KEPT_MONTH, public, number=n) for n, public in enumerate(orders)])


def test_a_settled_month_goes_with_its_keys_and_no_other(shop):
    old, kept = old_orders(shop)
    must(retire(shop, env={"DOCKET_RETENTION_MONTHS": "0"}), [], "what goes when all is kept")
    said = retire(shop)
    must([(one["month"], one["fate"], one["keys"]) for one in said],
         [(month_text(OLD), "gone", len(old))], "what went")
    must(tables_of(shop, OLD), [], "its tables")
    must(len(tables_of(shop, KEPT_MONTH)), shop.one("SELECT count(*) FROM month_parents()"),
         "tables of the month that is kept")
    uuids = [order.to_uuid(public) for public in old + kept]
    must(shop.one("SELECT count(*) FROM order_key WHERE order_id = ANY (%s::uuid[])", uuids),
         len(kept), "keys")
    must(shop.read.get(f"/v1/orders/{old[0]}").status, 404, "an order that is gone")
    must(shop.read.get(f"/v1/orders/{kept[0]}").status, 200, "one that is kept")
    must(shop.sql("SELECT act, target, reason FROM audit WHERE act = 'retire' ORDER BY id DESC LIMIT 1"),
         [("retire", "month " + month_text(OLD), f"older than DOCKET_RETENTION_MONTHS={KEPT}")],
         "the audit")
    shop.docket("audit", "verify")
    must(retire(shop), [], "a second time")
    wait_all(shop, [post(shop)], "fulfilled")


def test_a_key_that_is_forgotten_is_new_again_and_until_then_is_replayed(shop):
    told, key = shop.post_order(), new_key()
    wait_all(shop, [told.id], "fulfilled")
    old = copy_to(shop, OLD, told.id, key=key)
    again = shop.post_order(told.body, key)
    must((again.status, again.id), (202, old), "a key of the old month, while it is there")
    retire(shop)
    new = shop.post_order(told.body, key)
    must(new.status, 202, "the same key afterwards")
    assert new.id not in (old, told.id) and "Idempotent-Replayed" not in new.answer.headers
    must(shop.post_order(told.body, told.key).id, told.id, "a key of this month")


HOLDS = {
    "not final": "UPDATE orders SET final = false, status = 2 WHERE id = %s",
    "a task that is not done": "UPDATE task SET state = 1 WHERE order_id = %s AND stage = 2",
    "a payment that is not settled": "UPDATE payment_attempt SET state = 6 WHERE order_id = %s",
    "stock that is still held": "UPDATE reservation SET state = 1 WHERE order_id = %s",
    "an open dead letter":
        "INSERT INTO dead_letter (order_id, stage, fingerprint, fault_kind, fault_code, fault_text, "
        "attempts, crashes, amount, currency, history) VALUES "
        "(%s, 1, '', 'broken', 'x', '', 1, 0, 1, 'EUR', '[]')",
}


@pytest.mark.parametrize("what", HOLDS)
def test_what_is_not_settled_holds_its_month_and_is_named(shop, what):
    old, _ = old_orders(shop, 1)
    shop.sql(HOLDS[what], order.to_uuid(old[0]))
    said = retire(shop)
    must([(one["fate"], [(hold["what"], hold["orders"], order.to_public(hold["example"]))
                         for hold in one["holds"]]) for one in said],
         [("held", [(what, 1, old[0])])], "what became of the month")
    assert f"{month_text(OLD)} stays: 1 with {what}" in shop.docket("migrate", "months", env=ENV)
    must(shop.read.get(f"/v1/orders/{old[0]}").status, 200, "its order")
    must(shop.one("SELECT count(*) FROM order_key WHERE order_id = %s", order.to_uuid(old[0])), 1,
         "its key")


def test_what_comes_in_while_it_goes_puts_the_month_back(shop):
    """Settled when it was asked, not any more when nobody can reach it."""
    old, _ = old_orders(shop, 1)
    step, place, statement = shop.one("SELECT step, place, statement FROM month_step(%s)", OLD)
    must((step, place), ("detach", f"orders_{OLD:%Y_%m}"), "the first step")
    shop.sql("UPDATE payment_attempt SET state = 6 WHERE order_id = %s", order.to_uuid(old[0]))
    shop.sql(statement)
    must(shop.read.get(f"/v1/orders/{old[0]}").status, 404, "its order, half gone")
    must([one["fate"] for one in retire(shop)], ["held"], "what became of the month")
    must(shop.read.get(f"/v1/orders/{old[0]}").status, 200, "its order, put back")
    shop.sql("UPDATE payment_attempt SET state = 3 WHERE order_id = %s", order.to_uuid(old[0]))
    must([one["fate"] for one in retire(shop)], ["gone"], "once it is settled")


def fill_month(shop, public, count):
    """That many orders more in the old month, as settled as that one."""
    source = order.to_uuid(public)
    for table, own in (("orders", "id"), ("task", "order_id"), ("payment_attempt", "order_id"), ("reservation", "order_id")):
        columns = ", ".join(name for (name,) in shop.sql(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
            "AND attname <> %s", table, own))
        shop.sql(f"INSERT INTO {table} ({own}, {columns}) SELECT (substr({own}::text, 1, 24) || lpad(n::text, 12, '0'))::uuid, "
                 f"{columns} FROM {table}, generate_series(1, %s) AS n WHERE {own} = %s", count, source)


def test_the_second_look_reads_no_table_as_a_whole(shop):
    """Its indexes are empty, and know of who unsettles the month; one that was interrupted is made anew."""
    old, _ = old_orders(shop, 1)
    fill_month(shop, old[0], 5000)
    shop.sql("UPDATE reservation SET state = 1 WHERE order_id = %s", order.to_uuid(old[0]))
    shop.sql("ANALYZE")
    steps = []
    while step := shop.sql("SELECT step, statement FROM month_index_step(%s)", OLD):
        shop.sql(step[0][1])
        steps.append(step[0][0])
        if len(steps) == 1:
            shop.sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", f"orders_{OLD:%Y_%m}_unsettled")
    must(steps, ["index", "unindex", "index", "index", "index"], "steps")
    looks = shop.sql("SELECT place, id, condition FROM month_unsettled(%s)", OLD)
    must(len(looks), 4, "looks")
    for place, own, condition in looks:
        plan = [line for (line,) in shop.sql(f"EXPLAIN SELECT DISTINCT {own} FROM {place} WHERE {condition} LIMIT 1000")]
        assert not any("Seq Scan" in line for line in plan), plan
    must([hold["what"] for one in retire(shop) for hold in one["holds"]], ["stock that is still held"], "what holds it")


class Orders(threading.Thread):
    """A client that orders on and on; the longest time between two answers."""

    def __init__(self, docket):
        super().__init__(daemon=True)
        self.docket, self.ending, self.count, self.longest_s, self.wrong = \
            docket, threading.Event(), 0, 0, None

    def run(self):
        last = time.monotonic()
        try:
            while not self.ending.wait(0.01):
                told = self.docket.post_order()
                assert told.status == 202, repr(told)
                self.longest_s = max(self.longest_s, time.monotonic() - last)
                last, self.count = time.monotonic(), self.count + 1
        except Exception as error:  # pylint: disable=broad-except; raised by must_have_gone_on
            self.wrong = error

    def must_have_gone_on(self):
        if self.wrong:
            raise self.wrong
        assert self.longest_s < PAUSE_MAX_S, f"orders stood still for {self.longest_s:.2f} s"


def test_orders_go_on_while_a_month_goes_behind_an_open_reader(shop):
    """The reader has looked at every month and keeps its transaction open, as a dump does: the
    month waits, an insert does not; once the reader is gone, the next run takes the month."""
    old_orders(shop)
    reader = shop.services.connect(shop.database)
    reader.set_session(isolation_level="REPEATABLE READ")
    with reader.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orders")
    client = Orders(shop)
    client.start()
    with pytest.raises(Problem, match="waits: somebody reads it"):
        shop.docket("migrate", "retire", "--wait", "3s", env=ENV)
    before = client.count
    wait_for(lambda: client.count > before + 20 or client.wrong, 20, "twenty orders more")
    assert "going" in shop.docket("migrate", "months", env=ENV)
    reader.rollback()
    must([one["fate"] for one in retire(shop)], ["gone"], "the next run")
    client.ending.set()
    client.join(20)
    reader.close()
    client.must_have_gone_on()
    must(tables_of(shop, OLD), [], "its tables")


def slow_autovacuum(shop, month):
    """Autovacuum in that month's orders, minutes from its end."""
    table = f"orders_{month:%Y_%m}"
    shop.sql(f"ALTER TABLE {table} SET (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1, "
             "autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0)")
    for _ in range(300):
        shop.sql(f"UPDATE {table} SET updated_at = now()")
    return lambda: shop.one("SELECT count(*) FROM pg_stat_progress_vacuum WHERE relid = %s::regclass", table)


def test_autovacuum_makes_way_for_a_month_that_goes(shop):
    old_orders(shop, 30)
    shop.services.admin("ALTER SYSTEM SET autovacuum_naptime = 1")
    shop.services.admin("SELECT pg_reload_conf()")
    try:
        wait_for(slow_autovacuum(shop, OLD), 60, "autovacuum at work in the old month")
        must([one["fate"] for one in retire(shop, "--wait", "20s")], ["gone"], "the month")
    finally:
        shop.services.admin("ALTER SYSTEM RESET autovacuum_naptime")
        shop.services.admin("SELECT pg_reload_conf()")


LOCK = "LOCK ONLY {} IN SHARE UPDATE EXCLUSIVE MODE"


def locker(shop, table):
    """A transaction of somebody else's that has locked the table; by itself it is over after a minute."""
    link = shop.services.connect(shop.database)
    with link.cursor() as cursor:
        cursor.execute("SET deadlock_timeout = '60s'; SET statement_timeout = '60s'; "
                       "SET idle_in_transaction_session_timeout = '60s'; " + LOCK.format(table))
    return link


def wait_queued(shop, count, what):
    wait_for(lambda: count == shop.one(
        "SELECT count(*) FROM pg_locks WHERE relation = 'orders'::regclass AND NOT granted"), 20, what)


def retire_in_a_circle(shop):
    """Somebody holds the month's table and wants its parent; the command, queued before them, gets the parent and wants
    the table.  It finds the deadlock long before they would."""
    if not tables_of(shop, OLD):
        make_month(shop, OLD)
    old_orders(shop, 1)
    said = []
    first, other = locker(shop, "orders"), locker(shop, f"orders_{OLD:%Y_%m}")
    command = threading.Thread(target=lambda: said.extend(retire(shop)), daemon=True)
    waiter = threading.Thread(target=other.cursor().execute, args=(LOCK.format("orders"),), daemon=True)
    command.start()
    wait_queued(shop, 1, "the command waits for the parent")
    waiter.start()
    wait_queued(shop, 2, "the other one behind it")
    first.close()
    waiter.join(20)
    other.close()
    command.join(60)
    return [one["fate"] for one in said]


def deadlocks(shop):
    """Those that the command has ended; a relay may have its own meanwhile."""
    with open(shop.home.log("postgres"), encoding="utf-8", errors="replace") as file:
        return file.read().count(f" docket_owner@{shop.database} ERROR:  deadlock detected")


def test_who_ends_a_deadlock_tries_again(shop):
    """The command gives way after 200 ms: if the scene took longer the other one had the parent first, and there was no
    deadlock."""
    before = deadlocks(shop)

    def was_ended():
        must(retire_in_a_circle(shop), ["gone"], "the month")
        return deadlocks(shop) > before

    wait_for(was_ended, 120, "a deadlock")


def test_two_at_once_are_one(shop):
    old_orders(shop, 1)
    shop.sql("SELECT pg_advisory_lock(hashtext('docket migrate retire'))")
    with pytest.raises(Problem, match="another docket migrate retire is at work"):
        shop.docket("migrate", "retire", env=ENV)
    shop.sql("SELECT pg_advisory_unlock(hashtext('docket migrate retire'))")
    must([one["fate"] for one in retire(shop)], ["gone"], "then")
