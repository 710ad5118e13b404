"""Losses and double charges that other shops have on record: each has a test that is called after
it and makes it happen here."""
import re

import tree

# The issue (or pull request) that stands for each, and what went wrong there.
RECORD = {
    "magento_25862": "charged, and the order rolled back",
    "magento_31967": "ghost orders at a peak, customers pay twice",
    "magento_13952": "saved, then failed: the customer orders again",
    "magento_19034": "what was to happen after the commit never does",
    "medusa_13301": "the answer and the event race, and the order is not there",
    "medusa_2948": "what is paid is shown as unpaid",
    "saleor_12652": "an unknown outcome is acted on before it is looked up",
    "saleor_12229": "what was charged is processed again",
    "vendure_3065": "charged after the last piece was sold",
    "vendure_4930": "sold more often than it is there",
    "vendure_2620": "two open payments of one order",
    "pinelab_studio_620": "one event, three effects",
    "woocommerce_gateway_stripe_489": "a new key after a time-out charges again",
    "woocommerce_gateway_stripe_5268": "paid, and canceled as unpaid",
    "woocommerce_62659": "two orders of checkouts at once",
    "woocommerce_payments_3784": "two orders with one intent",
    "ps_checkout_1546": "nobody tells the customer, who orders again",
    "spree_4499": "two workers purchase",
    "spree_9265": "a double click",
    "pretix_1189": "poll and webhook charge under one key: harmless",
    "checkout_woocommerce_361": "after a decline no other card is taken",
    "hyperswitch_2380": "unknown ages into failed",
    "hyperswitch_13180": "unknown looks like processing",
}


def test_each_has_a_test_of_that_name():
    tests = "\n".join(tree.text(path) for path in tree.files(".py", below=("tests",)))
    found = set(re.findall(r"^def test_(\w+)\(", tests, re.M))
    missing = [name for name in RECORD if not any(test.startswith(name) for test in found)]
    assert not missing, missing
