"""POST /v1/quotes: the price of a body that is no order yet."""
import pytest

from harness import Client, wait_for
from harness.client import new_key


@pytest.fixture(scope="module")
def shop(docket):
    docket.start("api")
    docket.stock_up()
    docket.make_keys()
    return docket


def basket(shop, **changes):
    """What a cart page knows: no customer, no payment, no address, no total."""
    body = shop.order_body()
    return {"lines": body["lines"], "shipping": {"method": body["shipping"]["method"]}} | changes


def quote(shop, body, **options):
    return shop.api.post("/v1/quotes", body, **options)


def count(shop):
    return shop.one("SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM order_key)")


def test_a_basket_is_priced_and_nothing_is_stored(shop):
    before = count(shop)
    answer = quote(shop, basket(shop))
    assert answer.status == 200 and answer.headers["cache-control"] == "no-store"
    told = answer.json
    assert told["total"] == {"amount": 7020, "currency": "EUR"} and told["currency"] == "EUR"
    assert told["items_total"]["amount"] + told["shipping_total"]["amount"] == 7020
    assert [(line["sku"], line["quantity"], line["price"]["amount"]) for line in told["lines"]] == \
        [(line["sku"], line["quantity"], price)
         for line, price in zip(shop.order_body()["lines"], (1290, 3950))]
    assert all(line["name"] for line in told["lines"]) and "total_changed" not in told
    assert count(shop) == before


def test_its_expected_total_makes_the_order(shop):
    expected = quote(shop, basket(shop)).json["expected_total"]
    assert shop.post_order(shop.order_body(expected_total=expected)).status == 202


@pytest.mark.parametrize("amount, changed", [(7020, False), (7019, True)])
def test_a_total_that_was_seen_before_is_compared(shop, amount, changed):
    seen = {"amount": amount, "currency": "EUR"}
    told = quote(shop, basket(shop, expected_total=seen)).json
    assert told["total_changed"] is changed and told["expected_total"]["amount"] == 7020


def test_a_whole_order_may_be_quoted(shop):
    assert quote(shop, shop.order_body(cart_id="c-1")).json["total"]["amount"] == 7020


WRONG = [
    ({"lines": []}, "/lines"),
    ({"lines": None}, "/lines"),
    ({"lines": [{"sku": "TEA-EARL-250", "quantity": 0}]}, "/lines/0/quantity"),
    ({"lines": [{"sku": "NO-SUCH", "quantity": 1}]}, "/lines/0/sku"),
    ({"shipping": {"method": "by-owl"}}, "/shipping/method"),
    ({"shipping": {}}, "/shipping/method"),
    ({"customer": {"email": "x", "name": "N"}}, "/customer/email"),
    ({"payment": {"method": "visa"}}, "/payment/method"),
    ({"expected_total": {"amount": 7020, "currency": "USD"}}, "/expected_total/currency"),
    ({"surprise": 1}, "/surprise"),
]


@pytest.mark.parametrize("change, pointer", WRONG, ids=[pointer for _, pointer in WRONG])
def test_what_an_order_would_be_refused_for_is_refused_at_the_same_place(shop, change, pointer):
    answer = quote(shop, basket(shop, **change))
    assert (answer.status, answer.code) == (422, "validation_failed"), answer
    places = {error["pointer"] for error in answer.json["errors"]}
    order = shop.order_body()
    if "shipping" in change:
        change = {"shipping": {"address": order["shipping"]["address"]} | change["shipping"]}
    ordered = shop.post_order(order | change)
    assert pointer in places and pointer in {error["pointer"] for error in ordered.json["errors"]}
    assert "accepted" not in answer.json


def test_a_product_that_is_not_sold_now_is_named(shop):
    sku = shop.order_body()["lines"][1]["sku"]
    shop.sql("UPDATE product SET active = false WHERE sku = %s", sku)
    try:
        wait_for(lambda: quote(shop, basket(shop)).status == 422, 20, "the catalogue is read anew")
        error, = quote(shop, basket(shop)).json["errors"]
        assert (error["pointer"], error["code"]) == ("/lines/1/sku", "unknown_sku")
    finally:
        shop.sql("UPDATE product SET active = true WHERE sku = %s", sku)


def test_what_costs_nothing_is_refused_here_and_there(shop):
    lines = [{"sku": "FREE", "quantity": 1}]
    shop.sql("INSERT INTO product VALUES ('FREE', 'a gift', 0, 'EUR')")
    shop.sql("INSERT INTO shipping_method VALUES ('gift', 'a gift', 0, 'EUR')")
    body = {"lines": lines, "shipping": {"method": "gift"}}
    wait_for(lambda: [e["pointer"] for e in quote(shop, body).json["errors"]] == ["/lines"], 20,
             "the gift is known, and refused")


def test_card_data_is_refused_and_its_place_is_named(shop):
    answer = quote(shop, basket(shop, metadata={"note": "4242 4242 4242 4242"}))
    assert (answer.status, answer.code) == (422, "card_data_not_allowed")
    assert answer.json["errors"][0]["pointer"] == "/metadata/note"
    assert "4242 4242" not in shop.log("api") and b"4242 4242" not in answer.body


@pytest.mark.parametrize("body, headers, status, code", [
    ("{", {}, 400, "invalid_json"),
    ("{}", {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
    ("x" * 70000, {}, 413, "body_too_large"),
], ids=["no json", "no type", "too large"])
def test_bodies_that_cannot_be_read_are_refused(shop, body, headers, status, code):
    answer = quote(shop, body, headers=headers)
    assert (answer.status, answer.code) == (status, code) and "accepted" not in answer.json


def test_only_scope_checkout_may_ask(shop):
    assert shop.read.post("/v1/quotes", basket(shop)).code == "forbidden"
    nobody = Client(shop.port("api")).post("/v1/quotes", basket(shop))
    assert nobody.status == 401 and "accepted" not in nobody.json
    assert shop.api.get("/v1/quotes").status == 405


def test_prices_are_told_while_postgres_is_away(shop):
    shop.services.postgres_stop_immediate()
    try:
        assert quote(shop, basket(shop)).json["total"]["amount"] == 7020
    finally:
        shop.services.postgres_start()
    shop.post_until_told(key=new_key())
