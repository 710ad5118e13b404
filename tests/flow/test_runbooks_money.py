"""The walk through docs/runbooks.md, what is open about money: the provider and the carrier, dead letters, differences
(test_runbooks_edge.py says how)."""
import json
import re

import pytest

from harness import must, wait_for
from harness.letters import make_letters
from harness.outcomes import WORKER, begun, post, wait_dead
from harness.relay import tell
from harness.walk import IS_ASAN, lend_walk

pytestmark = pytest.mark.skipif(IS_ASAN, reason="Prometheus and the shell are what is tested")
OFTEN = WORKER | {"DOCKET_ORPHAN_EVERY_S": 1, "DOCKET_ORPHAN_AGE_S": 0, "DOCKET_ORPHAN_HOURS": 1}


@pytest.fixture(scope="module")
def walk(docket):
    docket.open_shop(payment=OFTEN, fulfilment=WORKER)
    yield from lend_walk(docket, payment=OFTEN, fulfilment=WORKER)


@pytest.fixture(autouse=True)
def leave_no_faults(walk):
    yield
    walk.shop.no_faults()


def test_what_an_outage_left_unknown_is_looked_up_until_there_is_evidence(walk):
    shop = walk.shop
    paid = post(shop)
    shop.wait_status(paid, "fulfilled")
    shop.fault("refund", "act_then_hang")
    shop.docket("order", "refund", paid, "--reason", "a courtesy")
    wait_for(lambda: begun(shop, "refund") == 1, 20, "the refund is asked for")
    shop.fault("confirm", "act_then_reset")
    shop.fault("retrieve", "reset")
    unknown = post(shop)
    walk.fires("DocketPaymentsUnknown", "DocketRefundsUnknown", "DocketOutsideFailing")
    walk.shows("DocketPaymentsUnknown", "pi_")
    walk.shows("DocketRefundsUnknown", r"\|7020\|EUR\|")
    walk.shows("DocketOutsideFailing", r"^1\|\w+\|1$", r"^4\|\w+\|1$", "1 payment, the oldest for", "1 refund, the oldest for")
    shop.no_faults()  # the provider is back
    walk.quiet("DocketPaymentsUnknown", "DocketRefundsUnknown", "DocketOutsideFailing")
    shop.wait_status(unknown, "fulfilled")
    wait_for(lambda: shop.one("SELECT min(state) FROM refund") == 5, 20, "the refund is made")


def test_a_message_that_cannot_be_read_is_seen(walk):
    """It names no order: the broker gives it up, the relay keeps it, and a person closes it."""
    tell(walk.shop, b"not a message of ours")
    walk.fires("DocketDeadLetters")
    assert "unreadable_message" in walk.shop.docket("dead", "list")
    walk.shop.docket("dead", "discard", "code:unreadable_message", "--reason", "not ours", "--yes")


def test_dead_letters_are_seen_and_replayed_and_a_run_that_stopped_is_resumed(walk):
    """One of today, which DocketDeadLetters sees; some that nobody looked at for two days; a replay while the cause
    is there."""
    shop = walk.shop
    shop.fault("confirm", "wrong_amount")
    fresh = post(shop)
    wait_dead(shop, fresh)
    make_letters(shop, 5)
    shop.sql("UPDATE dead_letter SET created_at = now() - interval '2 days' WHERE fault_code = 'provider_away'")
    run = json.loads(shop.docket("dead", "replay", "code:provider_away", "--reason", "too early", "--yes", "--json"))["id"]
    walk.fires("DocketDeadLetters", "DocketDeadLettersForgotten", "DocketReplayStopped")
    assert "provider_away" in walk.follow("DocketDeadLettersForgotten")
    shop.no_faults()
    said = walk.follow("DocketReplayStopped")
    assert "stopped" in said and "integrity_failure" in said, said
    wait_for(lambda: shop.one("SELECT state FROM replay_run WHERE id = %s", run) == "done", 20, "the run is over")
    for _ in range(2):  # of the first step of the run, and today's
        assert "integrity_failure" in walk.follow("DocketDeadLetters")
    must(shop.one("SELECT count(*) FROM dead_letter WHERE state = 'open'"), 0, "dead letters that are left")
    shop.wait_status(fresh, "fulfilled")
    walk.quiet("DocketDeadLettersForgotten", "DocketDeadLetters")


def test_a_provider_that_was_paused_and_forgotten_is_resumed(walk):
    shop = walk.shop
    shop.docket("pause", "stripe", "--reason", "maintenance")
    walk.fires("DocketBreakerOpen")  # by now the workers know, too
    told = post(shop)
    walk.fires("DocketTasksParked")
    said = walk.follow("DocketTasksParked")
    assert "maintenance" in said and re.search(r"^1\|1\|", said, re.M), said
    walk.follow("DocketBreakerOpen")
    walk.quiet("DocketTasksParked", "DocketBreakerOpen")
    shop.wait_status(told, "fulfilled", deadline_s=40)


def test_books_that_differ_are_settled_by_hand(walk):
    """Somebody has taken money at the provider, past us."""
    shop = walk.shop
    shop.books().must_balance()
    answer = shop.sandbox.request(
        "POST", "/v1/payment_intents", "amount=500&currency=eur&payment_method=pm_card_visa&confirm=true",
        {"Authorization": "Bearer sk_test", "Content-Type": "application/x-www-form-urlencoded"})
    must(answer.status, 200, answer)
    walk.fires("DocketOrphans")
    assert answer.json["id"] in walk.follow("DocketOrphans")
    walk.quiet("DocketOrphans")


def test_books_that_nobody_compared_are_compared_once_a_worker_runs(walk):
    """The time that has passed since is put into the books; that no worker runs is so."""
    shop = walk.shop
    shop.stop("payment")
    shop.sql("UPDATE orphan_sweep SET ended_at = now() - interval '3 hours'")
    walk.fires("DocketOrphanSweepLate")
    assert "workers" in walk.follow("DocketOrphanSweepLate")
    walk.follow("DocketNoWorker")
    walk.quiet("DocketOrphanSweepLate")


def test_the_walk_has_left_nothing_wrong(walk):
    walk.all_quiet()
