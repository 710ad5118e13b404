"""A point-in-time restore: the provider's books are ahead of ours, and nothing is charged again."""
import json
import os
import threading

import pytest

from docket_local import order

from harness import Client, must, wait_for
from harness.services import ROOT
from harness.outcomes import WORKER, attempt, facts, kinds, paying_with, post, wait_all, wait_task

ASKS_CUSTOMER = "pm_card_threeDSecureRequired"
SWEEP = WORKER | {"DOCKET_CUSTOMER_WAIT_S": 600, "DOCKET_ORPHAN_HOURS": 1, "DOCKET_ORPHAN_EVERY_S": 3600}
PROGRAMS = ("fulfilment", "payment", "relay", "api")


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    start(docket)
    docket.stock_up()
    docket.make_keys()
    docket.lost = []
    return docket


@pytest.fixture(autouse=True)
def begin_with_all_programs(shop):
    stop(shop)
    start(shop)


def start(docket, **payment):
    for name, env in {"sandbox": None, "api": None, "relay": {"DOCKET_SWEEP_S": 1},
                      "payment": SWEEP | payment, "fulfilment": WORKER}.items():
        if not docket.is_alive(name):
            docket.start(name, env=env, wait=False)
    for name in ("sandbox", *PROGRAMS):
        docket.wait_ready(name)
    if docket.checkout:
        docket.api = Client(docket.port("api"), docket.checkout)


def stop(docket):
    for name in filter(docket.is_alive, PROGRAMS):
        docket.stop(name)
    if docket.link is not None:
        docket.link.close()


def snapshot(docket):
    docket.services.admin(f"CREATE DATABASE {docket.database}_then TEMPLATE {docket.database} "
                          "OWNER docket_owner")


def restore(docket):
    docket.services.drop_database(docket.database)
    docket.services.admin(f"ALTER DATABASE {docket.database}_then RENAME TO {docket.database}")


def must_balance(docket):
    """But for the orders that are gone: the provider and their customers alone know of them."""
    docket.told = [told for told in docket.told if told.id not in docket.lost]
    must([what for what in docket.books().differences()
          if not any(public in what for public in docket.lost)], [], "differences")


def status(docket):
    return json.loads(docket.docket("status", "--json"))


def orders_of_every_state(shop):
    """name → an order that stands there, with nobody at work on it."""
    found = {"fulfilled": post(shop)}
    shop.wait_status(found["fulfilled"], "fulfilled")
    found["asks"] = post(shop, **paying_with(ASKS_CUSTOMER))
    shop.wait_status(found["asks"], "requires_action")
    shop.stop("fulfilment")
    found["paid"] = post(shop)
    shop.wait_status(found["paid"], "confirmed")
    shop.fault("create", "unavailable", method="pm_card_mastercard")
    shop.fault("confirm", "unavailable", method="pm_card_amex")
    shop.fault("retrieve", "unavailable", method="pm_card_amex")
    found["created"] = post(shop, **paying_with("pm_card_mastercard"))
    found["unknown"] = post(shop, **paying_with("pm_card_amex"))
    wait_for(lambda: "retry" in kinds(shop, found["created"]), 20, "its stock is held, no intent")
    wait_for(lambda: "payment_unknown" in kinds(shop, found["unknown"]), 20, "an unknown confirm")
    shop.stop("payment")
    found["accepted"] = post(shop)
    found["declined"] = post(shop, **paying_with("pm_card_visa_chargeDeclined"))
    return found


def live_on(shop, known):
    """Everything comes to its end, and there are orders that no restored table will know."""
    shop.no_faults()
    start(shop)
    answer = shop.sandbox.post(f"/sandbox/intents/{attempt(shop, known['asks'])[1]}/finish",
                               {"as": "succeeded"})
    must(answer.status, 200, "the customer agrees")
    lost = [post(shop) for _ in range(3)]
    paid = [public for name, public in known.items() if name != "declined"]
    wait_all(shop, [*paid, *lost], "fulfilled", deadline_s=60)
    shop.wait_status(known["declined"], "payment_failed")
    must(len(facts(shop, "charge", *paid, *lost)), len(paid) + len(lost), "charges before")
    return lost


def test_after_a_restore_every_order_ends_with_one_capture(shop):
    known = orders_of_every_state(shop)
    stop(shop)
    snapshot(shop)
    lost = live_on(shop, known)
    stop(shop)
    restore(shop)
    answer = shop.sandbox.request("PUT", "/sandbox/settings", {"key_lifetime_s": 0})
    must(answer.status, 200, "the provider has forgotten every key")

    start(shop, DOCKET_START_PAUSED=1)
    wait_for(lambda: status(shop)["orphans"]["compared_since_pause"], 60, "the books are compared")
    must(sorted(name for name in known if "intent_adopted" in kinds(shop, known[name])),
         ["accepted", "created"], "orders that have their payment back")  # a canceled intent took nothing
    listed = {row["order"]: row["received"] for row in status(shop)["orphans"]["list"]}
    must(listed, dict.fromkeys(lost, 7020), "orders that are gone, and their money")
    lines = [line for line in shop.docket("status").splitlines() if "refund it" in line]
    must(sum("70.20 EUR" in line for line in lines), 3, lines)
    must(any("payment (started paused" in line for line in shop.docket("status").splitlines()), True,
         shop.docket("status"))

    shop.docket("resume", "--all", "--reason", "the books were compared")
    paid = [public for name, public in known.items() if name != "declined"]
    wait_all(shop, paid, "fulfilled", deadline_s=60)
    shop.wait_status(known["declined"], "payment_failed")
    for name, public in known.items():
        must(len(facts(shop, "charge", public)), int(name != "declined"), f"captures of {name}")
    shop.lost += lost
    must_balance(shop)


def test_what_was_taken_for_goods_that_are_gone_is_not_canceled(shop):
    shop.stop("payment")
    public = post(shop, lines=[{"sku": "LAST-ONE", "quantity": 1}],
                  expected_total={"amount": 10390, "currency": "EUR"})
    stop(shop)
    snapshot(shop)
    start(shop)
    shop.wait_status(public, "fulfilled")
    stop(shop)
    restore(shop)
    start(shop, DOCKET_START_PAUSED=1)
    shop.sql("UPDATE stock SET available = 0 WHERE sku = 'LAST-ONE'")
    wait_for(lambda: status(shop)["orphans"]["compared_since_pause"], 60, "the books are compared")
    shop.docket("resume", "--all", "--reason", "the books were compared")
    shop.wait_status(public, "on_hold")
    letter, code = shop.one("SELECT id, fault_code FROM dead_letter WHERE order_id = %s AND state = 'open'",
                            order.to_uuid(public))
    must(code, "adopted_without_stock", "why")
    shop.sql("UPDATE stock SET available = 1 WHERE sku = 'LAST-ONE'")
    shop.docket("dead", "replay", str(letter), "--reason", "another one was found")
    shop.wait_status(public, "fulfilled")
    must(len(facts(shop, "charge", public)), 1, "captures")
    must(len(facts(shop, "shipment", public)), 1, "shipments")
    must_balance(shop)


def test_an_intent_is_adopted_only_while_payments_are_paused(shop):
    """Else a payment may be at work on that very order."""
    shop.stop("payment")
    public = post(shop)
    answer = shop.sandbox.request(
        "POST", "/v1/payment_intents",
        f"amount=7020&currency=eur&payment_method=pm_card_visa&metadata[order_id]={public}",
        {"Authorization": "Bearer sk_test", "Content-Type": "application/x-www-form-urlencoded"})
    shop.start("payment", env=SWEEP | {"DOCKET_ORPHAN_AGE_S": 0, "DOCKET_ORPHAN_EVERY_S": 1})
    shop.wait_status(public, "fulfilled")
    shop.sql("UPDATE orphan_sweep SET due_at = now()")
    wait_for(lambda: shop.sql("SELECT id FROM orphan WHERE intent_id = %s AND resolved_at IS NULL",
                              answer.json["id"]), 30, "it is an orphan")
    assert "intent_adopted" not in kinds(shop, public)
    must(len(facts(shop, "charge", public)), 1, "captures")
    must_balance(shop)


def prepare(cursor, statement):
    with open(os.path.join(ROOT, f"schema/statements/{statement}.sql"), encoding="utf-8") as file:
        cursor.execute(f"PREPARE {statement} AS {file.read().replace('%', '%%')}")


def test_a_comparison_that_waited_for_the_pause_and_did_not_see_it_is_none_since(shop):
    """It holds a snapshot from before, in which young intents are left out: another one follows at once."""
    shop.stop("payment")
    shop.sql("UPDATE orphan_sweep SET due_at = now() - interval '1 s', until = '-infinity'")
    pausing, turning = (shop.services.connect(shop.database) for _ in range(2))
    pausing.autocommit = False
    turning.autocommit = True
    with pausing.cursor() as pause, turning.cursor() as turn:
        prepare(pause, "worker_pause")
        for statement in ("orphan_turn", "orphan_end"):
            prepare(turn, statement)
        pause.execute("EXECUTE worker_pause ('test', 1, 'payment')")
        thread = threading.Thread(target=turn.execute, args=("EXECUTE orphan_turn ('test', 1, 1, 60)",))
        thread.start()
        wait_for(lambda: shop.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
                                  "query LIKE '%%orphan_turn%%' AND pid = %s", turning.get_backend_pid()),
                 10, "the turn waits for the pause")
        pausing.commit()
        thread.join(10)
        turn.execute("EXECUTE orphan_end (%s, 3600, 1)", (turn.fetchone()[0],))
    must(status(shop)["orphans"]["compared_since_pause"], False, "compared since the pause")
    must(shop.one("SELECT due_at <= now() FROM orphan_sweep"), True, "another is due at once")
    pausing.close()
    turning.close()
    shop.docket("resume", "payment", "--reason", "a test")
