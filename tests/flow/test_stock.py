"""docket stock, catalogue show and order show: what an operator reads and changes by hand."""
import concurrent.futures
import json

import pytest

from docket_local.postgres import SUPERUSER
from harness.plans import blocks_read, prepare
from test_operator import dead_letter, run


@pytest.fixture(scope="module")
def shop(docket):
    docket.start("api")
    docket.stock_up()
    docket.make_keys()
    return docket


def available(shop, sku="TEA"):
    return shop.one("SELECT available FROM stock WHERE sku = %s", sku)


def sku_of(shop):
    return shop.one("SELECT min(sku) FROM product")


def test_stock_is_set_and_added_to_with_a_reason(shop):
    sku = sku_of(shop)
    code, said, _ = run(shop, "stock", "set", sku, "1200", "--reason", "counted")
    assert code == 0 and "1,200" in said and available(shop, sku) == 1200
    assert run(shop, "stock", "add", sku, "-200", "--reason", "broken")[0] == 0
    assert available(shop, sku) == 1000
    assert shop.one("SELECT act, target, reason, detail FROM audit ORDER BY id DESC LIMIT 1") == \
        ("stock add", f"sku {sku}", "broken", {"pieces": -200, "available": 1000})
    assert "1,000" in run(shop, "stock", "show", sku)[1]
    assert run(shop, "stock", "set", sku, "5")[0] == 2


def test_stock_never_falls_below_zero(shop):
    sku = sku_of(shop)
    run(shop, "stock", "set", sku, "4", "--reason", "x")
    acts = shop.one("SELECT count(*) FROM audit")
    code, _, why = run(shop, "stock", "add", sku, "-5", "--reason", "x")
    assert code == 1 and "nothing was changed" in why and available(shop, sku) == 4
    assert shop.one("SELECT count(*) FROM audit") == acts
    for wrong in ("-1", "x", "1.5", "99999999999999999"):
        assert run(shop, "stock", "set", sku, wrong, "--reason", "x")[0] == 2


def test_takers_at_once_never_take_what_is_not_there(shop):
    sku = sku_of(shop)
    run(shop, "stock", "set", sku, "10", "--reason", "x")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: shop.operator.post(
            "/admin/stock", {"sku": sku, "add": -3, "reason": "at once"}).status, range(8)))
    assert sorted(answers) == [200] * 3 + [409] * 5 and available(shop, sku) == 1


def test_a_change_waits_for_a_reservation_that_is_under_way(shop):
    sku = sku_of(shop)
    run(shop, "stock", "set", sku, "10", "--reason", "x")
    with shop.services.connect(shop.database) as link:
        link.cursor().execute("UPDATE stock SET available = available - 8, version = version + 1 WHERE sku = %s", (sku,))
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(shop.operator.post, "/admin/stock",
                                 {"sku": sku, "add": -5, "reason": "x"})
            with pytest.raises(concurrent.futures.TimeoutError):
                answer.result(0.2)
            link.commit()
            assert answer.result(10).status == 409
    link.close()
    assert available(shop, sku) == 2


def test_a_hot_product_is_found_at_once_however_many_of_its_rows_are_kept(shop):
    """A transaction held open keeps every row that a batch has left behind, and a batch reads none of them."""
    sku = sku_of(shop)
    run(shop, "stock", "set", sku, "100000", "--reason", "x")
    held, worker, api = (shop.services.connect(shop.database, role) for role in (SUPERUSER, "docket_worker", "docket_api"))
    held.cursor().execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM stock")
    worker.autocommit = api.autocommit = True
    with worker.cursor() as taker, api.cursor() as reader:
        taker.execute("SET synchronous_commit = off")
        prepare(taker, "stock_lock", "stock_take")
        prepare(reader, "catalogue_page", "stock_change")
        reads = {}
        for taken in (20, 3000):
            for _ in range(taken):
                taker.execute("EXECUTE stock_take (%s, '{1}')", ([sku],))
            reads[taken] = {
                "lock": blocks_read(taker, f"stock_lock ('{{{sku}}}')"),
                "take": blocks_read(taker, f"stock_take ('{{{sku}}}', '{{1}}')"),
                "page": blocks_read(reader, f"catalogue_page ('', 100, '{sku}')"),
                "change": blocks_read(reader, f"stock_change ('x', 'x', '{sku}', 1, true)")}
    for link in (held, worker, api):
        link.close()
    for name, few in reads[20].items():  # one level more of the index each time that it is looked into
        assert reads[3000][name] <= few + 10, (name, reads)
    assert available(shop, sku) == 100000 - 20 - 3000 - 2 * 5 + 2 * 5


def test_a_product_has_one_row_whoever_puts_it(shop):
    """Operators at once, while workers take of it what is there."""
    worker = shop.services.connect(shop.database, "docket_worker")
    worker.autocommit = True
    with worker.cursor() as taker, concurrent.futures.ThreadPoolExecutor(8) as pool:
        prepare(taker, "stock_take")
        for sku in (f"ONE-ROW-{number}" for number in range(5)):
            shop.sql("INSERT INTO product (sku, name, price, currency) VALUES (%s, 'x', 1, 'EUR')", sku)
            sets = [pool.submit(shop.operator.post, "/admin/stock", {"sku": sku, "set": 7, "reason": "at once"})
                    for _ in range(8)]
            for _ in range(5):
                taker.execute("EXECUTE stock_take (%s, '{1}')", ([sku],))
            assert {one.result().status for one in sets} == {200}
            assert shop.one("SELECT count(*) FROM stock WHERE sku = %s", sku) == 1
    worker.close()


def test_what_the_catalogue_does_not_name_has_no_stock(shop):
    code, _, why = run(shop, "stock", "set", "NO-SUCH", "5", "--reason", "x")
    assert code == 1 and "no such sku" in why
    assert run(shop, "stock", "show", "NO-SUCH")[0] == 1
    assert shop.one("SELECT count(*) FROM stock WHERE sku = 'NO-SUCH'") == 0


def test_the_catalogue_is_shown_with_its_prices(shop):
    code, said, _ = run(shop, "catalogue", "show")
    assert code == 0 and sku_of(shop) in said and " EUR" in said
    both = json.loads(run(shop, "catalogue", "show", "--json")[1])
    assert len(both["products"]) == shop.one("SELECT count(*) FROM product")
    assert both["shipping_methods"]


def test_an_order_is_found_by_its_key_and_says_why_it_is_not_done(shop):
    told = shop.post_order()
    code, said, _ = run(shop, "order", "show", "--key", told.key)
    assert code == 0 and told.id in said
    assert "It is not done because its payment has not begun" in " ".join(said.split())
    assert "70.20 EUR" in said and " UTC" in said
    life = json.loads(run(shop, "order", "show", "--key", told.key, "--json")[1])
    assert life["order"] == told.id and life["why"].startswith("It is not done because")
    assert run(shop, "order", "show", "--key", "nobody")[0] == 1
    assert run(shop, "order", "show")[0] == 2
    assert run(shop, "order", "show", told.id, "--key", told.key)[0] == 2


def test_an_order_that_gave_up_names_its_dead_letter(shop):
    told, uuid, letter = dead_letter(shop)
    shop.sql("UPDATE orders SET reason = 'needs_operator' WHERE id = %s", uuid)
    said = " ".join(run(shop, "order", "show", told.id)[1].split())
    assert f"docket dead replay {letter} --reason" in said
    assert "customer One of us is looking at your order." in said
