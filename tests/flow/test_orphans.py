"""The provider's books against ours, both ways: what is missing in either is found, and said."""
import contextlib
import json
import os
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from docket_local import order

from harness import must, wait_for
from harness.metrics import value
from harness.services import ROOT
from harness.outcomes import WORKER, attempt, facts, open_quick_shop, paying_with, post, wait_all

SWEEP = WORKER | {"DOCKET_ORPHAN_EVERY_S": 1, "DOCKET_ORPHAN_AGE_S": 0, "DOCKET_ORPHAN_HOURS": 1}
PLANT = """INSERT INTO payment_attempt (order_id, number, state, provider, method, amount, currency, intent_id)
           SELECT id, 2, 4, 'stripe', payment_method, total, currency, %s FROM orders WHERE id = %s"""
STRANGER = "ord_" + "0" * 26


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    return open_quick_shop(docket, **SWEEP)


@pytest.fixture(autouse=True)
def leave_no_faults(shop):
    yield
    shop.no_faults()


def make_intent(shop, public, amount=7020, confirm=False):
    answer = shop.sandbox.request(
        "POST", "/v1/payment_intents",
        f"amount={amount}&currency=eur&payment_method=pm_card_visa&confirm={str(confirm).lower()}"
        + (f"&metadata[order_id]={public}" if public else ""),
        {"Authorization": "Bearer sk_test", "Content-Type": "application/x-www-form-urlencoded"})
    must(answer.status, 200, answer)
    return answer.json["id"]


def cancel_intent(shop, intent):
    must(shop.sandbox.request("POST", f"/v1/payment_intents/{intent}/cancel", "", {
        "Authorization": "Bearer sk_test",
        "Content-Type": "application/x-www-form-urlencoded"}).status, 200, "cancel")


def orphans(shop):
    """side → intents that stand open"""
    found = {1: set(), 2: set(), 3: set()}
    for side, intent in shop.sql("SELECT side, intent_id FROM orphan WHERE resolved_at IS NULL"):
        found[side].add(intent)
    return found


def sweeps(shop):
    return shop.one("SELECT fence FROM orphan_sweep")


def after_a_whole_sweep(shop):
    """What is there now has been compared once it returns."""
    begun = shop.one("SELECT now()")
    wait_for(lambda: shop.one("SELECT begun_at > %s AND ended_at > begun_at FROM orphan_sweep", begun),
             30, "a whole sweep")


def test_books_that_agree_have_no_differences(shop):
    orders = [post(shop) for _ in range(5)] + [post(shop, **paying_with("pm_card_visa_chargeDeclined"))]
    wait_all(shop, orders, "fulfilled", "canceled")
    after_a_whole_sweep(shop)
    must(orphans(shop), {1: set(), 2: set(), 3: set()}, "differences")
    shop.books().must_balance()


def test_three_of_theirs_and_three_of_ours_are_six_rows_and_six_lines(shop):
    orders = [post(shop) for _ in range(4)]
    wait_all(shop, orders, "fulfilled")
    theirs = {make_intent(shop, None, 100), make_intent(shop, STRANGER, 200, confirm=True),
              make_intent(shop, orders[0], 300, confirm=True)}
    ours = {f"pi_{uuid.uuid4().hex}" for _ in range(3)}
    for public, intent in zip(orders[1:], ours):
        shop.sql(PLANT, intent, order.to_uuid(public))
    wait_for(lambda: [len(orphans(shop)[side]) for side in (1, 2, 3)] == [3, 3, 0], 30, "six rows")
    must(orphans(shop), {1: theirs, 2: ours, 3: set()}, "differences")
    wait_for(lambda: value(shop, "relay", "docket_orphans_open") == 6, 20, "the metric is six")
    said = json.loads(shop.docket("status", "--json"))
    must(said["orphans"]["open"], 6, "differences in docket status")
    lines = [line for line in shop.docket("status").splitlines()
             if line.startswith("needs a person: ") and "pi_" in line]
    must(len(lines), 6, lines)
    must(sum("2.00 EUR" in line and "refund it" in line for line in lines), 1, lines)
    must(sum("3.00 EUR" in line and orders[0] in line for line in lines), 1, lines)
    must(sum("took nothing" in line and "cancel it" in line for line in lines), 1, lines)
    must(sum("does not know" in line for line in lines), 3, lines)
    shop.sql("DELETE FROM payment_attempt WHERE intent_id = ANY (%s)", list(ours))
    wait_for(lambda: orphans(shop)[2] == set(), 30, "what was mended is gone by itself")
    after_a_whole_sweep(shop)
    must(orphans(shop), {1: theirs, 2: set(), 3: set()}, "three are left")


def test_what_a_person_has_settled_is_not_said_again(shop):
    intent = make_intent(shop, None, 400, confirm=True)
    wait_for(lambda: intent in orphans(shop)[1], 30, "the sweep")
    number = shop.one("SELECT id FROM orphan WHERE intent_id = %s", intent)
    said = shop.docket("orphan", "close", str(number), "--reason", "refunded at the provider")
    assert intent in said, said
    after_a_whole_sweep(shop)
    assert intent not in orphans(shop)[1]
    must(shop.sql("SELECT act, target, reason FROM audit ORDER BY id DESC LIMIT 1"),
         [("orphan close", f"orphan {number}", "refunded at the provider")], "audit")


def test_an_intent_that_is_canceled_at_the_provider_is_gone(shop):
    intent = make_intent(shop, STRANGER)
    wait_for(lambda: intent in orphans(shop)[1], 30, "the sweep")
    cancel_intent(shop, intent)
    wait_for(lambda: intent not in orphans(shop)[1], 30, "it is gone")


def test_money_that_only_the_provider_knows_of_is_a_difference(shop):
    """The books say declined; the provider took the money after all."""
    public = post(shop)
    shop.wait_status(public, "fulfilled")
    uuid_of = order.to_uuid(public)
    shop.sql("UPDATE payment_attempt SET state = 4, captured = 0 WHERE order_id = %s", uuid_of)
    intent = attempt(shop, public)[1]
    wait_for(lambda: intent in orphans(shop)[3], 30, "the sweep")
    assert any(intent in line and "says otherwise" in line for line in shop.docket("status").splitlines())
    shop.sql("UPDATE payment_attempt SET state = 3, captured = amount WHERE order_id = %s", uuid_of)
    wait_for(lambda: intent not in orphans(shop)[3], 30, "it is gone")


def test_pages_follow_one_another_and_a_provider_that_fails_is_asked_again(shop):
    shop.fault("retrieve", "unavailable", times=3)
    intents = {make_intent(shop, None, 1000 + n) for n in range(95)}
    wait_for(lambda: intents <= orphans(shop)[1], 60, "the sweep")
    for intent in intents:
        cancel_intent(shop, intent)
    wait_for(lambda: not intents & orphans(shop)[1], 60, "they are gone")


def test_a_worker_that_dies_at_it_is_followed_by_another(shop):
    shop.start("payment", label="payment2", env=SWEEP)
    for _ in range(2):
        intent = make_intent(shop, None, 555)
        shop.kill("payment")
        wait_for(lambda intent=intent: intent in orphans(shop)[1], 90, "the other sweeps")
        cancel_intent(shop, intent)
        shop.start("payment", env=SWEEP)
    shop.stop("payment2")


def test_what_got_an_intent_while_others_were_adopted_keeps_it(shop, services):
    """The adopting waits for one order, while a worker gives the other its payment: that one keeps its own intent, and
    no second one is asked for."""
    shop.stop("payment")
    first, second = sorted((post(shop) for _ in range(2)), key=order.to_uuid)
    theirs = {public: make_intent(shop, public) for public in (first, second)}
    ours = make_intent(shop, second)
    shop.docket("pause", "payment", "--reason", "a test")
    shop.sql("UPDATE orphan_sweep SET due_at = now() + interval '1 hour'")
    for public, intent in theirs.items():
        shop.sql("INSERT INTO orphan (provider, side, intent_id, order_id, status, amount, received, currency, "
                 "created_at) VALUES ('stripe', 1, %s, %s, 'requires_confirmation', 7020, 0, 'EUR', now())",
                 intent, order.to_uuid(public))
    holder, adopter = (services.connect(shop.database) for _ in range(2))
    holder.cursor().execute("SELECT FROM orders WHERE id = %s FOR UPDATE", [order.to_uuid(first)])
    with open(os.path.join(ROOT, "schema/statements/orphan_adopt.sql"), encoding="utf-8") as file:
        adopter.cursor().execute("PREPARE adopt AS " + file.read())
    with ThreadPoolExecutor(1) as pool, adopter.cursor() as cursor:
        adopting = pool.submit(cursor.execute, "EXECUTE adopt (%s, 'stripe', 'test', 1, 10)", [sweeps(shop)])
        wait_for(lambda: shop.one("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                                  "AND query ~ 'adopt'"), 10, "it waits for the first order")
        shop.sql("UPDATE orders SET version = version + 1 WHERE id = %s", order.to_uuid(second))
        shop.sql("INSERT INTO payment_attempt (order_id, number, state, provider, method, amount, currency, "
                 "intent_id) SELECT id, 1, 1, 'stripe', payment_method, total, currency, %s FROM orders WHERE id = %s",
                 ours, order.to_uuid(second))
        shop.sql("INSERT INTO order_event (order_id, version, kind, status, process) SELECT id, version, "
                 "'payment_started', status, 'test' FROM orders WHERE id = %s", order.to_uuid(second))
        holder.close()
        adopting.result(10)
        must(cursor.fetchall(), [(True, 1)], "still ours, and how many were adopted")
        adopter.commit()
    must([attempt(shop, public)[1] for public in (first, second)], [theirs[first], ours], "their intents")
    must(orphans(shop)[1] & set(theirs.values()), {theirs[second]}, "what is not adopted")
    cancel_intent(shop, theirs[second])
    shop.start("payment", env=SWEEP)
    shop.docket("resume", "payment", "--reason", "a test")
    wait_all(shop, [first, second], "fulfilled")
    must(len(facts(shop, "charge", first, second)), 2, "charges")
    shop.sql("UPDATE orphan_sweep SET due_at = now()")


def asked_for(shop, to):
    """Intents that a sweep up to that moment has not seen, had it seen none, and would look up one by one."""
    link = shop.services.connect(shop.database)
    with open(os.path.join(ROOT, "schema/statements/orphan_ask.sql"), encoding="utf-8") as file, \
            contextlib.closing(link), link.cursor() as cursor:
        cursor.execute("PREPARE ask AS " + file.read())
        cursor.execute("EXECUTE ask (-1, 'stripe', %s, '00000000-0000-0000-0000-000000000000', 1000)", [to])
        return {row[2] for row in cursor.fetchall()}


def test_an_intent_that_is_younger_than_its_attempt_is_not_looked_up_before_it_can_be_listed(shop):
    """After an outage all that waited is older than the window, and its intents are younger: once, nearly every order of
    it was looked up."""
    shop.fault("create", "delay", ms=1500, times=1)
    public = post(shop)
    shop.wait_status(public, "fulfilled")
    opened, sent = shop.one("SELECT ceil(extract(epoch FROM opened_at))::int8, ceil(extract(epoch FROM sent_at))::int8 "
                            "FROM payment_attempt WHERE order_id = %s", order.to_uuid(public))
    assert opened < sent, "the test wants a second between them"
    intent = attempt(shop, public)[1]
    must((intent in asked_for(shop, opened), intent in asked_for(shop, sent)), (False, True), "asked for")


def test_a_provider_that_is_paused_is_not_asked(shop):
    wait_for(lambda: shop.sql("UPDATE orphan_sweep SET due_at = now() + interval '1 hour' "
                              "WHERE until = '-infinity' RETURNING fence"),
             90, "no sweep is under way, also of a worker that died at it, and none comes")
    fence = sweeps(shop)
    shop.docket("pause", "stripe", "--reason", "a test")
    shop.sql("UPDATE orphan_sweep SET due_at = now()")
    wait_for(lambda: shop.one("SELECT now() > due_at + interval '3 seconds' FROM orphan_sweep"), 10,
             "its time has come")
    must(sweeps(shop), fence, "sweeps")
    shop.docket("resume", "stripe", "--reason", "a test")
    wait_for(lambda: sweeps(shop) > fence, 30, "it goes on")
