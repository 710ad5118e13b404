"""docket doctor: each fault that can be planted is named, and the cure that it names, really typed, mends it."""
import glob
import json
import os
import re
import shlex
import subprocess
import time

import pytest

from docket_local import postgres, process, rabbitmq
from harness import must, wait_for
from harness.services import ROOT
from harness.walk import IS_ASAN, blocks


def environment(shop, **changes):
    """As an operator would set it who may see everything; None: not set."""
    secret = shop.home.secret("rabbitmq")
    env = {name: value for name, value in os.environ.items() if not name.startswith("DOCKET_")}
    env |= shop.world.environment("docket") | {
        "DOCKET_AMQP": shop.world.amqp(),
        "DOCKET_PG": postgres.conninfo(shop.home, postgres.SUPERUSER, shop.database),
        "DOCKET_MANAGEMENT_URL": f"http://{rabbitmq.USER}:{secret}@127.0.0.1:{shop.home.port('management')}"}
    return {name: value for name, value in (env | changes).items() if value is not None}


def doctor(shop, *options, code=None, **changes):
    """{check: [(state, what it says, cure)]}"""
    binary = os.path.join(shop.services.build, "ops/docket")
    done = subprocess.run([binary, "doctor", "--json", *options], env=environment(shop, **changes),
                          capture_output=True, text=True, timeout=40, check=False)
    assert done.stdout, done.stderr
    answer = json.loads(done.stdout)
    must(done.returncode, (1 if answer["fail"] else 0) if code is None else code, f"exit code with {answer}, and {done.stderr[-3000:]}")
    found = {}
    for one in answer["findings"]:
        found.setdefault(one["check"], []).append((one["state"], one["says"], one.get("mend", "")))
    return found


def finding(found, check, state, words):
    """The cure of the one finding of that check which says these words."""
    fitting = [mend for kind, says, mend in found.get(check, []) if kind == state and words in says]
    assert len(fitting) == 1, f"no {state} of {check} with {words!r}: {found}"
    assert fitting[0], "it says no cure"
    return fitting[0]


def bad(found):
    return {check: rows for check, rows in found.items() if any(row[0] in ("fail", "warn") for row in rows)}


@pytest.fixture
def must_be_well_again(shop):
    """What a test has planted, its cure has mended."""
    yield
    left = {}

    def is_well():
        left.clear()
        left.update(bad(doctor(shop)))
        return set(left) == {"postgres.standby"}

    try:
        wait_for(is_well, 30, "all is well again", every_s=0.3)
    except AssertionError as error:
        raise AssertionError(f"{error}: {left}") from None


plants = pytest.mark.usefixtures("must_be_well_again")


def type_sql(shop, sentence):
    """The cure as a person types it: what stands before the words to him."""
    shop.sql(re.split(r", if |; | or (?=SELECT)", sentence)[-1 if " or SELECT" in sentence else 0])


def test_a_shop_that_runs_is_well(shop):
    found = doctor(shop, code=0)
    must({check: rows[0][0] for check, rows in found.items() if rows[0][0] != "ok"},
         {"postgres.standby": "warn"}, "what is not ok")
    assert {"settings", "clock.api", "clock.database", "roles.grants", "schema.partitions", "postgres.disk",
            "audit.chain", "work", "broker"} <= set(found)
    doctor(shop, "--strict", code=1)
    must(finding(doctor(shop, DOCKET_SINGLE_NODE="0"), "postgres.standby", "fail", "no standby")[:3], "set",
         "the cure")


def test_who_may_see_less_is_told_so(shop):
    found = doctor(shop, DOCKET_PG=shop.world.pg("docket_owner"), DOCKET_AMQP=None, DOCKET_MANAGEMENT_URL=None)
    assert "pg_monitor" in finding(found, "postgres.transactions", "skip", "not shown")
    assert "DOCKET_AMQP" in finding(found, "broker", "skip", "not set")
    assert "DOCKET_PG" in finding(doctor(shop, DOCKET_PG=None), "postgres", "skip", "not set")


SQL_FAULTS = {
    "commits that are not waited for": (
        "ALTER ROLE docket_api IN DATABASE {db} SET synchronous_commit = off",
        "postgres.synchronous_commit", "fail", "docket_api"),
    "commits of all that are not waited for": (
        "ALTER DATABASE {db} SET synchronous_commit = off", "postgres.synchronous_commit", "fail", "is set in database"),
    "a grant that was taken away": (
        "REVOKE INSERT ON outbox FROM docket_api", "roles.grants", "fail", "docket_api lacks INSERT on outbox"),
    "a function that may not be called": (
        "REVOKE EXECUTE ON FUNCTION make_partitions(integer) FROM docket_relay", "roles.grants", "fail",
        "docket_relay lacks EXECUTE"),
    "a role that may not log in": (
        "ALTER ROLE docket_worker NOLOGIN", "roles.docket_worker", "fail", "may not log in"),
    "a role that may do too much": (
        "ALTER ROLE docket_relay CREATEDB", "roles.docket_relay", "warn", "more than"),
    "a role that may idle for ever": (
        "ALTER ROLE docket_relay RESET idle_in_transaction_session_timeout", "roles.docket_relay", "warn", "idle"),
    "a role without connections": (
        "ALTER ROLE docket_api CONNECTION LIMIT 1", "postgres.connections", "fail", "docket_api uses"),
    "a slot that nobody reads": (
        "SELECT pg_create_physical_replication_slot('forgotten', true)", "postgres.slots", "warn", "forgotten"),
}


@plants
def test_what_is_wrong_in_postgres_is_named_and_its_cure_mends_it(shop):
    """All at once: each has its own finding, and its own cure."""
    for fault, _, _, _ in SQL_FAULTS.values():
        shop.sql(fault.format(db=shop.database))
    found = doctor(shop)
    cures = {name: finding(found, check, state, words) for name, (_, check, state, words) in SQL_FAULTS.items()}
    for cure in cures.values():
        type_sql(shop, cure)


@plants
def test_who_holds_a_transaction_open_is_named(shop):
    stranger = shop.services.connect("postgres")
    with stranger.cursor() as cursor:
        cursor.execute("SET application_name = 'forgotten report'; SELECT pg_current_xact_id()")
    cure = wait_for(lambda: doctor(shop, "--held", "1s").get("postgres.transactions", [["ok"]])[0][0] == "warn" and
                    finding(doctor(shop, "--held", "1s"), "postgres.transactions", "warn", "forgotten report"),
                    10, "it is named", every_s=0.2)
    type_sql(shop, cure)
    wait_for(lambda: shop.one("SELECT count(*) FROM pg_stat_activity "
                              "WHERE application_name = 'forgotten report'") == 0, 10, "nobody holds it")
    stranger.close()


@plants
def test_a_database_that_is_read_only_is_named(shop):
    shop.sql(f"ALTER DATABASE {shop.database} SET default_transaction_read_only = on")
    cure = finding(doctor(shop), "postgres.read_only", "fail", "nothing can be accepted")
    shop.services.admin(cure.partition(",")[0])


def docket(shop, line):
    must(line.startswith("docket "), True, line)
    return shop.docket(*line.partition("(")[0].split()[1:])


@plants
def test_partitions_that_are_missing_are_named_and_made(shop):
    month = shop.one("SELECT to_char((now() + interval '7 days') AT TIME ZONE 'UTC', 'YYYY_MM')")
    shop.sql(f"DROP TABLE shipment_{month}")
    docket(shop, finding(doctor(shop), "schema.partitions", "fail", f"shipment_{month}"))


@plants
def test_what_holds_a_month_that_is_to_go_is_named(shop):
    """An order of two months ago that is not final, as it is accepted on a machine whose clock is behind."""
    uuid, month = shop.one("SELECT (replace(month_floor(date_trunc('month', now()) - interval '2 months')::text, '-', ''))"
                           ", to_char(date_trunc('month', now()) - interval '2 months', 'YYYY_MM')")
    after = shop.one("SELECT month_floor(date_trunc('month', now()) - interval '1 month')::text")
    shop.sql(f"CREATE TABLE orders_{month} PARTITION OF orders FOR VALUES FROM ('{uuid}') TO ('{after}')")
    shop.sql(f"ALTER TABLE orders_{month} OWNER TO docket_owner")
    shop.sql("INSERT INTO orders (id, account_id, currency, items_total, shipping_total, total, shipping_method, "
             "payment_method, renderer, token_key, trace) VALUES (%s, 1, 'EUR', 1, 0, 1, 's', 'p', 1, 1, '')", uuid)
    assert "schema.months" not in doctor(shop)
    cure = finding(doctor(shop, DOCKET_RETENTION_MONTHS="1"), "schema.months", "warn", "not final")
    assert "not done" in shop.docket(*cure.partition(" says")[0].split()[1:])
    shop.sql("UPDATE orders SET final = true WHERE id = %s", uuid)
    assert "retire" in finding(doctor(shop, DOCKET_RETENTION_MONTHS="1"), "schema.months", "warn", "nothing holds it")
    shop.sql(f"DROP TABLE orders_{month}")


def test_a_database_without_a_schema_is_named(shop):
    name = shop.services.make_empty_database()
    owner = postgres.conninfo(shop.home, "docket_owner", name)
    cure = finding(doctor(shop, DOCKET_PG=owner), "schema.migrations", "fail", "lacks")
    shop.docket(*cure.split()[1:], env={"DOCKET_PG": owner})
    assert "schema.migrations" not in bad(doctor(shop, DOCKET_PG=owner))
    shop.services.drop_database(name)


@plants
def test_a_migration_that_was_edited_is_named(shop):
    kept = shop.one("UPDATE migration m SET checksum = 'x' FROM migration old WHERE m.version = 2 "
                    "AND old.version = 2 RETURNING old.checksum")
    assert "old text" in finding(doctor(shop), "schema.migrations", "fail", "0002_audit")
    shop.sql("UPDATE migration SET checksum = %s WHERE version = 2", kept)


@plants
def test_an_act_that_was_written_anew_is_named(shop):
    kept = shop.one("SELECT reason FROM audit WHERE id = 2")
    shop.sql("UPDATE audit SET reason = 'another' WHERE id = 2")
    assert "docket audit verify" in finding(doctor(shop), "audit.chain", "fail", "1 of the last")
    shop.sql("UPDATE audit SET reason = %s WHERE id = 2", kept)


def test_a_clock_that_differs_is_named(shop):
    """The very statement, told another time than it is."""
    with open(os.path.join(ROOT, "schema/statements/doctor_clock.sql"), encoding="utf-8") as file:
        sentence = re.sub("^--.*", "", file.read(), flags=re.M).replace("$1", "%s")
    for off_s, state, words in ((0, "ok", "agrees"), (-30, "warn", "30.0 s ahead of"), (30, "warn", "30.0 s behind")):
        _, kind, says, _ = shop.one(sentence, int((time.time() + off_s) * 1e6))
        assert kind == state and words in says, says


def start_as_told(shop, cure):
    """start docket-relay, start docket-worker payment…"""
    words = cure.partition(";")[0].split()
    must(words[0], "start", cure)
    shop.start(words[2] if words[1] == "docket-worker" else words[1].removeprefix("docket-"))


@plants
def test_what_does_not_run_is_named_and_started(shop):
    shop.stop("payment")
    shop.stop("relay")
    wait_for(lambda: {"work.relay", "work.workers"} <= set(doctor(shop)), 15, "both leases have run out", every_s=0.3)
    found = doctor(shop)
    start_as_told(shop, finding(found, "work.relay", "fail", "no relay leads"))
    start_as_told(shop, finding(found, "work.workers", "fail", "no payment worker"))
    assert "payment" in finding(found, "broker.consumers", "fail", "docket.payment")


@plants
def test_what_an_operator_holds_back_is_named_and_let_go(shop):
    shop.docket("pause", "carrier", "--reason", "a test")
    cure = finding(doctor(shop), "work.held", "warn", "carrier (a test)")
    shop.docket(*cure.partition(" --reason")[0].split()[1:], "--reason", "it is over")
    wait_for(lambda: shop.one("SELECT count(*) FROM breaker WHERE state <> 1") == 0, 20, "it has closed")


def test_an_api_that_is_away_or_refuses_the_key_is_named(shop):
    found = doctor(shop, DOCKET_OPERATOR_URL="http://127.0.0.1:9")
    assert "docket-api" in finding(found, "api", "fail", "does not answer")
    must(found["work"][0][0], "ok", "what Postgres says meanwhile")
    found = doctor(shop, DOCKET_OPERATOR_KEY=shop.checkout)
    assert "docket key create" in finding(found, "api.key", "fail", "operator")
    assert "operators" in finding(doctor(shop, DOCKET_OPERATOR_URL=shop.world.url("sandbox")), "api.status",
                                  "fail", "knows no /admin/status")


def test_a_topology_that_is_not_ours_is_named_and_put_back(shop):
    """In a vhost where nothing runs, so that nothing puts it back of itself."""
    vhost = shop.services.make_vhost()
    amqp = {"DOCKET_AMQP": rabbitmq.uri(shop.home, vhost)}
    shop.services.broker_api("PUT", shop.services.queue_path(vhost, "docket.payment"),
                             {"durable": True, "arguments": {"x-queue-type": "classic"}}, expect=(201,))
    found = doctor(shop, **amqp)
    assert "docket-relay" in finding(found, "broker.topology", "fail", "exchange docket is not to be had")
    assert "docket-relay" in finding(found, "broker.topology", "fail", "queue docket.fulfilment is not to be had")
    cure = finding(found, "broker.topology", "fail", "queue docket.payment has other arguments")
    rabbitmq.control(shop.home, *cure.partition(";")[0].split()[1:])
    finding(doctor(shop, **amqp), "broker.topology", "fail", "queue docket.payment is not to be had")
    shop.services.drop_vhost(vhost)


@plants
def test_a_policy_that_loses_messages_is_named_and_cleared(shop):
    shop.services.broker_api("PUT", f"/api/policies/{shop.vhost}/short", {
        "pattern": "^docket", "definition": {"message-ttl": 60000}, "apply-to": "queues"}, expect=(201, 204))
    cures = wait_for(lambda: doctor(shop).get("broker.policy"), 10, "the policy is named", every_s=0.3)
    must({says.partition(" on ")[0] for _, says, _ in cures}, {"policy short sets message-ttl"}, "what it says")
    rabbitmq.control(shop.home, *cures[0][2].split()[1:])


def test_a_queue_without_a_leader_is_named(shop_fresh):
    """As a node leaves it that lost its disk: the queue is there, and nobody answers for it, though RabbitMQ's
    statistics go on as the leader told them last.  Who would put it back by itself once it is deleted is killed,
    so that this can be looked at."""
    path = shop_fresh.services.queue_path(shop_fresh.vhost, "docket.payment")
    wait_for(lambda: "consumers" in shop_fresh.services.broker_api("GET", path), 60, "it is in the statistics")
    place = f'{{list_to_atom("{shop_fresh.vhost}_docket.payment"), node()}}'
    rabbitmq.control(shop_fresh.home, "eval", f"ra:stop_server(quorum_queues, {place}).")

    def is_named():
        seen = doctor(shop_fresh)
        silent = [mend for check in ("broker.leader", "broker.consumers") for _, says, mend in seen.get(check, [])
                  if "docket.payment" in says]  # it does not answer, or says that nobody consumes
        return silent and "broker.members" in seen and (seen, silent[0])

    found, cure = wait_for(is_named, 120, "it is named")
    assert "nodes that are away" in finding(found, "broker.members", "fail", "0 of 1 members")
    for label in ("relay", "payment"):
        shop_fresh.kill(label)
    rabbitmq.control(shop_fresh.home, *cure.partition("rabbitmqctl ")[2].partition(" (")[0].split())
    assert "docket-relay anew" in finding(doctor(shop_fresh), "broker.topology", "fail", "docket.payment is not to be had")
    for label in ("relay", "payment"):
        shop_fresh.start(label)
    shop_fresh.wait_status(shop_fresh.post_order().id, "fulfilled", deadline_s=40)


@pytest.mark.skipif(IS_ASAN, reason="RabbitMQ and the runbook are what is tested")
def test_a_queue_that_lost_its_leader_has_one_again_as_the_runbook_says(shop_fresh):
    """RabbitMQ was killed before it had written the names of new quorum queues to disk: their file is taken away."""
    home = shop_fresh.home
    for label in ("relay", "payment", "fulfilment"):
        shop_fresh.stop(label)
    shop_fresh.services.broker_kill_frozen()
    names, = glob.glob(home.at("data", "rabbitmq", "mnesia", "*", "quorum", "*", "names.dets"))
    os.unlink(names)
    rabbitmq.begin(home, management=True)
    home.node_was_used = False  # else the harness elects leaders, as ops/up does
    rabbitmq.wait_ready(home)
    line, = (line for line in blocks("DocketBrokerAway") if line.startswith("rabbitmqctl eval"))
    elect = shlex.split(line)[1:]
    ask = ["eval", elect[1].replace("ra:trigger_election(amqqueue:get_pid(Q))", "element(4, amqqueue:get_name(Q))")]
    assert "docket.payment" in rabbitmq.control(home, *ask), "it has a leader"
    rabbitmq.control(home, *elect)
    for label in ("relay", "payment", "fulfilment"):
        shop_fresh.start(label)
    shop_fresh.wait_status(shop_fresh.post_order().id, "fulfilled", deadline_s=40)


@plants
def test_an_alarm_of_the_broker_is_named(shop):
    shop.services.broker_alarm(True)
    wait_for(shop.services.broker_has_alarm, 10, "the alarm")
    assert "memory" in finding(doctor(shop), "broker.alarms", "fail", "takes no messages")
    shop.services.broker_alarm(False)


def test_settings_that_are_wrong_are_named(shop, tmp_path):
    found = doctor(shop, DOCKET_PREFETCHED="5", DOCKET_SWEEP_S="0", DOCKET_RETRY_BASE_MS="400000",
                   DOCKET_TLS_CERT="/nowhere/cert.pem")
    assert "DOCKET_PREFETCH meant" in finding(found, "settings.environment", "fail", "DOCKET_PREFETCHED")
    finding(found, "settings.environment", "fail", "DOCKET_SWEEP_S")
    finding(found, "settings.contradiction", "fail", "DOCKET_RETRY_BASE_MS is above")
    finding(found, "settings.contradiction", "fail", "one of DOCKET_TLS_CERT")
    secret = tmp_path / "key"
    secret.write_text(shop.world.operator_key())
    secret.chmod(0o644)
    of_file = {"DOCKET_OPERATOR_KEY": None, "DOCKET_OPERATOR_KEY_FILE": str(secret)}
    cure = finding(doctor(shop, **of_file), "settings.secrets", "warn", "everybody")
    subprocess.run(cure.split(), check=True)
    assert "settings.secrets" not in doctor(shop, **of_file)


def test_a_certificate_that_expires_is_named(shop, tmp_path):
    files = {"DOCKET_TLS_CERT": str(tmp_path / "cert.pem"), "DOCKET_TLS_KEY": str(tmp_path / "key.pem")}
    (tmp_path / "ca.conf").write_text("[ca]\ndefault_ca = one\n[one]\ndatabase = index\nnew_certs_dir = .\n"
                                      "serial = serial\nunique_subject = no\ndefault_md = sha256\npolicy = any\n"
                                      "[any]\ncommonName = supplied\n")
    (tmp_path / "index").touch()
    (tmp_path / "serial").write_text("01")

    def openssl(line):
        subprocess.run(["openssl", *line.split()], cwd=tmp_path, check=True, capture_output=True)

    openssl("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout key.pem -out csr.pem")
    os.chmod(tmp_path / "key.pem", 0o600)
    for days, state in ((-1, "fail"), (5, "warn"), (90, "ok")):
        until = time.strftime("%y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400 + 3600))
        openssl("ca -batch -config ca.conf -selfsign -keyfile key.pem -in csr.pem -out cert.pem -notext "
                f"-startdate 200101000000Z -enddate {until}")
        must(doctor(shop, **files)["settings.certificate"][0][0], state, f"a certificate of {days} days")


@plants
def test_it_never_hangs_when_the_parts_are_frozen(shop):
    frozen = shop.pid("api")
    shop.services.postgres_freeze()
    shop.services.broker_freeze()
    process.tell(frozen, 19)
    try:
        begun = time.monotonic()
        found = doctor(shop)
        took = time.monotonic() - begun
    finally:
        process.tell(frozen, 18)
        shop.services.broker_thaw()
        shop.services.postgres_thaw()
    assert took < 25, took
    for part in ("api", "postgres", "broker"):
        must(found[part][0][0], "fail", f"{part}, which is frozen")
    must(found["settings"][0][0], "ok", "what needs none of them")


def test_it_says_so_when_the_parts_are_gone(shop):
    found = doctor(shop, DOCKET_PG="host=127.0.0.1 port=9 dbname=x user=x", DOCKET_AMQP="amqp://x:x@127.0.0.1:9/x",
                   DOCKET_OPERATOR_URL="http://127.0.0.1:9", DOCKET_MANAGEMENT_URL="http://127.0.0.1:9")
    assert "start it" in finding(found, "postgres", "fail", "refused")
    assert "start it" in finding(found, "broker", "fail", "refused")
    assert "DOCKET_MANAGEMENT_URL" in finding(found, "broker.management", "warn", "does not answer")
