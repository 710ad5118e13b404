"""The three answers when Postgres is slow, gone, frozen, or must wait for a standby."""
import concurrent.futures
import contextlib
import threading
import time

import psycopg2
import pytest

from harness import wait_for
from harness.client import new_key


def open_shop(docket, **env):
    """Only the API; one order shows that its memory is warm."""
    docket.start("api", env=env)
    docket.stock_up()
    docket.make_keys()
    assert docket.post_order().status == 202
    return docket


@pytest.fixture
def shop(docket_fresh):
    return open_shop(docket_fresh)


def try_until_it_waits(services):
    """The reload reaches the process that makes commits wait a moment later: a stranger tries it,
    and is cut off when it is seen to wait."""
    over = threading.Event()

    def commit():
        with contextlib.suppress(psycopg2.Error):
            while not over.is_set():
                services.admin("SELECT pg_logical_emit_message(true, 'probe', '')")

    stranger = threading.Thread(target=commit)
    stranger.start()
    try:
        wait_for(lambda: services.admin("SELECT count(*) FROM pg_stat_activity "
                                        "WHERE wait_event = 'SyncRep'")[0][0], 20, "commits wait")
    finally:
        over.set()
        services.admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                       "WHERE query LIKE 'SELECT pg_logical_emit_message(%probe%'")
        stranger.join()


@pytest.fixture
def standby(services):
    """Called: commits wait for a standby that is not there, from now on; undone at the end."""
    def ask_for_standby():
        services.admin("ALTER SYSTEM SET synchronous_standby_names = 'nowhere'")
        services.admin("SELECT pg_reload_conf()")
        wait_for(lambda: services.admin("SHOW synchronous_standby_names")[0][0] == "nowhere", 20,
                 "the setting holds")
        try_until_it_waits(services)

    def let_go():
        services.admin("ALTER SYSTEM RESET synchronous_standby_names")
        services.admin("SELECT pg_reload_conf()")
        wait_for(lambda: services.admin("SHOW synchronous_standby_names")[0][0] == "", 20,
                 "the setting is gone")

    ask_for_standby.let_go = let_go
    yield ask_for_standby
    let_go()


def orders_of(shop, key):
    return shop.one("SELECT count(*) FROM order_key WHERE key = %s AND order_id IS NOT NULL", key)


def in_background(call):
    pool = concurrent.futures.ThreadPoolExecutor(1)
    future = pool.submit(call)
    pool.shutdown(wait=False)
    return future


def waiting_for_standby(services):
    return services.admin("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'")


def test_a_frozen_postgres_is_answered_in_time_and_never_yes(shop, services):
    key, body = new_key(), shop.order_body()
    services.postgres_freeze()
    try:
        begun = time.monotonic()
        told = shop.post_order(body, key, timeout_s=15)
        assert told.status == 503 and told.json["accepted"] == "unknown", told
        assert told.code in ("outcome_unknown", "temporarily_unavailable")
        assert "retry-after" in told.headers and time.monotonic() - begun < 10
        begun = time.monotonic()
        soon = shop.post_order(headers={"Request-Timeout-Ms": "300"}, timeout_s=15)
        assert soon.json["accepted"] == "unknown" and time.monotonic() - begun < 4.5
    finally:
        services.postgres_thaw()
    answer = shop.post_until_told(body, key)
    assert answer.status == 202 and orders_of(shop, key) == 1


def test_the_same_key_in_flight_here_is_told_so_after_a_second(shop, services):
    key, body = new_key(), shop.order_body()
    services.postgres_freeze()
    try:
        begun = time.monotonic()
        both = [in_background(lambda: (shop.post_order(body, key, timeout_s=15),
                                       time.monotonic() - begun)) for _ in range(2)]
        (told, took), (late, _) = sorted((one.result(15) for one in both), key=lambda one: one[1])
        assert (told.status, told.code) == (409, "idempotency_in_flight"), told
        assert told.json["accepted"] == "unknown" and 0.5 < took < 4.5
        assert late.status == 503 and late.json["accepted"] == "unknown"
    finally:
        services.postgres_thaw()
    assert shop.post_until_told(body, key).status == 202


def test_whose_key_is_taken_by_nobody_knows_whom_is_unknown(shop):
    """They are passed over, and the look-ups that would say for whom take too long, or are not sent in time: it may be
    these very orders, sent twice."""
    firsts, begun = [shop.post_order() for _ in range(4)], []
    kept = shop.one("SELECT pg_get_functiondef('order_terms'::regproc)")
    shop.restart("api")  # it remembers no keys
    shop.sql(kept.replace("BEGIN", "BEGIN PERFORM pg_sleep(4);"))
    try:
        for first in firsts:
            begun.append(in_background(lambda first=first: shop.post_order(
                first.body, first.key, headers={"Request-Timeout-Ms": "1500"}, timeout_s=15)))
            wait_for(lambda: shop.one("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
                     >= min(len(begun), 2), 20, "it is looked up, as far as there are links")
        for one in begun:
            told = one.result(15)
            assert told.status == 503 and told.json["accepted"] == "unknown", told
            assert told.code == "outcome_unknown" and told.json.get("stored_by_this_request") is not False, told
    finally:
        shop.sql(kept)
    for first in firsts:
        assert shop.post_until_told(first.body, first.key).id == first.id and orders_of(shop, first.key) == 1


def test_too_many_waiting_are_shed_before_anything_is_looked_up(docket_fresh, services):
    shop = open_shop(docket_fresh, DOCKET_ACCEPT_WAITING_MAX=2)
    services.postgres_freeze()
    try:
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            told = list(pool.map(lambda n: shop.post_order(timeout_s=15), range(24)))
    finally:
        services.postgres_thaw()
    shed = [answer for answer in told if answer.code == "overloaded"]
    assert shed, told
    for answer in shed:
        assert answer.status == 503 and answer.json["accepted"] == "unknown"
        assert answer.json["stored_by_this_request"] is False and answer.headers["retry-after"]
        assert orders_of(shop, answer.key) == 0


def test_a_restart_of_postgres_under_load_loses_nothing(shop, services):
    stop, told, lock = threading.Event(), [], threading.Lock()

    def customer():
        while not stop.is_set():
            answer = shop.post_until_told(deadline_s=60)
            with lock:
                told.append(answer)

    threads = [threading.Thread(target=customer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for round_number in range(2):
        before = len(told)
        wait_for(lambda: len(told) > before + 20, 30, "orders are accepted")
        services.postgres_restart_immediate()
    before = len(told)
    wait_for(lambda: len(told) > before + 20, 30, "orders are accepted again")
    stop.set()
    for thread in threads:
        thread.join(60)
    assert {answer.status for answer in told} == {202}
    for answer in told:
        assert orders_of(shop, answer.key) == 1
        assert shop.post_order(answer.body, answer.key).answer.body == answer.answer.body
    assert shop.one("SELECT count(*) FROM orders") == len(told) + 1  # open_shop's


def test_without_the_standby_nothing_is_accepted(shop, services, standby):
    key, body = new_key(), shop.order_body()
    standby()
    told = shop.post_order(body, key, timeout_s=15)
    assert told.status == 503 and told.json["accepted"] == "unknown", told
    standby.let_go()
    assert shop.post_until_told(body, key).status == 202
    assert orders_of(shop, key) == 1


def test_a_cancelled_wait_for_the_standby_is_no_commit(shop, services, standby):
    key, body = new_key(), shop.order_body()
    standby()
    answer = in_background(lambda: shop.post_order(body, key, timeout_s=15))
    for _ in range(2):
        pids = wait_for(lambda: waiting_for_standby(services), 10, "a commit waits")
        for pid, in pids:
            services.admin(f"SELECT pg_cancel_backend({pid})")
    told = answer.result(20)
    assert told.status == 503 and told.json["accepted"] == "unknown", told
    standby.let_go()
    assert shop.post_until_told(body, key).status == 202
    assert orders_of(shop, key) == 1


def test_a_replay_waits_for_the_standby_too(shop, standby):
    first = shop.post_order()
    standby()
    again = shop.post_order(first.body, first.key, headers={"Request-Timeout-Ms": "1500"})
    assert again.json["accepted"] == "unknown", again
    refused = shop.post_order("{", new_key(), headers={"Request-Timeout-Ms": "1500"})
    assert refused.json["accepted"] == "unknown", refused
    standby.let_go()
    assert shop.post_until_told(first.body, first.key).answer.body == first.answer.body


def test_terminating_ends_long_polls_and_leaves_nothing_behind(shop):
    told = shop.post_order()
    poll = in_background(lambda: shop.read.get(f"/v1/orders/{told.id}?wait=50", timeout_s=60,
                                               headers={"If-None-Match": '"1"'}))
    wait_for(lambda: "docket_long_polls 1" in shop.operator.get("/metrics").body.decode(), 20,
             "the long poll waits")
    begun = time.monotonic()
    shop.stop("api")
    assert time.monotonic() - begun < 10
    assert poll.result(20).status == 304


# What it refuses to work with

def reason(docket):
    answer = docket.operator.get("/readyz")
    return answer.status, (answer.json or {}).get("reason", "") if answer.status else ""


def expect_reason(docket, text):
    wait_for(lambda: reason(docket)[0] == 503 and text in reason(docket)[1], 20,
             f"/readyz says {text}")


def test_without_the_schema_it_says_what_to_do_and_then_goes_on(docket_fresh):
    docket = docket_fresh
    docket.sql("DROP SCHEMA public CASCADE")
    docket.sql("CREATE SCHEMA public AUTHORIZATION docket_owner")
    docket.sql("GRANT USAGE ON SCHEMA public TO PUBLIC")
    docket.start("api", wait=False)
    expect_reason(docket, "docket migrate up")
    docket.docket("migrate", "up")
    docket.wait_ready("api")


def test_a_lone_primary_must_be_wanted(docket_fresh):
    docket_fresh.start("api", env={"DOCKET_SINGLE_NODE": 0}, wait=False)
    expect_reason(docket_fresh, "DOCKET_SINGLE_NODE=1")
    docket_fresh.restart("api")
    wait_for(lambda: b'"single_node":true' in docket_fresh.operator.get("/readyz").body, 20,
             "/readyz shows it")


def test_a_postgres_that_forgets_is_refused(docket_fresh, services):
    services.admin("ALTER ROLE docket_api SET synchronous_commit = off")
    try:
        docket_fresh.start("api", wait=False)
        expect_reason(docket_fresh, "synchronous_commit")
    finally:
        services.admin("ALTER ROLE docket_api RESET synchronous_commit")
    docket_fresh.wait_ready("api")


def test_a_wrong_setting_is_named(docket_fresh):
    docket_fresh.start("api", env={"DOCKET_TOKEN_KEYS": "1:short"}, wait=False)
    assert docket_fresh.wait_ended("api") == 2
    docket_fresh.expect_exit("api")
    assert "DOCKET_TOKEN_KEYS" in docket_fresh.log("api")
