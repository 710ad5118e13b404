"""The walk through docs/runbooks.md, the relay, the broker and the workers (test_runbooks_edge.py says how)."""
import pytest

from docket_local import rabbitmq
from harness import must, wait_for
from harness.outcomes import post_many, wait_all
from harness.relay import outbox_is_empty, queue_count
from harness.walk import IS_ASAN, lend_walk

pytestmark = pytest.mark.skipif(IS_ASAN, reason="Prometheus and the shell are what is tested")
SWEEPS_SOON = {"DOCKET_SWEEP_S": 1}


@pytest.fixture(scope="module")
def walk(docket):
    docket.open_shop(relay=SWEEPS_SOON)
    yield from lend_walk(docket, relay=SWEEPS_SOON)


def test_a_relay_that_died_is_started(walk):
    shop = walk.shop
    shop.kill("relay")
    told = shop.post_order()
    must(told.status, 202, "accepting without a relay")
    walk.fires("DocketNoRelayLeads", "DocketDown")
    walk.follow("DocketNoRelayLeads")
    walk.quiet("DocketNoRelayLeads", "DocketDown")
    shop.wait_status(told.id, "fulfilled")


def test_a_program_that_does_not_answer_is_started(walk):
    walk.shop.kill("relay")
    walk.fires("DocketDown")
    walk.follow("DocketDown")
    walk.quiet("DocketDown")


def test_a_broker_that_blocks_is_given_memory(walk):
    shop = walk.shop
    shop.services.broker_alarm(True)
    told = shop.post_order()
    must(told.status, 202, "accepting with a blocked broker")
    walk.fires("DocketBrokerBlocked", "DocketOutboxOld")
    assert "outbox" in walk.follow("DocketOutboxOld")
    walk.follow("DocketBrokerBlocked")
    walk.quiet("DocketBrokerBlocked", "DocketOutboxOld")
    shop.wait_status(told.id, "fulfilled")


def test_a_broker_that_is_down_is_started(walk):
    shop = walk.shop
    shop.services.broker_kill()
    told = shop.post_until_told()
    walk.fires("DocketBrokerAway")
    assert "docket.payment" in walk.follow("DocketBrokerAway")
    walk.quiet("DocketBrokerAway")
    shop.wait_status(told.id, "fulfilled", deadline_s=40)



def test_a_limited_queue_takes_messages_again_and_a_program_that_starts_often_is_noticed(walk):
    """Two faults that have nothing to do with one another, side by side; the step is without a worker besides."""
    shop = walk.shop
    shop.stop("payment")
    rabbitmq.control(shop.home, "set_policy", "-p", shop.vhost, "limit", "^docket.payment$",
                     '{"max-length": 1}', "--apply-to", "queues")
    orders = post_many(shop, 2)  # a quorum queue takes what comes at once, and refuses from when it is full
    wait_for(lambda: outbox_is_empty(shop) and queue_count(shop) > 0, 20, "the queue is full")
    orders += post_many(shop, 6)
    wait_for(lambda: shop.restart("fulfilment") or walk.is_firing("DocketCrashing"), 40, "DocketCrashing fires")
    walk.fires("DocketBrokerRefuses", "DocketNoWorker")
    walk.follow("DocketCrashing")
    assert "limit" in walk.follow("DocketBrokerRefuses")
    walk.follow("DocketNoWorker")
    walk.quiet("DocketBrokerRefuses", "DocketNoWorker", "DocketCrashing")
    wait_all(shop, orders, "fulfilled", deadline_s=40)


def in_flight(shop, count, crashes):
    """At a worker that has taken them over so often: those of a dead one are still his until then."""
    wait_for(lambda: shop.one("SELECT count(*) FROM task WHERE state = 2 AND stage = 1 AND crashes = %s", crashes) >= count,
             20, f"{count} payments are under way")


def test_messages_that_were_purged_are_swept_and_workers_that_die_are_noticed(walk):
    """More than ten messages are thrown away; then a worker dies twice with more than twenty payments in flight.
    None of them ends before somebody has looked."""
    shop = walk.shop
    shop.stop("payment")
    orders = post_many(shop, 24)
    wait_for(lambda: outbox_is_empty(shop) and queue_count(shop) == 24, 20, "all are handed out")
    rabbitmq.control(shop.home, "purge_queue", "-p", shop.vhost, "docket.payment")
    walk.fires("DocketSweeps")
    assert "docket.payment" in walk.follow("DocketSweeps")
    for asked in ("confirm", "retrieve"):  # whoever takes a payment over looks it up first
        shop.fault(asked, "delay", ms=20000)
    for crashes in range(2):
        walk.start("payment")
        in_flight(shop, 21, crashes)
        shop.kill("payment")
    walk.start("payment")
    walk.fires("DocketPoison")  # perhaps since the first death
    wait_for(lambda: shop.one("SELECT count(*) FROM task WHERE crashes > 1") > 0, 20, "a task has seen two die")
    said = walk.follow("DocketPoison")
    assert "|2" in said, said
    shop.no_faults()
    wait_all(shop, orders, "fulfilled", deadline_s=120)
    walk.quiet("DocketSweeps", "DocketPoison")


def test_a_forgotten_session_that_holds_orders_is_found_and_ended(walk):
    """Their retry is late, since the relay passes over what somebody holds."""
    shop = walk.shop
    shop.fault("create", "unavailable")
    public = shop.post_until_told().id
    wait_for(lambda: shop.one("SELECT count(*) FROM task WHERE state = 3") == 1, 20, "a task that waits")
    stranger = shop.services.connect(shop.database)
    stranger.cursor().execute("SELECT FROM orders WHERE NOT final FOR UPDATE")
    shop.no_faults()
    shop.post_until_told()  # its row of the outbox is what the floor waits at
    walk.fires("DocketTasksLate", "DocketTransactionHeldOpen")
    assert walk.follow("DocketTasksLate").startswith("1|")
    wait_for(lambda: shop.one("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' "
                              "AND state_change < now() - interval '10 seconds'") > 0, 20, "it is old")
    assert "FOR UPDATE" in walk.follow("DocketTransactionHeldOpen")
    walk.quiet("DocketTasksLate", "DocketTransactionHeldOpen")
    shop.wait_status(public, "fulfilled", deadline_s=40)
    stranger.close()


def test_the_walk_has_left_nothing_wrong(walk):
    walk.all_quiet()
    walk.shop.books().must_balance()
