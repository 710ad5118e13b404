"""docket order list and show --email: orders of every account, found by what is known of them."""
import itertools
import json
import os

import pytest

from docket_local import order
from docket_local.problem import Problem
from harness import must
from harness.services import ROOT


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    """Six orders of one account, two of another; no worker touches them."""
    docket.start("api")
    docket.stock_up()
    docket.make_keys()
    docket.made = [docket.post_order(cart_id=f"cart-{n}", customer={"email": f"Ada{n}@Example.com", "name": "Ada Example"}).id for n in range(6)]
    docket.docket("key", "create", "--scope", "checkout", "--name", "second", "--account", "shop2")
    docket.other = docket.post_order(customer={"email": "bob@example.com", "name": "Bob"}).id
    for n, (status, reason) in enumerate([(2, ""), (8, "payment_outcome_unknown"), (4, "")]):
        docket.sql("UPDATE orders SET status = %s, reason = %s, final = %s WHERE id = %s", status, reason,
                   status == 4, order.to_uuid(docket.made[n]))
    return docket


def found(shop, *options):
    return [row["order"] for row in json.loads(shop.docket("order", "list", "--json", *options))["orders"]]


def test_the_newest_come_first(shop):
    must(found(shop), [shop.other, *shop.made[::-1]], "all orders")
    said = shop.docket("order", "list")
    assert shop.made[0] in said and "70.20 EUR" in said and "Example" not in said


@pytest.mark.parametrize("options, numbers", [
    (("--status", "processing,on_hold"), (1, 0)), (("--reason", "payment_outcome_unknown"), (1,)),
    (("--cart", "cart-4"), (4,)), (("--email", "ada3@example.com"), (3,)), (("--email", "nobody@example.com"), ()),
    (("--cart", "cart-9"), ()), (("--since", "2h", "--email", "ADA5@example.com"), (5,)), (("--until", "2h"), ()),
    (("--at-least", "70.21EUR"), ()), (("--at-most", "70USD"), ()), (("--account", "shop2"), ()),
    (("--sku", "NO-SUCH"), ()), (("--sku", "TEA-EARL-250", "--email", "ada3@example.com", "--open"), (3,)),
    (("--cart", "cart-4", "--email", "ada4@example.com"), (4,)), (("--cart", "cart-4", "--email", "ada3@example.com"), ()),
    (("--cart", "cart-4", "--sku", "TEA-EARL-250"), (4,)), (("--cart", "cart-4", "--sku", "NO-SUCH"), ()),
    (("--account", "nobody"), ()), (("--email", "ada1@example.com", "--reason", "payment_outcome_unknown"), (1,))])
def test_what_is_given_must_fit(shop, options, numbers):
    must(found(shop, *options), [shop.made[n] for n in numbers], f"orders by {options}")


def test_amounts_skus_and_finality_fit(shop):
    must(found(shop, "--at-least", "70.20EUR", "--at-most", "70.2EUR", "--sku", "TEA-EARL-250", "--account", "default"),
         [shop.other, *shop.made[::-1]], "orders of that total")
    must(shop.made[2] not in found(shop, "--open") and len(found(shop, "--open")) == 6, True, "open ones")


def test_whatever_is_asked_is_read_along_the_ids(shop):
    """As the API's session plans it; how much each reads of 5,000,000 orders is in docs/performance.md."""
    with open(os.path.join(ROOT, "schema/statements/order_search.sql"), encoding="utf-8") as file:
        statement = file.read()
    least, most = ("'" + digit * 8 + "-0000-0000-0000-000000000000'" for digit in "0f")
    link = shop.services.connect(shop.database, "docket_api")
    with link.cursor() as cursor:
        cursor.execute("PREPARE search (uuid, uuid, int2[], text, text, text, text, int8, int8, text, text, int8, int8, "
                       "bool) AS " + statement)
        for sku, email, cart in itertools.product(("NULL", "'TEA'"), ("NULL", "'a@example.com'"), ("NULL", "'c'")):
            cursor.execute(f"EXPLAIN EXECUTE search ({most}, {least}, '{{2}}', 'x', 'default', {sku}, 'EUR', 0, 9, {email}, "
                           f"{cart}, 50, 10000, false)")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "Seq Scan" not in plan and "Index" in plan, plan
    link.close()


def test_a_list_goes_on_where_it_ended(shop):
    first = json.loads(shop.docket("order", "list", "--json", "--limit", "4"))
    must(len(first["orders"]), 4, "the first page")
    rest = found(shop, "--cursor", first["next"])
    must([row["order"] for row in first["orders"]] + rest, found(shop), "both pages")
    assert f"--cursor {first['next']}" in shop.docket("order", "list", "--limit", "4")


@pytest.mark.parametrize("options, words", [
    (("--status", "odd"), "status is one or more of"), (("--at-least", "7x"), "with its currency"),
    (("--at-least", "7EUR", "--at-most", "7USD"), "no total is both"), (("--cursor", "x"), "cursor"),
    (("--limit", "0"), "lists nothing")])
def test_what_is_wrong_is_said(shop, options, words):
    with pytest.raises(Problem, match=words):
        shop.docket("order", "list", *options)


def test_an_order_is_shown_by_its_address_if_it_is_the_only_one(shop):
    assert shop.made[3] in shop.docket("order", "show", "--email", "ada3@EXAMPLE.com")
    shop.post_order(customer={"email": "bob@example.com", "name": "Bob"})
    with pytest.raises(Problem, match="2 orders are of bob@example.com"):
        shop.docket("order", "show", "--email", "bob@example.com")
    with pytest.raises(Problem, match="no order of"):
        shop.docket("order", "show", "--email", "nobody@example.com")
    with pytest.raises(Problem, match="by --key or by --email"):
        shop.docket("order", "show", "--email", "x", "--key", "y")


def test_what_operators_did_to_an_order_is_shown_with_it(shop):
    uuid = order.to_uuid(shop.made[1])
    shop.sql("UPDATE task SET state = 6 WHERE order_id = %s", uuid)
    letter = shop.one("INSERT INTO dead_letter (order_id, stage, fingerprint, fault_kind, fault_code, fault_text, "
                      "attempts, crashes, amount, currency, history) VALUES (%s, 1, '', 'broken', 'gone', '', 1, 0, "
                      "7020, 'EUR', '[]') RETURNING id", uuid)
    shop.docket("dead", "replay", str(letter), "--reason", "it is well again")
    said = shop.docket("order", "show", shop.made[1])
    assert "dead replay by bootstrap key: it is well again" in said, said
    must([act["act"] for act in json.loads(shop.docket("order", "show", shop.made[1], "--json"))["acts"]],
         ["dead replay"], "acts")


def test_quotas_are_shown_and_set(shop):
    said = shop.docket("quota", "show")
    assert "shop2" in said and "as set" in said, said
    shop.docket("quota", "set", "shop2", "--orders", "600", "--reads", "0", "--reason", "a bot")
    must(shop.one("SELECT quota_orders, quota_reads FROM account WHERE name = 'shop2'"), (600, 0), "quotas")
    said = shop.docket("quota", "show", "shop2")
    assert "600" in said and "none" in said and "default" not in said, said
    shop.docket("quota", "set", "shop2", "--orders", "default", "--reason", "it is gone")
    must(shop.one("SELECT quota_orders, quota_reads FROM account WHERE name = 'shop2'"), (None, 0), "quotas")
    for options, words in ((("shop2",), "--reason"), (("shop2", "--reason", "x"), "say --orders"),
                           (("shop2", "--orders", "-1", "--reason", "x"), "a number up to"),
                           (("nobody", "--orders", "1", "--reason", "x"), "no such account")):
        with pytest.raises(Problem, match=words):
            shop.docket("quota", "set", *options)
