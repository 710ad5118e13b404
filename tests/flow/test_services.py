"""The services that every other test stands on: private, on loopback only, never as root."""
import contextlib
import os
import signal
import subprocess

import pytest

from docket_local import process
from harness import wait_for

SERVERS = ("postgres", "rabbitmq", "epmd")


@pytest.mark.parametrize("name", SERVERS)
def test_runs_as_somebody_who_is_not_root(services, name):
    pid = process.running(services.home, name)
    assert os.stat(f"/proc/{pid}").st_uid != 0


def open_files(pid):
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            yield os.readlink(f"/proc/{pid}/fd/{fd}")


@pytest.mark.parametrize("name", SERVERS)
def test_listens_on_loopback_only(services, name):
    pid = process.running(services.home, name)
    sockets = {opened[8:-1] for opened in open_files(pid) if opened.startswith("socket:[")}
    addresses = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{table}", encoding="ascii") as file:
            rows = [line.split() for line in file.readlines()[1:]]
        addresses |= {row[1].partition(":")[0] for row in rows
                      if row[3] == "0A" and row[9] in sockets}
    assert addresses and addresses <= {"0100007F", "0" * 24 + "01000000"}, addresses


def test_a_database_is_new_and_has_the_schema(docket):
    assert docket.one("SELECT count(*) FROM orders") == 0
    assert docket.one("SELECT version FROM catalogue") >= 1


def test_two_databases_do_not_see_each_other(docket, docket_fresh):
    docket.sql("INSERT INTO account (name) VALUES ('only here')")
    assert docket_fresh.one("SELECT count(*) FROM account WHERE name = 'only here'") == 0


def test_postgres_comes_back_with_what_was_committed(services, docket_fresh):
    docket_fresh.sql("INSERT INTO account (name) VALUES ('kept')")
    services.postgres_restart_immediate()
    assert docket_fresh.one("SELECT count(*) FROM account WHERE name = 'kept'") == 1
    services.postgres_kill()
    services.postgres_start()
    assert docket_fresh.one("SELECT count(*) FROM account WHERE name = 'kept'") == 1


def test_the_programs_may_log_in_and_own_nothing(services, docket):
    for role in ("docket_api", "docket_relay", "docket_worker"):
        services.connect(docket.database, role).close()
    assert docket.sql("SELECT c.relname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner "
                      "WHERE r.rolname IN ('docket_api', 'docket_relay', 'docket_worker')") == []


def test_a_broker_that_lost_its_disk_comes_back_empty(services, docket_fresh):
    path = services.queue_path(docket_fresh.vhost, "kept?")
    services.broker_api("PUT", path, {"durable": True, "arguments": {"x-queue-type": "quorum"}},
                        expect=(201,))
    services.broker_wipe()
    assert docket_fresh.vhost in [row["name"] for row in services.broker_api("GET", "/api/vhosts")]
    services.broker_api("GET", path, expect=(404,))


def test_a_memory_alarm_can_be_raised_and_ended(services):
    services.broker_alarm(True)
    wait_for(services.broker_has_alarm, 10, "the memory alarm")
    services.broker_alarm(False)
    wait_for(lambda: not services.broker_has_alarm(), 10, "the end of the memory alarm")


def test_a_frozen_broker_does_not_answer_until_it_is_thawed(services):
    from docket_local import rabbitmq
    services.broker_freeze()
    assert not rabbitmq.greets(services.home)
    services.broker_thaw()
    wait_for(lambda: rabbitmq.greets(services.home), 10, "an answer of the broker")


def test_no_environment_of_the_caller_reaches_a_server(services):
    pid = process.running(services.home, "postgres")
    listed = subprocess.run(["cat", f"/proc/{pid}/environ"], capture_output=True, check=True).stdout
    assert not {name for name in os.environ if f"\0{name}=".encode() in listed} - {"PATH", "LANG"}


@pytest.mark.parametrize("name", ("api", "relay", "payment"))
def test_a_signal_makes_the_log_tell_everything_and_another_one_less_again(docket, name):
    docket.start(name, env={"DOCKET_LOG_LEVEL": "warn"})
    pid = docket.pid(name)
    assert '"level":"info"' not in docket.log(name)
    process.tell(pid, signal.SIGUSR1)
    wait_for(lambda: "debug, until SIGUSR2" in docket.log(name), 20, "it is at debug")
    docket.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
               "WHERE datname = current_database() AND pid <> pg_backend_pid()")
    wait_for(lambda: "pg_link_state" in docket.log(name), 10, "a line of debug")
    process.tell(pid, signal.SIGUSR2)
    wait_for(lambda: '"event":"log_level","text":"warn"' in docket.log(name), 20, "it is at warn")
    docket.stop(name)
    assert '"event":"stopped"' not in docket.log(name), "a line of info"
