"""`docket migrate retire` is killed at each of its points; the next run takes the month away."""
import re

import pytest
import tree

from harness import must
from harness.months import copy_to, make_month, month_ago, tables_of
from harness.outcomes import open_quick_shop, post, wait_all

KEPT = 2
OLD, KEPT_MONTH = month_ago(KEPT + 1), month_ago(KEPT)
ENV = {"DOCKET_RETENTION_MONTHS": str(KEPT)}
SOURCE = "ops/cli/migrate_months.c"
MOMENTS = sorted(set(re.findall(r'POINT\("retire", "(\w+)"\)', tree.text(SOURCE))))
PASSES = {"step_before": (1, 3, 4, 5, 11, 12), "step_after": (1, 3, 4, 5, 11)}  # three indexes, eight tables, all dropped
KILLS = [(moment, nth) for moment in MOMENTS for nth in PASSES.get(moment, (1,))]


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    shop = open_quick_shop(docket)
    make_month(shop, KEPT_MONTH)
    return shop


@pytest.fixture(name="months")
def lend_months(shop):
    """An order that is kept, one that goes."""
    make_month(shop, OLD)
    new = post(shop)
    wait_all(shop, [new], "fulfilled")
    return copy_to(shop, KEPT_MONTH, new), copy_to(shop, OLD, new)


def retire(docket, **env):
    return docket.world.try_docket("migrate", "retire", env={**ENV, **env})


def unsettle(docket):
    """Only between the two looks can it become so; here it always has been, and was overlooked."""
    docket.sql("CREATE OR REPLACE FUNCTION month_holds(month date) RETURNS TABLE (what text, orders "
               "bigint, example uuid) LANGUAGE sql AS $$ SELECT 'a test', 1::int8, "
               "month_floor_utc(month) WHERE NOT (SELECT relispartition FROM pg_class WHERE relname = "
               "month_table('orders', month)) $$")


@pytest.mark.parametrize("moment, nth", KILLS, ids=lambda value: str(value))
def test_killed(shop, months, moment, nth):
    kept, old = months
    spoilt = moment.startswith("put_back")
    if spoilt:
        definition = shop.one("SELECT pg_get_functiondef('month_holds(date)'::regprocedure)")
        unsettle(shop)
    done = retire(shop, DOCKET_POINT=f"retire.{moment}:{nth}")
    must(done.returncode, -9, f"how it ended: {done.stdout}{done.stderr}")
    must(shop.read.get(f"/v1/orders/{kept}").status, 200, "the order that is kept")
    if spoilt:
        shop.sql(definition)
    done = retire(shop)
    must(done.returncode, 0, done.stdout + done.stderr)
    must(tables_of(shop, OLD), [], "tables of the month that went")
    must(shop.read.get(f"/v1/orders/{old}").status, 404, "its order")
    must(shop.read.get(f"/v1/orders/{kept}").status, 200, "the order that is kept")
    must(shop.one("SELECT count(*) FROM order_key k WHERE NOT EXISTS "
                  "(SELECT FROM orders o WHERE o.id = k.order_id) AND order_id IS NOT NULL"), 0,
         "keys without an order")
    wait_all(shop, [post(shop)], "fulfilled")


def test_the_points_were_read():
    assert {"audit_before", "keys_after", "step_after", "put_back_before"} <= set(MOMENTS), MOMENTS
