"""The sandbox's troubles, its ledgers as a witness, and its process."""
import asyncio
import http.client
import json
import resource
import socket
import subprocess
import time

import pytest

from harness.sandbox import BINARY, FSYNC_FAILS, INSUFFICIENT, SANITIZERS, Sandbox, wait_for


# --- troubles --------------------------------------------------------------------------------


def test_delay_acts_late_though_the_caller_has_left(sandbox):
    intent = sandbox.made()
    with pytest.raises(TimeoutError):
        sandbox.confirm(intent, key="k", fault="delay; ms=1000", timeout=0.2)
    assert sandbox.retrieve(intent)["status"] == "requires_confirmation"
    wait_for(lambda: sandbox.retrieve(intent)["status"] == "succeeded", "the late confirm")
    assert sandbox.confirm(intent, key="k").headers["Idempotent-Replayed"] == "true"


def test_decline_by_rule_is_one_orders_affair(sandbox):
    sandbox.rule("decline", op="confirm", order="ord_1", code="lost_card")
    answer = sandbox.confirm(sandbox.made("ord_1"))
    assert (answer.status, answer.error["decline_code"]) == (402, "lost_card")
    sandbox.paid("ord_2")


@pytest.mark.parametrize("fault, acts", [("hang", False), ("act_then_hang", True)])
def test_hang_gives_no_answer(sandbox, fault, acts):
    intent = sandbox.made()
    with pytest.raises(TimeoutError):
        sandbox.confirm(intent, key="k", fault=fault, timeout=0.3)
    assert sandbox.kinds() == ["intent", "charge"][:1 + acts]
    replayed = sandbox.confirm(intent, key="k")
    assert replayed.status == 200
    assert ("Idempotent-Replayed" in replayed.headers) == acts
    wait_for(lambda: sandbox.calls()["open"] == 0, "the hung call ends with its caller")


def test_hang_ends_after_its_time(sandbox):
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        sandbox.create(fault="hang; ms=50")


@pytest.mark.parametrize("fault, acts", [("reset", False), ("act_then_reset", True)])
def test_reset_is_a_rst(sandbox, fault, acts):
    intent = sandbox.made()
    with pytest.raises(ConnectionResetError) as left:
        sandbox.confirm(intent, key="k", fault=fault)
    assert left.type is ConnectionResetError, "a mere close is RemoteDisconnected"
    assert sandbox.kinds() == ["intent", "charge"][:1 + acts]
    assert ("Idempotent-Replayed" in sandbox.confirm(intent, key="k").headers) == acts


def test_act_then_500_acts_and_keeps_the_500(sandbox):
    intent = sandbox.made()
    assert sandbox.confirm(intent, key="k", fault="act_then_500").status == 500
    assert sandbox.confirm(intent, key="k").status == 500
    assert sandbox.retrieve(intent)["status"] == "succeeded"
    assert sandbox.kinds() == ["intent", "charge"]


def test_a_wrong_amount_is_in_the_answer_only(sandbox):
    intent = sandbox.made()
    wrong = sandbox.confirm(intent, key="k", fault="wrong_amount")
    assert (wrong.status, wrong.json["amount"], wrong.json["status"]) == (200, 1251, "succeeded")
    assert sandbox.retrieve(intent)["amount"] == 1250
    assert [fact["amount"] for fact in sandbox.ledger()] == [1250, 1250]


def test_a_429_is_not_bound_to_the_key(sandbox):
    intent = sandbox.made()
    limited = sandbox.confirm(intent, key="k", fault="rate_limit; ms=3000")
    assert (limited.status, limited.headers["Retry-After"]) == (429, "3")
    assert limited.error["code"] == "rate_limit"
    assert sandbox.confirm(intent, key="k").json["status"] == "succeeded"


def test_a_503_is_not_bound_to_the_key(sandbox):
    intent = sandbox.made()
    assert sandbox.confirm(intent, key="k", fault="unavailable").status == 503
    assert sandbox.confirm(intent, key="k").json["status"] == "succeeded"


def test_a_torn_answer_stops_half_way(sandbox):
    intent = sandbox.made()
    with pytest.raises(http.client.IncompleteRead) as torn:
        sandbox.confirm(intent, key="k", fault="torn")
    assert torn.value.partial and torn.value.expected > 0
    assert sandbox.kinds() == ["intent", "charge"]
    assert sandbox.confirm(intent, key="k").headers["Idempotent-Replayed"] == "true"


def test_a_drip_comes_slowly_and_whole(sandbox):
    intent = sandbox.made()
    begin = time.monotonic()
    answer = sandbox.confirm(intent, fault="drip; ms=400")
    assert answer.json["status"] == "succeeded"
    assert 0.3 < time.monotonic() - begin < 4


def test_a_drip_ends_when_its_reader_leaves(sandbox):
    with pytest.raises(TimeoutError):
        sandbox.create(fault="drip; ms=60000", timeout=0.2)
    wait_for(lambda: sandbox.calls()["open"] == 0, "the drip is over", deadline_s=10)


def test_rules_match_by_method_and_are_used_up(sandbox):
    sandbox.rule("rate_limit", times=2, op="create", method=INSUFFICIENT)
    answers = [sandbox.create(method=method).status for method in
               ("pm_card_visa", INSUFFICIENT, INSUFFICIENT, INSUFFICIENT)]
    assert answers == [200, 429, 429, 200]
    assert sandbox.call("GET", "/sandbox/rules").json == {"data": []}


@pytest.mark.parametrize("op, act", [
    ("create", lambda s, i: s.create()),
    ("confirm", lambda s, i: s.confirm(i)),
    ("retrieve", lambda s, i: s.call("GET", f"/v1/payment_intents/{i}")),
    ("cancel", lambda s, i: s.post(f"/v1/payment_intents/{i}/cancel")),
    ("capture", lambda s, i: s.post(f"/v1/payment_intents/{i}/capture")),
    ("refund", lambda s, i: s.post("/v1/refunds", payment_intent=i)),
    ("ship", lambda s, i: s.ship()),
    ("lookup", lambda s, i: s.call("GET", "/shipments?reference=ref_1")),
])
def test_every_op_can_be_troubled_until_the_rules_are_deleted(sandbox, op, act):
    intent = sandbox.made()
    before = sandbox.ledger()
    sandbox.rule("unavailable", op=op)
    assert [act(sandbox, intent).status for _ in range(3)] == [503] * 3
    assert sandbox.ledger() == before
    assert sandbox.call("DELETE", "/sandbox/rules").status == 204
    assert act(sandbox, intent).status != 503


@pytest.mark.parametrize("method, path, body, says", [
    ("POST", "/sandbox/rules", '{"fault":"explode"}', "explode"),
    ("POST", "/sandbox/rules", '{"fault":"hang","match":{"opp":"ship"}}', "opp"),
    ("POST", "/sandbox/rules", '{"fault":"hang","times":0}', "times"),
    ("POST", "/sandbox/rules", "nonsense", "JSON"),
    ("PUT", "/sandbox/settings", '{"key_lifetime":1}', "key_lifetime"),
    ("PUT", "/sandbox/settings", '{"key_lifetime_s":-1}', "key_lifetime_s"),
    ("PUT", "/sandbox/settings", '{"reference_unaware":1}', "true or false"),
])
def test_unknown_knobs_are_refused_and_named(sandbox, method, path, body, says):
    answer = sandbox.call(method, path, body)
    assert answer.status == 400
    assert says in answer.error["message"], answer


def test_an_unknown_trouble_of_a_call_does_nothing(sandbox):
    answer = sandbox.create(key="k", fault="explode")
    assert (answer.status, answer.error["type"]) == (400, "sandbox_error")
    assert "act_then_hang" in answer.error["message"]
    assert sandbox.kinds() == []
    assert "Idempotent-Replayed" not in sandbox.create(key="k").headers


# --- the witness -----------------------------------------------------------------------------


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_is_in_the_file_before_the_answer(sandbox):
    """However soon it is killed: whoever was answered finds the fact in the file."""
    for round in range(10):
        intent = sandbox.made(f"ord_{round}")
        assert sandbox.confirm(intent).status == 200
        assert sandbox.ship(f"ref_{round}", f"ord_{round}").status == 201
        sandbox.kill()
        charges = [line["intent"] for line in lines_of(sandbox.directory / "provider.jsonl")
                   if line["kind"] == "charge"]
        shipped = [line["reference"] for line in lines_of(sandbox.directory / "carrier.jsonl")
                   if line["kind"] == "shipment"]
        assert (charges[-1], shipped[-1]) == (intent, f"ref_{round}")
        sandbox.start()


def test_nothing_is_answered_that_could_not_be_synced(tmp_path):
    sandbox = Sandbox(tmp_path / "ledgers", tmp_path / "log")
    asan = SANITIZERS["ASAN_OPTIONS"] + ":verify_asan_link_order=0"
    sandbox.start(LD_PRELOAD=FSYNC_FAILS, ASAN_OPTIONS=asan)
    with pytest.raises(ConnectionError):
        sandbox.create()
    assert sandbox.child.wait(timeout=5) == 1
    assert "provider.jsonl" in sandbox.log.read_text()


def test_everything_is_there_after_a_restart(sandbox):
    paid, held = sandbox.paid("ord_1"), sandbox.made("ord_2", capture_method="manual")
    sandbox.confirm(held)
    declined = sandbox.made("ord_3", method=INSUFFICIENT)
    sandbox.confirm(declined)
    refund = sandbox.post("/v1/refunds", key="r", payment_intent=paid, amount=1000)
    open_intent = sandbox.made("ord_4")
    sandbox.confirm(open_intent, key="k500", fault="fail_500")
    shipment = sandbox.ship(key="s").json
    intents = {intent: sandbox.retrieve(intent) for intent in (paid, held, declined, open_intent)}
    ledger = sandbox.ledger()
    sandbox.kill()
    sandbox.start()
    assert sandbox.ledger() == ledger
    assert {intent: sandbox.retrieve(intent) for intent in intents} == intents
    again = sandbox.post("/v1/refunds", key="r", payment_intent=paid, amount=1000)
    assert (again.body, again.headers["Idempotent-Replayed"]) == (refund.body, "true")
    assert sandbox.post("/v1/refunds", payment_intent=paid, amount=251).status == 400
    assert sandbox.confirm(open_intent, key="k500").status == 500
    assert sandbox.ship(key="other").json == shipment
    assert sandbox.look_up("ref_1") == [shipment]
    assert sandbox.confirm(open_intent, key="next").status == 200
    assert [fact["seq"] for fact in sandbox.ledger()] == \
        sorted({fact["seq"] for fact in sandbox.ledger()})
    listed = sandbox.call("GET", "/v1/payment_intents").json["data"]
    assert [intent["id"] for intent in listed] == [open_intent, declined, held, paid]


def test_a_torn_last_line_is_forgotten(sandbox):
    intent = sandbox.paid()
    sandbox.kill()
    with open(sandbox.directory / "provider.jsonl", "a") as file:
        file.write('{"seq":99,"kind":"charge","intent":"pi_')
    sandbox.start()
    assert sandbox.retrieve(intent)["status"] == "succeeded"
    sandbox.paid("ord_2")
    sandbox.kill()
    sandbox.start()
    assert sandbox.kinds() == ["intent", "charge"] * 2


def test_the_ledger_of_one_order(sandbox):
    sandbox.paid("ord_1")
    sandbox.paid("ord_2")
    sandbox.ship("ref_1", "ord_1")
    assert sandbox.kinds("ord_1") == ["intent", "charge", "shipment"]
    assert sandbox.kinds("ord_3") == []


def test_without_a_directory_all_is_in_memory(tmp_path):
    sandbox = Sandbox(None, tmp_path / "log").start()
    sandbox.paid()
    sandbox.ship()
    assert sandbox.kinds() == ["intent", "charge", "shipment"]
    assert sandbox.stop() == 0
    assert list(tmp_path.iterdir()) == [tmp_path / "log"]


# --- the process -----------------------------------------------------------------------------


async def confirm_on(port, intent):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST /v1/payment_intents/{intent}/confirm HTTP/1.1\r\nHost: s\r\n"
                 f"Authorization: Bearer sk_x\r\nIdempotency-Key: {intent}\r\n"
                 "Content-Length: 0\r\n\r\n".encode())
    status = await reader.readline()
    writer.close()
    return int(status.split()[1])


async def confirm_all(port, intents):
    return await asyncio.gather(*(confirm_on(port, intent) for intent in intents))


def test_thousands_of_calls_wait_at_once(sandbox):
    """Each on a connection of its own, all held, and all charged and synced in the end."""
    many = 2000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    try:
        intents = [sandbox.made(f"ord_{i}") for i in range(many)]
        sandbox.rule("delay", op="confirm", ms=3000)
        answers = asyncio.run(confirm_all(sandbox.port, intents))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert set(answers) == {200}
    assert sandbox.calls()["open_most"] >= many / 2
    assert sandbox.kinds().count("charge") == many


def test_sigterm_ends_it_also_with_calls_that_hang(sandbox):
    sandbox.rule("hang", op="create")
    sandbox.rule("delay", op="ship", ms=60000)
    links = []
    for path, body in (("/v1/payment_intents", ""), ("/shipments", "{}")):
        link = socket.create_connection(("127.0.0.1", sandbox.port), 5)
        link.sendall(f"POST {path} HTTP/1.1\r\nHost: s\r\nAuthorization: Bearer sk_x\r\n"
                     f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        links.append(link)
    wait_for(lambda: sandbox.calls()["open"] == 2, "both calls are held")
    assert sandbox.stop() == 0
    for link in links:
        link.close()


def run(**env):
    return subprocess.run([BINARY], env=SANITIZERS | env, capture_output=True, text=True,
                          timeout=10)


def test_a_wrong_setting_is_named(sandbox, tmp_path):
    wrong = run(DOCKET_SANDBOX_LISTEN="nowhere")
    assert wrong.returncode != 0 and "nowhere" in wrong.stderr
    busy = run(DOCKET_SANDBOX_LISTEN=f"127.0.0.1:{sandbox.port}")
    assert busy.returncode != 0 and str(sandbox.port) in busy.stderr
    unknown = run(DOCKET_SANDBOX_LISTEN="127.0.0.1:0", DOCKET_SANDBOX_DRI="/tmp")
    assert unknown.returncode != 0 and "DOCKET_SANDBOX_DRI" in unknown.stderr
    taken = run(DOCKET_SANDBOX_LISTEN="127.0.0.1:0", DOCKET_SANDBOX_DIR=str(sandbox.directory))
    assert taken.returncode != 0 and "in use" in taken.stderr


def test_settings_of_other_programs_do_not_disturb(tmp_path):
    sandbox = Sandbox(tmp_path / "ledgers", tmp_path / "log").start(DOCKET_PG="host=/nowhere")
    assert sandbox.call("GET", "/readyz").status == 200
    assert sandbox.stop() == 0
