"""A statement's plan is made of what the planner saw last, which may be hours ago: it is the same one all the same."""
import json
import re

import pytest

from harness import grants
from harness.plans import blocks_read, prepare, ran
from harness.relay import make_orders

# What the planner has seen, one after the other.
DEAD = ("INSERT INTO dead_letter (order_id, stage, fingerprint, fault_kind, fault_code, fault_text, attempts, crashes, amount, "
        "currency, history) SELECT id, 1, 'x', 'broken', 'x', 'x', 1, 0, 100, 'EUR', '[]' FROM orders")
PAID = ("INSERT INTO payment_attempt (order_id, number, state, provider, method, amount, currency, intent_id, captured) "
        "SELECT id, 1, 3, 'stripe', 'pm_card_visa', 100, 'EUR', 'pi_' || id, 100 FROM orders")
SEEN = {
    "nothing": lambda docket: None,
    "all wait in the outbox": lambda docket: (make_orders(docket, 3000), docket.sql(PAID)),
    "all are over": lambda docket: docket.sql("UPDATE task SET state = 5; DELETE FROM outbox"),
    "all are dead": lambda docket: docket.sql(DEAD),
}
# By one index or another, and both are good.
EITHER = {"outbox_settle", "orphan_adopt", "outcome_undo", "twin_check", "twin_forget"}
# Of what somebody has made by hand, or what seldom happens: a few rows.
SMALL = {"api_keys", "dead_drain", "key_list", "orphan_again", "orphan_ask", "orphan_page", "release_write", "replay_act",
         "replay_fold"}
# Acts and looks of people, and gauges that rest twenty times as long as they took: until autovacuum has seen the first
# fifty rows of a table, a minute later, it is gone through as a whole.
PATIENT = {"catalogue_put", "dead_count", "dead_discard", "dead_list", "dead_plan", "dead_replay", "dead_show",
           "incident_list", "incident_show", "keeper_backlog", "keeper_gauges", "keeper_items", "order_by_key",
           "order_list_cart", "order_release", "order_search", "replay_fill", "replay_fill_ids", "replay_release",
           "status", "stock_change", "webhook_forget"}


def is_looked_up(part):
    """Its index is asked for what a row of another table says."""
    return re.search(r"= (ANY \(ARRAY\[)?\w+\.\w+", part.get("Index Cond", "")) is not None


def paths(plan, is_joined=False):
    """{(table, index, "joined" if all of it is read and held against each row)} of all parts; the months' are the same."""
    here = set()
    is_joined = "Join Filter" in plan or is_joined and plan["Node Type"] in ("Append", "Materialize")
    for part in plan.get("Plans", ()):
        here |= paths(part, is_joined)
        if "Index Name" in part:
            here.add((re.sub(r"_\d{4}_\d\d$", "", part.get("Relation Name", "")),
                      re.sub(r"_\d{4}_\d\d", "", part["Index Name"]), "joined" if is_joined and not is_looked_up(part) else ""))
    return here


def path_of(cursor, name, sql):
    cursor.execute(f"PREPARE {name} AS {sql}")
    cursor.execute("SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = %s", (name,))
    count, = cursor.fetchone()
    arguments = f"({', '.join(['NULL'] * count)})" if count else ""
    cursor.execute(f"EXPLAIN (FORMAT JSON) EXECUTE {name}{arguments}")
    plan, = cursor.fetchone()[0]
    assert "Gather" not in json.dumps(plan), f"{name} takes a second core from the orders"
    return paths({"Plans": [plan["Plan"]]})


def all_paths(docket):
    found, month = {}, docket.one("SELECT to_char(now() AT TIME ZONE 'UTC', '_YYYY_MM')")
    for role in grants.ROLES:
        link = docket.services.connect(docket.database, role)
        link.autocommit = True  # a program's session may not be idle in a transaction
        with link.cursor() as cursor:
            cursor.execute("SET plan_cache_mode = force_generic_plan")
            for name in grants.statements_of(role, docket.services.build):
                found[name] = path_of(cursor, name, grants.sql_of(name))
                monthly = grants.month_sql_of(name, month)
                if monthly:
                    found[name + month] = path_of(cursor, name + month, monthly)
        link.close()
    return found


def test_whatever_the_planner_has_seen_a_statement_goes_the_same_way(docket):
    """And looks for each row by itself."""
    new, differ = all_paths(docket), {}
    for what, see in SEEN.items():
        see(docket)
        docket.sql("ANALYZE")
        for name, now in all_paths(docket).items():
            if now != new[name] or any(how for _, _, how in now):
                differ.setdefault(name, []).append((what, now ^ new[name] or now))
    wrong = differ.keys() - EITHER - SMALL - PATIENT
    assert not wrong, {name: differ[name] for name in wrong}


MANY = ("INSERT INTO outbox (topic, order_ids, traces) SELECT 1, array_fill(gen_random_uuid(), ARRAY[50]), "
        "array_fill(''::text, ARRAY[50]) FROM generate_series(1, 5000)")


@pytest.fixture(name="relay")
def lend_relays_cursor(docket):
    link = docket.services.connect(docket.database, "docket_relay")
    with link.cursor() as cursor:
        cursor.execute("SET plan_cache_mode = force_generic_plan")
        yield cursor
    link.close()


def test_a_lane_does_not_step_over_the_rows_of_another(docket, relay):
    """All that was there when the planner looked was of one topic."""
    docket.sql(MANY)
    docket.sql("ANALYZE outbox")
    prepare(relay, "outbox_poll")
    blocks = blocks_read(relay, "outbox_poll (10, '{2,1}', '{0,0}', '{}', false)")
    assert blocks < 50, blocks


def test_a_row_is_settled_without_the_others(docket, relay):
    """Nothing was there when the planner looked."""
    docket.sql("DELETE FROM outbox")
    docket.sql("ANALYZE outbox")
    prepare(relay, "outbox_settle")
    docket.sql(MANY)
    ids = [row[0] for row in docket.sql("SELECT id FROM outbox ORDER BY id LIMIT 50")]
    fence = docket.one("SELECT fence FROM relay_lease")
    plan = ran(relay, f"outbox_settle ({fence}, ARRAY{ids}, '{{}}', '{{}}', 1000, '{{1}}')")
    gone, = (part for part in plan["Plans"] if part.get("Subplan Name") == "CTE gone")
    assert gone["Shared Hit Blocks"] + gone["Shared Read Blocks"] < 50 * 8, gone


def test_a_retry_that_is_due_is_moved_without_looking_at_the_others(docket, relay):
    """Nobody waited when the planner looked."""
    make_orders(docket, 20000, state=5)
    docket.sql("ANALYZE")
    prepare(relay, "due_ready")
    docket.sql("UPDATE task SET state = 3, due_at = now() - interval '1 minute'")
    fence = docket.one("SELECT fence FROM relay_lease")
    plan = ran(relay, f"due_ready ({fence}, 0, 50, 'test')")
    won, = (part for part in plan["Plans"] if part.get("Subplan Name") == "CTE won")
    assert won["Actual Rows"] == 50 and won["Shared Hit Blocks"] + won["Shared Read Blocks"] < 50 * 50, won
