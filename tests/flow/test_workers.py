"""Workers that stop, die, freeze and meet; each test ends in the comparison of the three books."""
import os
import time
import uuid
from collections import Counter

import pytest

from docket_local import order
from harness import must, wait_for
from harness.outcomes import (available, dead_letter, facts, kinds, open_quick_shop, post,
                              post_many, task, wait_all, wait_dead)
from harness.relay import queue_count, tell


LEASE_S = 10


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    return open_quick_shop(docket)


@pytest.fixture(autouse=True)
def begin_with_one_worker(shop):
    """… that talks to a provider without faults."""
    yield
    shop.no_faults()
    for label in [label for label in shop.processes if label.startswith("payment")]:
        shop.thaw(label)
        if label != "payment":
            shop.stop(label)
    if "payment" not in shop.processes:
        start(shop, "payment")


def start(shop, label, **env):
    from harness.outcomes import WORKER
    shop.start("payment", label=label, env=WORKER | env)


def open_calls(shop):
    answer = shop.sandbox.get("/sandbox/calls")
    must(answer.status, 200, answer)
    return answer.json["open"]


def begun(shop, op):
    return shop.sandbox.get("/sandbox/calls").json["begun"][op]


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def test_five_hundred_calls_are_open_at_once_in_six_threads(shop):
    """500 confirms that take 5 s each are open at one moment, and end soon.  Three of the threads are those
    of the connections to the broker: one a queue."""
    shop.restart("payment", env={"DOCKET_PROVIDER_TIMEOUT_MS": 20000})
    shop.freeze("payment")
    orders = post_many(shop, 500)
    shop.fault("confirm", "delay", ms=5000)
    shop.thaw("payment")
    wait_for(lambda: open_calls(shop) == 500, 20, "500 open calls", every_s=0.05)
    began = time.monotonic()
    assert threads(shop.pid("payment")) <= 6, threads(shop.pid("payment"))
    wait_all(shop, orders, "fulfilled")
    assert time.monotonic() - began < 20, "the machine is busy, but 500 after one another would be 2,500 s"
    must(len(facts(shop, "charge", *orders)), 500, "charges")
    shop.books().must_balance()


def test_sigterm_with_open_calls_ends_in_time_counts_nothing_and_loses_nothing(shop):
    shop.restart("payment", env={"DOCKET_PROVIDER_TIMEOUT_MS": 20000})
    shop.fault("confirm", "act_then_hang", times=20)
    orders = post_many(shop, 40)
    wait_for(lambda: open_calls(shop) >= 20, 10, "20 open calls")
    began = time.monotonic()
    shop.stop("payment")
    assert time.monotonic() - began < 10, "SIGTERM took ten seconds"
    for public in orders:
        state, attempts, crashes, _ = task(shop, public)
        must((attempts, crashes), (0, 0), f"attempts and crashes of {public}")
        assert state in ("ready", "waiting", "done"), state
    start(shop, "payment")
    wait_all(shop, orders, "fulfilled")
    must(len(facts(shop, "charge", *orders)), 40, "charges")
    shop.books().must_balance()


def test_pretix_1189_who_takes_over_from_a_worker_that_was_killed_uses_its_key(shop):
    """kill -9 while 20 confirms are open, half of them done: another worker has them before their lease has passed.
    (A key is another one once the provider has surely ended the call: that must not be while this goes on.)"""
    patient = {"DOCKET_PROVIDER_LONGEST_MS": 120000}
    shop.restart("payment", env={"DOCKET_PROVIDER_TIMEOUT_MS": 20000} | patient)
    shop.fault("confirm", "act_then_hang", times=10)
    shop.fault("confirm", "hang", times=10)
    orders = post_many(shop, 20)
    wait_for(lambda: open_calls(shop) == 20, 10, "20 open calls")
    start(shop, "payment2", **patient)
    shop.kill("payment")
    wait_for(lambda: all(task(shop, public)[2] == 1 for public in orders), LEASE_S - 2,
             "each was taken over, and says so")
    wait_all(shop, orders, "fulfilled")
    charges = facts(shop, "charge", *orders)
    must(len(charges), 20, "charges")
    must(sum(fact["key"].endswith("-confirm-1") for fact in charges), 20, "charged under one key")
    shop.books().must_balance()


def test_a_worker_that_slept_past_its_lease_writes_nothing(shop):
    shop.restart("payment", env={"DOCKET_PROVIDER_TIMEOUT_MS": 30000})
    shop.fault("confirm", "delay", ms=4000, times=1)
    public = post(shop)
    wait_for(lambda: open_calls(shop) == 1, 10, "an open call")
    shop.freeze("payment")
    sleeper = f"payment-{shop.pid('payment')}"
    start(shop, "payment2")
    shop.wait_status(public, "fulfilled", deadline_s=40)
    version = shop.one("SELECT version FROM orders WHERE id = %s", order.to_uuid(public))
    took_over = [name for _, kind, _, name in shop.events(public) if kind == "payment_started"]
    assert took_over[0] == sleeper and took_over[1] != sleeper, took_over
    shop.thaw("payment")
    wait_for(lambda: "the worker's lease has lapsed" in shop.log("payment") or
             shop.log("payment").count("worker_began") > 1, 10, "it notices")
    wait_for(lambda: metric(shop, "payment", 'docket_worker_jobs{stage="payment"}') == 0, 10, "it lets go")
    must(shop.one("SELECT version FROM orders WHERE id = %s", order.to_uuid(public)), version,
         "the version after the sleeper woke")
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()


def metric(shop, label, name):
    from harness import Client
    port = shop.processes[label].world.ports["payment"]
    for line in Client(port).get("/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise AssertionError(f"no metric {name}")


def kill_at_its_payment(shop, public, crashes):
    """The worker dies while it asks the provider about this order; the next one waits long for an answer."""
    wait_for(lambda: task(shop, public)[:3:2] == ("running", crashes), 20,
             f"{public} is in hand with {crashes} crashes")
    wait_for(lambda: open_calls(shop) >= 1, 20, "its call is open")
    shop.kill("payment")
    start(shop, "payment", DOCKET_PROVIDER_TIMEOUT_MS=20000)


def test_a_task_that_kills_its_worker_runs_alone_then_becomes_a_dead_letter(shop):
    shop.restart("payment", env={"DOCKET_PROVIDER_TIMEOUT_MS": 20000})
    shop.freeze("payment")
    poison = post(shop)
    shop.fault("create", "hang", order=poison)
    shop.thaw("payment")
    kill_at_its_payment(shop, poison, 0)
    beside = post(shop)
    shop.wait_status(beside, "fulfilled")  # it does not yet run alone
    kill_at_its_payment(shop, poison, 1)
    wait_for(lambda: task(shop, poison)[:3:2] == ("running", 2), 20, "the third time")
    wait_for(lambda: open_calls(shop) == 1, 20, "its call is open")
    innocent = post_many(shop, 5)
    wait_for(lambda: queue_count(shop) == 0, 20, "the worker has the messages of the others")
    must({task(shop, public)[0] for public in innocent}, {"ready"}, "the others, meanwhile")
    shop.kill("payment")
    start(shop, "payment")
    wait_all(shop, innocent, "fulfilled")
    must({task(shop, public)[2] for public in innocent}, {0}, "crashes of the others")
    kill_at_its_payment(shop, poison, 3)
    wait_dead(shop, poison)
    must(dead_letter(shop, poison)[:3], (1, "broken", "crashes_worker"), "the fault")
    must(facts(shop, "charge", poison), [], "charges of the poison")
    shop.books().must_balance()


def test_vendure_4930_a_hot_article_is_sold_just_as_often_as_it_is_there(shop):
    """300 orders for 100 pieces, two workers.  Also magento 6363, saleor 543, nopCommerce 4184."""
    shop.sql("UPDATE stock SET available = 100 WHERE sku = 'CUP-PORC-2'")
    shop.stock["CUP-PORC-2"] = 100
    start(shop, "payment2")
    orders = post_many(shop, 300, lines=[{"sku": "CUP-PORC-2", "quantity": 1}],
                       expected_total={"amount": 2290, "currency": "EUR"})
    wait_all(shop, orders, "fulfilled", "canceled")
    ends = [shop.status(public) for public in orders]
    must((ends.count("fulfilled"), ends.count("canceled")), (100, 200), "fulfilled and canceled")
    must(available(shop, "CUP-PORC-2"), 0, "pieces left")
    must(len(facts(shop, "intent", *orders)), 100, "orders that were asked for money")
    assert "deadlock" not in shop.log("payment") + shop.log("payment2")
    shop.books().must_balance()


def test_orders_of_several_articles_in_any_sequence_do_not_lock_each_other_out(shop):
    lines = [{"sku": "TEA-EARL-250", "quantity": 1}, {"sku": "POT-STONE-1L", "quantity": 1}]
    total = {"amount": 1290 + 3950 + 490, "currency": "EUR"}
    start(shop, "payment2")
    orders = [public for turn in (lines, lines[::-1], lines)
              for public in post_many(shop, 50, lines=turn, expected_total=total)]
    wait_all(shop, orders, "fulfilled")
    assert "deadlock" not in shop.log("payment") + shop.log("payment2")
    shop.books().must_balance()


def test_spree_4499_two_workers_with_messages_of_one_task_pay_once(shop):
    """Who comes second finds it claimed, whichever way he came."""
    start(shop, "payment2")
    shop.fault("confirm", "delay", ms=300)
    orders = post_many(shop, 20)
    for public in orders:
        tell(shop, {"order": order.to_uuid(public), "stage": "payment", "outbox": 1}, times=5)
    wait_all(shop, orders, "fulfilled")
    for public in orders:
        must(kinds(shop, public).count("payment_started"), 1, f"claims of {public}")
    must(len(facts(shop, "charge", *orders)), 20, "charges")
    wait_for(lambda: queue_count(shop) == 0, 20, "every message is acked")
    shop.books().must_balance()


def test_a_message_for_an_order_that_is_not_there_is_let_go(shop):
    tell(shop, {"order": str(uuid.UUID(int=7)), "stage": "payment", "outbox": 1})
    shop.wait_status(post(shop), "fulfilled")
    wait_for(lambda: queue_count(shop) == 0, 20, "an empty queue")
    must(queue_count(shop, "docket.dead"), 0, "messages of docket.dead")


@pytest.mark.parametrize("body", (b"", b"{", b"[]", b'{"order":"x","stage":"payment"}',
                                  b'{"order":"00000000-0000-7000-8000-000000000000"}',
                                  b'{"order":"00000000-0000-7000-8000-000000000000",'
                                  b'"stage":"fulfilment"}'))
def test_a_message_that_cannot_be_read_becomes_a_dead_letter(shop, body):
    before = shop.one("SELECT count(*) FROM dead_letter WHERE order_id IS NULL")
    tell(shop, body)
    wait_for(lambda: shop.one("SELECT count(*) FROM dead_letter WHERE order_id IS NULL") >
             before, 10, "a dead letter that names no order")
    shop.wait_status(post(shop), "fulfilled")


def test_magento_25862_sessions_that_are_cut_lose_nothing_that_was_charged(shop):
    """Every database session of the workers is cut, again and again, while the provider is asked:
    the order, the charge and the shipment are there, once.  Also magento 31967, 29963, 18752."""
    start(shop, "payment2")
    shop.fault("confirm", "delay", ms=100)
    orders = []
    for _ in range(6):
        orders += post_many(shop, 25)
        shop.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                 "WHERE usename = 'docket_worker' AND datname = current_database()")
    wait_all(shop, orders, "fulfilled", deadline_s=60)
    must(len(facts(shop, "charge", *orders)), len(orders), "charges")
    must(len(facts(shop, "shipment", *orders)), len(orders), "shipments")
    shop.books().must_balance()


def test_a_claim_is_of_the_lease_it_was_sent_under(shop, services):
    """A claim that is asked for under one lease and, after a crash of Postgres, committed under the
    next: the job that it begins is that lease's.  (Else it would be given up when something else
    moves its order, here a flag, while everybody sees it in living hands.)"""
    def waiting():
        return [pid for pid, in shop.sql(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND "
            "usename = 'docket_worker' AND wait_event_type = 'Lock'")]

    def lease():
        return shop.sql("SELECT id::text FROM worker WHERE stage = 1 AND NOT worker_gone(id)")

    who = {"customer": {"email": "twice@example.com", "name": "Ada"}}
    shop.restart("payment", env={"DOCKET_DUPLICATE_WINDOW_S": 600})
    shop.wait_status(post(shop, **who), "fulfilled")
    shop.stop("payment")
    second = post(shop, **who)
    link = services.connect(shop.database)
    link.cursor().execute("SELECT FROM orders WHERE id = %s FOR UPDATE", [order.to_uuid(second)])
    start(shop, "payment", DOCKET_DUPLICATE_WINDOW_S=600)
    wait_for(waiting, 10, "a claim that waits")
    before = lease()
    shop.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'docket_worker' "
             "AND datname = current_database()")
    wait_for(lambda: lease() not in ([], before), 10, "another lease", every_s=0.02)
    under_either = wait_for(waiting, 10, "the claim waits again")
    shop.sql("SELECT pg_terminate_backend(%s)", under_either[0])
    wait_for(lambda: waiting() not in ([], under_either), 10, "the claim waits under this lease")
    link.close()
    shop.wait_status(second, "fulfilled")
    must([kind for kind in kinds(shop, second) if kind in ("possible_duplicate", "interrupted")],
         ["possible_duplicate"], "what came between")
    shop.books().must_balance()


def test_a_claim_that_waited_for_a_commit_knows_what_it_wrote(shop, services):
    """A reservation whose worker was cut off commits while its order is being claimed again: the
    claim must see the pieces that are held, or they are taken from the stock twice."""
    shop.stop("payment")
    told = shop.post_order()
    uuid_ = order.to_uuid(told.id)
    link = services.connect(shop.database)
    with link.cursor() as cursor:  # what a reservation writes
        cursor.execute("UPDATE orders SET version = version + 1, status = 2 WHERE id = %s", [uuid_])
        cursor.execute("UPDATE stock s SET available = available - l.quantity FROM order_line l "
                       "WHERE l.order_id = %s AND s.sku = l.sku", [uuid_])
        cursor.execute("INSERT INTO reservation (order_id, sku, quantity) "
                       "SELECT order_id, sku, quantity FROM order_line WHERE order_id = %s", [uuid_])
        cursor.execute("INSERT INTO payment_attempt (order_id, number, state, provider, method, "
                       "amount, currency) SELECT id, 1, 1, 'stripe', payment_method, total, currency "
                       "FROM orders WHERE id = %s", [uuid_])
        cursor.execute("INSERT INTO order_event (order_id, version, kind, status, process) "
                       "SELECT id, version, 'stock_reserved', status, 'test' FROM orders "
                       "WHERE id = %s", [uuid_])
    start(shop, "payment")
    wait_for(lambda: shop.one("SELECT count(*) FROM pg_stat_activity WHERE usename = "
                              "'docket_worker' AND wait_event_type = 'Lock' AND datname = "
                              "current_database()"), 10, "the claim waits for the order")
    link.commit()
    link.close()
    shop.wait_status(told.id, "fulfilled")
    must([kind for kind in kinds(shop, told.id) if kind == "stock_reserved"], ["stock_reserved"],
         "reservations")
    shop.books().must_balance()


def test_what_postgres_refuses_to_begin_is_claimed_alone_and_says_why(shop):
    """Its stock and its attempt are written in the transaction of its first claim; were that refused again
    and again the order would wait for ever, and nobody would know."""
    shop.freeze("payment")
    others, refused = post_many(shop, 10), post(shop)
    shop.sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
             f"IF NEW.order_id = '{order.to_uuid(refused)}' THEN RAISE check_violation USING MESSAGE = 'no'; "
             "END IF; RETURN NEW; END $$")
    shop.sql("CREATE TRIGGER refuse BEFORE INSERT ON reservation FOR EACH ROW EXECUTE FUNCTION refuse()")
    try:
        shop.thaw("payment")
        wait_all(shop, others, "fulfilled")
        wait_dead(shop, refused)
        must(dead_letter(shop, refused)[1:3], ("broken", "outcome_refused"), "its dead letter")
        must(facts(shop, "intent", refused), [], "what the provider was asked for")
    finally:
        shop.sql("DROP TRIGGER refuse ON reservation")
        shop.sql("DROP FUNCTION refuse")
    shop.docket("dead", "replay", f"order:{refused}", "--reason", "mended", "--yes")
    shop.wait_status(refused, "fulfilled")
    shop.books().must_balance()


def test_hints_that_are_put_off_leave_no_order_out(shop, services):
    """Each changes five times: by far more hints than are sent at once."""
    link = services.connect(shop.database)
    link.autocommit = True
    link.cursor().execute("LISTEN docket_orders")
    orders = post_many(shop, 100)
    wait_all(shop, orders, "fulfilled")
    named = Counter()

    def all_named():
        link.poll()
        for notice in link.notifies:
            named.update(notice.payload.split(","))
        link.notifies.clear()
        return all(named[order.to_uuid(public)] >= 5 for public in orders)

    wait_for(all_named, 10, "each hint has come")
    link.close()


@pytest.fixture(name="standby")
def lend_standby(services, shop):
    """A standby that each commit waits for: away() and back()."""
    class Standby:
        def away(self):
            self.name("nobody")
            waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            wait_for(lambda: shop.one(waits), 20, "somebody's lease waits for the standby")

        def back(self):
            self.name("")

        @staticmethod
        def name(names):
            services.admin(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
            services.admin("SELECT pg_reload_conf()")

    yield Standby()
    Standby.name("")


def cut_the_commit(shop, standby):
    """One of the worker's commits is in Postgres, and it never learns of it; its lease is left."""
    wait_for(lambda: shop.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND "
        "usename = 'docket_worker' AND datname = current_database() AND query !~ 'alive_until'"),
        20, "a commit that waits for the standby")
    standby.back()


def test_a_commit_that_the_worker_never_learns_of_is_found_again(shop, standby):
    """A claim with its reservation, and an outcome, by the same worker, which keeps its lease."""
    shop.sql("SET synchronous_commit = local")
    shop.freeze("payment")
    orders = post_many(shop, 10)
    shop.fault("create", "delay", ms=600)
    wait_for(lambda: shop.one("SELECT count(*) FROM outbox") == 0, 20, "all are published")
    standby.away()
    shop.thaw("payment")
    cut_the_commit(shop, standby)
    wait_for(lambda: open_calls(shop) >= 1, 20, "the provider is asked")
    standby.away()
    cut_the_commit(shop, standby)
    wait_all(shop, orders, "fulfilled")
    must({task(shop, public)[2] for public in orders}, {0}, "crashes: nobody took them over")
    must(len(facts(shop, "charge", *orders)), 10, "charges")
    shop.books().must_balance()


def test_a_postgres_that_takes_connections_and_writes_nothing_is_left_in_peace(shop):
    """A standby, say: the session is let in, and cannot write the row of its worker.  It is not
    tried ten times a second, and work goes on soon after it can be written."""
    def refusals():
        return shop.log("payment").count("read-only transaction")

    shop.sql(f"ALTER DATABASE {shop.database} SET default_transaction_read_only = on")
    try:
        shop.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = "
                 "'docket_worker' AND datname = current_database()")
        wait_for(lambda: refusals() > 0, 10, "the worker is refused", every_s=0.02)
        begun, before = time.monotonic(), refusals()
        wait_for(lambda: refusals() >= before + 15, 30, "five more tries of each of its three leases",
                 every_s=0.02)
        took_s = time.monotonic() - begun
        assert took_s > 0.8, f"fifteen tries within {took_s:.2f} s"
    finally:
        shop.sql(f"ALTER DATABASE {shop.database} RESET default_transaction_read_only")
    shop.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'docket_%%' "
             "AND datname = current_database() AND usename NOT IN ('docket_admin', 'docket_owner')")
    shop.wait_status(shop.post_until_told().id, "fulfilled")
