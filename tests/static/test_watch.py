"""Alerts, runbooks and the dashboard: promtool reads them, they speak of metrics that exist, and each
alert fires on the series it is for and on no others."""
import json
import re
import subprocess

import pytest

import tree

RULES = "ops/prometheus/alerts.yml"
STRANGERS = {"up", "ALERTS", "node_filesystem_avail_bytes", "node_filesystem_size_bytes",
             "probe_ssl_earliest_cert_expiry"}
PROMQL = {"sum", "by", "max", "abs", "absent", "rate", "increase", "changes", "time", "and", "or", "le",
          "histogram_quantile", "outcome", "outside", "instance", "stage", "verdict", "why", "result",
          "batch", "operation", "min", "then", "currency"}

# What makes each alert fire (a series and its values, one a minute), and what does not.
RISING, FLAT = "0+10x30", "5x30"
TABLE = {
    "DocketDown": ({'up{job="docket"}': "0x30"}, {'up{job="docket"}': "1x30"}),
    "DocketNotReady": ({"docket_ready": "0x30"}, {"docket_ready": "1x30"}),
    "DocketPostgresAway": ({"docket_postgres_links_up": "0x30", "docket_postgres_links": "9x30"},
                           {"docket_postgres_links_up": "1x30", "docket_postgres_links": "9x30"}),
    "DocketPostgresRefuses": ({'docket_postgres_faults_total{blames="server"}': RISING},
                              {'docket_postgres_faults_total{blames="lock"}': RISING}),
    "DocketAcceptUnknown": ({'docket_orders_total{outcome="unknown"}': "0+1x30",
                             'docket_orders_total{outcome="accepted"}': "0+9x30"},
                            {'docket_orders_total{outcome="unknown"}': "0+1x30",
                             'docket_orders_total{outcome="accepted"}': "0+99x30"}),
    "DocketAcceptSlow": ({'docket_accept_seconds_bucket{le="0.8192"}': "0+9x30",
                          'docket_accept_seconds_bucket{le="1.6384"}': "0+10x30",
                          'docket_accept_seconds_bucket{le="+Inf"}': "0+10x30"},
                         {'docket_accept_seconds_bucket{le="0.8192"}': "0+10x30",
                          'docket_accept_seconds_bucket{le="+Inf"}': "0+10x30"}),
    "DocketShedding": ({'docket_accept_shed_total{then="answered"}': "0+1x30",
                        'docket_orders_total{outcome="accepted"}': "0+50x30"},
                       {'docket_accept_shed_total{then="answered"}': "0+1x30",
                        'docket_orders_total{outcome="accepted"}': "0+200x30"}),
    "DocketOutboxOld": ({"docket_outbox_oldest_seconds": "61x30"},
                        {"docket_outbox_oldest_seconds": "59x30"}),
    "DocketBrokerBlocked": ({"docket_relay_broker_blocked": "1x30"},
                            {"docket_relay_broker_blocked": "0x30"}),
    "DocketBrokerAway": ({"docket_broker_links_up": "1x30", "docket_broker_links": "2x30"},
                         {"docket_broker_links_up": "2x30", "docket_broker_links": "2x30"}),
    "DocketNoRelayLeads": ({"docket_relay_lease_held": "0x30"},
                           {'docket_relay_lease_held{instance="a"}': "0x30",
                            'docket_relay_lease_held{instance="b"}': "1x30"}),
    "DocketNoWorker": ({'docket_worker_jobs{stage="payment"}': "0x30"},
                       {'docket_worker_jobs{stage="payment"}': "0x30",
                        'docket_worker_jobs{stage="fulfilment"}': "0x30"}),
    "DocketSweeps": ({'docket_relay_sweeps_total{why="swept"}': RISING},
                     {'docket_relay_sweeps_total{why="worker_lost"}': RISING}),
    "DocketDeadLetters": ({"docket_worker_dead_letters_total": RISING},
                          {"docket_worker_dead_letters_total": FLAT}),
    "DocketDeadLettersForgotten": ({"docket_dead_letters_oldest_seconds": "86401x30"},
                                   {"docket_dead_letters_oldest_seconds": "86399x30"}),
    "DocketPaymentsUnknown": ({"docket_payments_unknown_oldest_seconds": "901x30"},
                              {"docket_payments_unknown_oldest_seconds": "899x30"}),
    "DocketRefundsUnknown": ({"docket_refunds_unknown_oldest_seconds": "901x30"},
                             {"docket_refunds_unknown_oldest_seconds": "899x30"}),
    "DocketOutsideFailing": ({'docket_outside_calls_total{result="unknown"}': "0+6x30",
                              'docket_outside_calls_total{result="state"}': "0+4x30"},
                             {'docket_outside_calls_total{result="declined"}': "0+6x30",
                              'docket_outside_calls_total{result="unknown"}': "0+4x30"}),
    "DocketWebhooksRefused": ({'docket_webhooks_total{outcome="bad_signature"}': RISING},
                              {'docket_webhooks_total{outcome="duplicate"}': RISING}),
    "DocketOrphans": ({"docket_orphans_open": "1x30"}, {"docket_orphans_open": "0x30"}),
    "DocketOrphanSweepLate": ({"docket_orphan_sweep_age_seconds": "7201x30"},
                              {"docket_orphan_sweep_age_seconds": "7199x30"}),
    "DocketBreakerOpen": ({"docket_breaker_state": "2x30"}, {"docket_breaker_state": "4x30"}),
    "DocketTasksParked": ({"docket_tasks_parked_oldest_seconds": "901x30"},
                          {"docket_tasks_parked_oldest_seconds": "899x30"}),
    "DocketReplayStopped": ({"docket_replay_stops_total": RISING},
                            {"docket_replay_stops_total": FLAT}),
    "DocketBrokerRefuses": ({'docket_relay_verdicts_total{verdict="returned"}': RISING},
                            {'docket_relay_verdicts_total{verdict="acked"}': RISING}),
    "DocketPoison": ({"docket_worker_takeovers_total": RISING},
                     {"docket_worker_takeovers_total": FLAT}),
    "DocketCrashing": ({'process_start_time_seconds{job="docket"}': "0+60x30"},
                       {'process_start_time_seconds{job="docket"}': FLAT}),
    "DocketPartitionsMissing": ({"docket_partitions_missing": "1x30"},
                                {"docket_partitions_missing": "0x30"}),
    "DocketTransactionHeldOpen": ({"docket_postgres_transaction_held_seconds": "301x30"},
                                  {"docket_postgres_transaction_held_seconds": "299x30"}),
    "DocketXidAge": ({"docket_postgres_xid_age": "1100000000x30"},
                     {"docket_postgres_xid_age": "200000000x30"}),
    "DocketTasksLate": ({"docket_tasks_late_seconds": "61x30"},
                        {"docket_tasks_late_seconds": "59x30"}),
    "DocketClockSkew": ({"docket_clock_ahead_seconds": "-3x30"},
                        {"docket_clock_ahead_seconds": "1x30"}),
    "DocketLoopLag": ({'docket_loop_lag_seconds_bucket{le="0.2048"}': "0+9x30",
                       'docket_loop_lag_seconds_bucket{le="0.4096"}': "0+10x30",
                       'docket_loop_lag_seconds_bucket{le="+Inf"}': "0+10x30"},
                      {'docket_loop_lag_seconds_bucket{le="0.2048"}': "0+10x30",
                       'docket_loop_lag_seconds_bucket{le="+Inf"}': "0+10x30"}),
    "DocketFilesRunOut": ({'process_open_fds{job="docket"}': "90x30",
                           'process_max_fds{job="docket"}': "100x30"},
                          {'process_open_fds{job="docket"}': "70x30",
                           'process_max_fds{job="docket"}': "100x30"}),
    "DocketDiskFilling": ({'node_filesystem_avail_bytes{mountpoint="/"}': "9x30",
                           'node_filesystem_size_bytes{mountpoint="/"}': "100x30"},
                          {'node_filesystem_avail_bytes{mountpoint="/"}': "11x30",
                           'node_filesystem_size_bytes{mountpoint="/"}': "100x30"}),
    "DocketCertificateExpires": ({"docket_tls_expires_seconds": "86400x120"},
                                 {"docket_tls_expires_seconds": "0x120",
                                  "probe_ssl_earliest_cert_expiry": "86400000x120"}),
}


def blocks():
    """{alert: the text of its rule}."""
    found = re.split(r"^      - alert: (\w+)\n", tree.text(RULES), flags=re.M)
    return dict(zip(found[1::2], found[2::2]))


def expressions():
    """Every expression of the rules and of the dashboard."""
    found = [json.loads(text) for text in re.findall(r"^        expr: (\".*\")$", tree.text(RULES), re.M)]
    for panel in json.loads(tree.text("ops/grafana/docket.json"))["panels"]:
        found += [target["expr"].replace("$__rate_interval", "1m") for target in panel["targets"]]
    return found


def promtool(tmp_path, name, document, *arguments):
    path = tmp_path / name
    path.write_text(json.dumps(document))  # JSON is YAML
    done = subprocess.run(["promtool", *arguments, str(path)], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_every_expression(tmp_path):
    subprocess.run(["promtool", "check", "rules", tree.ROOT + "/" + RULES], check=True)
    rules = [{"record": f"test:{n}", "expr": text} for n, text in enumerate(expressions())]
    promtool(tmp_path, "rules.yml", {"groups": [{"name": "all", "rules": rules}]}, "check", "rules")


def test_every_expression_is_of_metrics_that_exist():
    known = set(re.findall(r"^\| `(\w+)` \| (?:counter|gauge)", tree.text("docs/metrics.md"), re.M))
    for name in re.findall(r"^\| `(\w+)` \| histogram", tree.text("docs/metrics.md"), re.M):
        known |= {name + suffix for suffix in ("_bucket", "_sum", "_count")}
    known |= STRANGERS | set(re.findall(r"- record: (\S+)", tree.text(RULES)))
    for text in expressions():
        bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\"[^\"]*\"", "", text)
        used = set(re.findall(r"[a-z_A-Z][\w:]*", bare)) - PROMQL
        assert used <= known, f"{used - known} in {text}"


@pytest.mark.parametrize("alert", TABLE)
def test_an_alert_fires_on_its_series_and_on_no_other(tmp_path, alert):
    cases = [{"interval": "1m",
              "input_series": [{"series": name, "values": values} for name, values in series.items()],
              "promql_expr_test": [{
                  "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)',
                  "eval_time": "90m" if "Certificate" in alert else "25m",
                  "exp_samples": [{"labels": "{}", "value": expected}]}]}
             for series, expected in zip(TABLE[alert], (1, 0))]
    promtool(tmp_path, "tests.yml", {"rule_files": [tree.ROOT + "/" + RULES],
                                     "evaluation_interval": "1m", "tests": cases}, "test", "rules")


def test_every_alert_is_tested_and_has_its_runbook_and_the_other_way_round():
    alerts = set(blocks())
    assert alerts == set(TABLE)
    page = tree.text("docs/runbooks.md")
    assert re.findall(r"^## (\w+)$", page, re.M) == list(blocks()), "sections, in the rules' order"
    for alert, text in blocks().items():
        assert f"runbook_url: docs/runbooks.md#{alert.lower()}\n" in text
        assert re.search(r"^          severity: (critical|warning)$", text, re.M), alert
        assert "summary: " in text and "description: " in text, alert


def test_every_runbook_is_walked():
    walks = "".join(tree.text(f"tests/flow/test_runbooks_{part}.py") for part in ("edge", "work", "money"))
    fired = {name for call in re.findall(r"(?:fires|is_firing)\(([^)]*)\)", walks) for name in re.findall(r"Docket\w+", call)}
    typed = set(re.findall(r'(?:follow|shows)\("(\w+)"', walks))
    assert fired == typed == set(blocks())


def test_a_runbook_says_what_it_means_how_bad_what_to_do_and_when_it_is_over():
    sections = re.split(r"^## ", tree.text("docs/runbooks.md"), flags=re.M)[1:]
    for section in sections:
        for title in ("What it means", "How bad", "What to do", "Over when"):
            assert f"**{title}.** " in section, section.splitlines()[0]


def test_the_targets_are_those_of_the_environment():
    done = subprocess.run([tree.ROOT + "/ops/prometheus/targets"], check=True, capture_output=True,
                          text=True, env={"PATH": "/usr/bin:/bin", "DOCKET_METRICS_URLS":
                                          "http://127.0.0.1:1/metrics http://127.0.0.1:2/metrics"})
    assert json.loads(done.stdout) == [{"targets": ["127.0.0.1:1", "127.0.0.1:2"]}]
