"""Each program's /metrics: well formed, complete, and true of what has happened."""
import os
import re
import sys

import pytest

from harness import metrics, must, wait_for
from harness.services import ROOT

sys.path.insert(0, os.path.join(ROOT, "ops/lib"))
import metrics as metrics_page  # noqa: E402 - ops/lib/metrics.py

PROGRAMS = tuple(metrics_page.PROGRAMS)


@pytest.fixture(scope="module")
def used(shop):
    """One order has been to its end, and one with a card that is declined."""
    told = shop.post_order()
    shop.wait_status(told.id, "fulfilled")
    declined = shop.post_order(payment={"method": "pm_card_visa_chargeDeclined"})
    shop.wait_status(declined.id, "payment_failed")
    return shop


@pytest.mark.parametrize("program", PROGRAMS)
def test_promtool_has_nothing_to_say(used, program):
    code, said = metrics.promtool("check", "metrics", stdin=metrics.page(used, program))
    must((code, said), (0, ""), f"what promtool says of {program}")


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_served_is_what_is_registered(used, program):
    """So that docs/metrics.md, which comes from --metrics, has every one."""
    served = {(name, kind) for name, kind in
              re.findall(r"^# TYPE (\S+) (\S+)$", metrics.page(used, program), re.M)}
    registered = {(name, kind) for name, kind, _, _ in
                  metrics_page.series(used.services.build, program)}
    must(served, registered, f"metrics of {program}")


def test_the_page_of_metrics_is_the_one_of_the_code(used):
    with open(os.path.join(ROOT, "docs/metrics.md"), encoding="utf-8") as file:
        assert file.read() == metrics_page.page(used.services.build), \
            "run: python3 ops/lib/metrics.py > docs/metrics.md"


def test_every_stage_of_an_order_is_counted_and_timed(used):
    for label, name, labels in (
            ("api", "docket_accept_seconds_count", ""),
            ("api", "docket_batch_seconds_count", 'batch="accept"'),
            ("api", "docket_batch_tickets_count", 'batch="accept"'),
            ("relay", "docket_relay_confirm_seconds_count", ""),
            ("relay", "docket_batch_seconds_count", 'batch="settle"'),
            ("payment", "docket_worker_handover_seconds_count", 'stage="payment"'),
            ("payment", "docket_worker_task_seconds_count", 'stage="payment"'),
            ("payment", "docket_batch_seconds_count", 'batch="claim"'),
            ("payment", "docket_outside_seconds_count", 'outside="stripe",operation="confirm"'),
            ("payment", "docket_outside_calls_total",
             'outside="stripe",operation="confirm",result="state"'),
            ("payment", "docket_outside_calls_total",
             'outside="stripe",operation="confirm",result="declined"'),
            ("fulfilment", "docket_worker_task_seconds_count", 'stage="fulfilment"'),
            ("fulfilment", "docket_outside_calls_total",
             'outside="carrier",operation="ship",result="shipped"')):
        assert metrics.value(used, label, name, labels) >= 1, f"{label}: {name}{{{labels}}}"


def test_an_order_is_timed_from_its_acceptance_to_its_end(used):
    end = metrics.read(used, "fulfilment")
    labels = 'status="fulfilled"'
    must(end["docket_order_seconds_count", labels], 1, "orders that have ended")
    assert 0 < end["docket_order_seconds_sum", labels] < 30


def test_a_message_is_handed_over_in_the_time_it_takes(used):
    read = metrics.read(used, "payment")
    mean = read["docket_worker_handover_seconds_sum", 'stage="payment"'] / \
        read["docket_worker_handover_seconds_count", 'stage="payment"']
    assert 0 <= mean < 5, mean  # by two programs' ideas of the database's clock


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_process_tells_of_itself(used, program):
    read = metrics.read(used, program)
    must(read["docket_ready", ""], 1, "ready")
    must(read["docket_postgres_links", ""], read["docket_postgres_links_up", ""], "links")
    assert read["process_cpu_seconds_total", ""] > 0
    assert read["process_resident_memory_bytes", ""] > 1e6
    assert 5 < read["process_open_fds", ""] < read["process_max_fds", ""]
    assert read["docket_loop_lag_seconds_count", ""] > 0
    assert abs(read["docket_clock_ahead_seconds", ""]) < 1
    if program != "api":
        must(read["docket_broker_links_up", ""], read["docket_broker_links", ""], "broker links")


def at_risk(used):
    return metrics.read(used, "relay").get(("docket_dead_letters_at_risk_minor_units", 'currency="EUR"'))


def test_the_backlog_is_what_the_database_says(used):
    must(at_risk(used), None, "money at risk in a shop without a dead letter")
    used.sql("INSERT INTO dead_letter (stage, fingerprint, fault_kind, fault_code, fault_text, "
             "attempts, crashes, amount, currency, history, created_at) VALUES (1, 'x', 'x', 'x', "
             "'x', 1, 0, 100, 'EUR', '[]', now() - interval '1 hour')")
    used.fault("confirm", "act_then_reset")
    used.fault("retrieve", "reset")
    told = used.post_order()
    wait_for(lambda: metrics.value(used, "relay", "docket_payments_unknown") == 1, 20, "it is seen")
    assert 0 <= metrics.value(used, "relay", "docket_payments_unknown_oldest_seconds") < 30
    must(metrics.value(used, "relay", "docket_dead_letters_open"), 1, "open dead letters")
    wait_for(lambda: at_risk(used) == 100, 20, "the money that is at risk")
    assert 3600 <= metrics.value(used, "relay", "docket_dead_letters_oldest_seconds") < 3700
    wait_for(lambda: metrics.value(used, "relay", "docket_tasks_waiting") >= 1, 20, "the declined customer may pay yet")
    assert metrics.value(used, "relay", "docket_postgres_database_bytes") > 1e6
    used.no_faults()
    used.sql("DELETE FROM dead_letter WHERE fault_code = 'x'")
    wait_for(lambda: at_risk(used) == 0, 20, "no money is at risk")
    used.wait_status(told.id, "fulfilled", deadline_s=40)
