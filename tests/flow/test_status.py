"""docket status: each thing that needs a person is said, and nothing when there is none."""
import json

import pytest

from harness import must, wait_for
from harness.letters import make_letters
from harness.outcomes import open_quick_shop


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    return open_quick_shop(docket)


def needs(shop):
    said = json.loads(shop.docket("status", "--json"))
    return " ".join(need["what"] for need in said["needs"])


def wait_needs(shop, what):
    wait_for(lambda: what in needs(shop), 15, f"status says: {what}")


def test_nothing_needs_a_person_in_a_shop_that_runs(shop):
    told = shop.post_order()
    shop.wait_status(told.id, "fulfilled")
    wait_for(lambda: not needs(shop), 15, "nothing needs a person")
    said = json.loads(shop.docket("status", "--json"))
    must(said["rates"] is None or said["rates"]["accepted"] >= 0, True, said["rates"])
    must({row["stage"]: row["alive"] for row in said["workers"]},
         {"payment": 1, "fulfilment": 1, "cancel": 1, "refund": 1}, "workers")
    text = shop.docket("status")
    must("Nothing needs a person" in text and "one leads" in text, True, text)


def test_what_needs_a_person_is_said(shop):
    make_letters(shop, 3)
    shop.docket("pause", "carrier", "--reason", "a test")
    shop.stop("relay")
    shop.stop("payment")
    for what in ("no relay leads", "no payment worker", "dead letters are open", "holds something"):
        wait_needs(shop, what)
    text = shop.docket("status")
    must("3 open" in text and "a test" in text and "docket dead list" in text, True, text)
    shop.sql("UPDATE outbox SET at = at - interval '2 minutes'")
    shop.post_order()
    shop.sql("UPDATE outbox SET at = at - interval '2 minutes'")
    wait_needs(shop, "over a minute")
    shop.start("relay")
    shop.docket("resume", "carrier", "--reason", "a test")
    wait_for(lambda: "no relay" not in needs(shop) and "holds" not in needs(shop), 15,
             "what was mended is not said any more")


def test_rates_are_of_deltas(shop):
    """The relay notes counts every ten seconds."""
    wait_for(lambda: json.loads(shop.docket("status", "--json"))["rates"] is not None, 25, "rates are known",
             every_s=0.2)
    before = shop.one("SELECT accepted FROM rate_counts()")
    for _ in range(40):
        shop.post_order()
    wait_for(lambda: shop.one("SELECT accepted FROM rate_counts()") >= before + 40, 15, "Postgres has counted them")
    rates = json.loads(shop.docket("status", "--json"))["rates"]
    must(rates["accepted"] >= 20 and rates["payments"] >= 1, True, rates)
    must("accepted" in shop.docket("status"), True, "rates are shown")
