"""More orders than can be stored in time: what is refused, what is not, and that it ends."""
import concurrent.futures
import os
import sys

from harness import must, wait_for
from harness.metrics import value
from harness.services import ROOT

sys.path.append(os.path.join(ROOT, "tests/bench"))

from lib import Bench, Load  # noqa: E402

BATCH, COMMIT_MS = 20, 50  # some 370 orders a second
CALM, FLOOD = 150, 3000


def slow_shop(docket, services):
    """Each commit of the API waits, as for a standby that is far away."""
    for setting, to in (("commit_delay", COMMIT_MS * 1000), ("commit_siblings", 0)):
        services.admin(f"ALTER ROLE docket_api IN DATABASE {docket.database} SET {setting} = {to}")
    docket.start("api", env={"DOCKET_ACCEPT_BATCH_MAX": BATCH})
    docket.stock_up()
    docket.make_keys()
    return docket


def is_shedding(shop):
    return value(shop, "api", "docket_accept_shedding") == 1


def shed(shop):
    return sum(value(shop, "api", "docket_accept_shed_total", f'then="{then}"') for then in ("answered", "held"))


def is_let_in_again(shop, early):
    """Now and then there is room for anybody, even in a flood."""
    again = shop.post_order(early.body, early.key)
    must((again.status, again.id), (202, early.id), "a repeated key during the flood")
    return value(shop, "api", "docket_accept_known_total") >= 1


def test_a_flood_is_refused_and_what_is_accepted_is_stored(docket_fresh, services):
    shop = slow_shop(docket_fresh, services)
    with Bench.borrowing(services, None) as bench, concurrent.futures.ThreadPoolExecutor(1) as pool:
        load = Load(bench, shop)
        early = shop.post_order()
        must(early.status, 202, "an order before the flood")
        running = pool.submit(load.orders, 400, timeout_ms=3000,
                              phases=[(CALM, 2), (FLOOD, 15)])
        refused = wait_for(lambda: (told := shop.post_order()).status == 503 and told, 15, "a refusal")
        wait_for(lambda: is_let_in_again(shop, early), 15, "a repeated key is let in where new ones are refused")
        read = shop.read.get(f"/v1/orders/{early.id}", headers={"Request-Timeout-Ms": "3000"})
        before = shed(shop)
        wait_for(lambda: shed(shop) > before, 15, "the flood was not over before those two were answered")
        report = running.result(60)["report"]
        wait_for(lambda: not is_shedding(shop), 20, "new orders are taken again")
    must((refused.code, refused.accepted), ("overloaded", "unknown"), "what a refusal says")
    assert refused.json["stored_by_this_request"] is False and int(refused.headers["retry-after"]) >= 1
    must(read.status, 200, "a read during the flood")
    must(shop.post_order().status, 202, "an order after the flood")
    calm, flood = report["phases"]
    must(calm["failed"] + flood["failed"], 0, "failed")
    assert flood["refused"] > 0 and flood["good"] > 0, report
    assert flood["refused"] * calm["good"] > calm["refused"] * flood["good"], report  # shed when there is more, not always
    stored = shop.one("SELECT count(*) FROM orders")
    must(stored, report["statuses"]["202"] + len({told.id for told in shop.told if told.status == 202}), "orders stored")
    assert shed(shop) >= flood["refused"]


def test_nothing_is_done_for_a_client_that_has_given_up(docket_fresh, services):
    """Its order would be committed after its patience has ended: it is told at once."""
    shop = slow_shop(docket_fresh, services)
    services.postgres_freeze()
    try:
        with concurrent.futures.ThreadPoolExecutor(30) as pool:
            told = list(pool.map(lambda n: shop.post_order(headers={"Request-Timeout-Ms": "200"}), range(30)))
    finally:
        services.postgres_thaw()
    for answer in told:
        assert answer.status == 503 and answer.accepted == "unknown", answer
    unsent = [answer for answer in told if answer.json["stored_by_this_request"] is False]
    assert unsent, "all had been sent"
    last = shop.post_until_told()
    must(last.status, 202, "an order afterwards")
    keys = {key for key, in shop.sql("SELECT key FROM order_key")}
    assert not keys & {answer.key for answer in unsent}, "an order of a client that had given up"
