"""GET /v1/orders for servers: pages, filters, cursors, and what a page may cost."""
import datetime
import urllib.parse

import pytest

from docket_local import order
from harness import Client, wait_for
from harness.client import new_key


@pytest.fixture(scope="module")
def shop(docket):
    docket.start("api")
    docket.stock_up()
    docket.make_keys()
    return docket


@pytest.fixture(scope="module")
def told(shop):
    """Seven orders, oldest first; some have moved on."""
    orders = [shop.post_order(cart_id=f"cart-{n}") for n in range(7)]
    assert all(one.status == 202 for one in orders)
    for one, status, final in zip(orders, (3, 8, 4, 10), (False, False, True, True)):
        shop.sql("UPDATE orders SET status = %s, final = %s, version = 2 WHERE id = %s", status,
                 final, order.to_uuid(one.id))
    return orders


def page(shop, client=None, **query):
    answer = (client or shop.read).get("/v1/orders?" + urllib.parse.urlencode(query))
    assert answer.status == 200, answer
    return answer.json


def ids(answer):
    return [one["id"] for one in answer["orders"]]


def walk(shop, **query):
    """All pages, by the links alone."""
    path = "/v1/orders?" + urllib.parse.urlencode(query)
    while path:
        answer = shop.read.get(path)
        assert answer.status == 200, answer
        yield answer.json
        path = answer.json["links"].get("next")


def newest_first(orders):
    return [one.id for one in reversed(orders)]


def test_the_newest_come_first_as_each_is_shown_alone(shop, told):
    answer = shop.read.get("/v1/orders")
    assert ids(answer.json) == newest_first(told) and answer.json["next_cursor"] is None
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.json["orders"][0] == shop.read.get(f"/v1/orders/{told[-1].id}").json


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_give_each_order_once(shop, told, limit):
    pages = list(walk(shop, limit=limit))
    assert [one for part in pages for one in ids(part)] == newest_first(told)
    assert all(len(part["orders"]) <= limit for part in pages)


def test_orders_that_arrive_meanwhile_move_no_page(shop, told):
    first = page(shop, limit=3)
    late = shop.post_order()
    second = page(shop, limit=100, cursor=first["next_cursor"])
    assert late.id not in ids(second)
    assert ids(first) + ids(second) == newest_first(told)
    shop.sql("DELETE FROM orders WHERE id = %s", order.to_uuid(late.id))
    shop.sql("DELETE FROM order_key WHERE key = %s", late.key)


FILTERS = [
    ({"status": "confirmed"}, [0]),
    ({"status": "confirmed,on_hold,canceled"}, [3, 1, 0]),
    ({"status": "refunded"}, []),
    ({"final": "true"}, [3, 2]),
    ({"final": "false", "status": "on_hold,canceled"}, [1]),
    ({"cart_id": "cart-5"}, [5]),
    ({"cart_id": "cart-5", "status": "canceled"}, []),
    ({"cart_id": "nowhere"}, []),
    ({"sku": "TEA-EARL-250"}, [6, 5, 4, 3, 2, 1, 0]),
    ({"sku": "NO-SUCH"}, []),
]


@pytest.mark.parametrize("query, expected", FILTERS, ids=[str(query) for query, _ in FILTERS])
def test_filters(shop, told, query, expected):
    assert ids(page(shop, **query)) == [told[n].id for n in expected]
    assert [one for part in walk(shop, limit=1, **query) for one in ids(part)] == \
        [told[n].id for n in expected]


def test_windows_of_time_give_each_order_once(shop, told):
    at = shop.read.get(f"/v1/orders/{told[3].id}").json["accepted_at"]
    before, after = page(shop, created_before=at), page(shop, created_after=at)
    assert ids(after) + ids(before) == newest_first(told)
    zone = datetime.timezone(datetime.timedelta(hours=2))
    same = datetime.datetime.fromisoformat(at.replace("Z", "+00:00")).astimezone(zone).isoformat()
    assert page(shop, created_after=same)["orders"] == after["orders"]


def test_another_account_sees_nothing_of_it_and_may_not_use_its_cursor(shop, told):
    printed = shop.docket("key", "create", "--scope", "checkout,orders:read", "--name", "x",
                          "--account", "lister")
    stranger = Client(shop.port("api"), printed.split()[0])
    assert ids(page(shop, stranger)) == []
    cursor = page(shop, limit=1)["next_cursor"]
    assert stranger.get(f"/v1/orders?cursor={cursor}").code == "invalid_query"
    assert ids(page(shop, stranger, cart_id="cart-5")) == []


def test_a_cursor_is_worth_nothing_once_changed_or_with_other_filters(shop, told):
    cursor = page(shop, limit=1, final="false")["next_cursor"]
    changed = [cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1:] for at in range(len(cursor))]
    for query in ("cursor=", "cursor=x", f"cursor={cursor}", f"final=true&cursor={cursor}",
                  *(f"final=false&cursor={one}" for one in changed)):
        answer = shop.read.get(f"/v1/orders?{query}")
        assert answer.code == "invalid_query" and "cursor" in answer.json["detail"], query
    assert shop.read.get(f"/v1/orders?final=false&cursor={cursor}").status == 200


WRONG = ["limit=0", "limit=101", "limit=x", "status=shipped", "status=", "final=1", "page=2",
         "created_after=yesterday", "created_before=2026-11-24T10:00:00", "limit=1&limit=2",
         "cart_id=", "sku="]


@pytest.mark.parametrize("query", WRONG)
def test_a_wrong_query_is_refused_with_what_is_allowed(shop, query):
    answer = shop.read.get(f"/v1/orders?{query}")
    assert (answer.status, answer.code) == (400, "invalid_query"), answer
    assert query.split("=")[0] in answer.json["detail"]


def test_only_a_server_may_list(shop, told):
    assert shop.api.get("/v1/orders").code == "invalid_query"
    assert shop.api.get("/v1/orders?limit=5").code == "invalid_query"
    assert Client(shop.port("api")).get("/v1/orders").status == 401


def test_a_page_looks_at_so_many_orders_and_no_more(shop, told):
    """5,000 newer orders of others: the pages are empty, but each ends and goes on."""
    shop.sql("INSERT INTO account (name) VALUES ('crowd')")
    shop.sql("""
        INSERT INTO orders (id, account_id, currency, items_total, shipping_total, total,
                            shipping_method, payment_method, renderer, token_key, trace)
        SELECT (month_floor(now() + g * interval '1 ms')::text)::uuid, a.id, 'EUR', 1, 0, 1, 's',
               'pm_x', 1, 1, '' FROM generate_series(1, 5000) g, account a WHERE a.name = 'crowd'""")
    try:
        pages = list(walk(shop, limit=100))
        assert [len(part["orders"]) for part in pages] == [0, 0, 7]
        rare = list(walk(shop, limit=100, status="on_hold"))
        assert [one for part in rare for one in ids(part)] == [told[1].id]
    finally:
        shop.sql("DELETE FROM orders WHERE account_id = (SELECT id FROM account WHERE name = 'crowd')")


def test_a_page_is_no_larger_than_a_mebibyte(shop, told):
    """Orders of 100 lines with long names: what does not fit is on the next page."""
    name = "名" * 180
    shop.sql("INSERT INTO product SELECT 'LONG-' || g, %s, 10, 'EUR' FROM generate_series(1, 100) g",
             name)
    lines = [{"sku": f"LONG-{n}", "quantity": 1} for n in range(1, 101)]
    total = {"amount": 1490, "currency": "EUR"}

    def accepted(key):
        return shop.post_order(shop.order_body(lines=lines, expected_total=total), key)

    first = wait_for(lambda: (one := accepted(new_key())).code != "validation_failed" and one, 5,
                     "the catalogue is read anew")
    if first.code == "total_changed":
        total = first.json["total"]
    big = [accepted(new_key()) for _ in range(20)]
    assert all(one.status == 202 for one in big), big[0]
    pages = [part for part in walk(shop, limit=100, sku="LONG-1")]
    found = [one for part in pages for one in ids(part)]
    assert found[:20] == newest_first(big) and len(pages) > 1
    answer = shop.read.get("/v1/orders?limit=100&sku=LONG-1")
    assert len(answer.body) <= 1024 * 1024
    for one in big:
        shop.sql("DELETE FROM orders WHERE id = %s", order.to_uuid(one.id))

