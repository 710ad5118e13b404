"""A private Postgres 15 cluster: TCP on loopback only, passwords, durable as the promise needs."""
import contextlib
import os
import signal
import subprocess
import time

from . import process
from .home import BY_FD
from .problem import Problem

BIN = "/usr/lib/postgresql/15/bin/"
SUPERUSER = "docket_admin"
PROGRAM_ROLES = ("docket_api", "docket_relay", "docket_worker")

SETTINGS = """\
# Written anew at every start.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 200
max_locks_per_transaction = 256
shared_buffers = 128MB
max_wal_size = 1GB
wal_compression = lz4
fsync = on
synchronous_commit = on
full_page_writes = on
jit = off
log_line_prefix = '%m [%p] %u@%d '
log_error_verbosity = terse
log_min_error_statement = panic
log_timezone = 'UTC'
timezone = 'UTC'
"""
ACCESS = "host all all 127.0.0.1/32 scram-sha-256\n"


def spec():
    return process.Spec("postgres", [BIN + "postgres", "-D", BY_FD], cwd="postgres",
                        by_fd=True)


def begin(home):
    """Starts the cluster unless it runs, after making it if there is none.  Does not wait."""
    if process.running(home, "postgres"):
        return False
    if not os.path.exists(home.at("data", "postgres", "PG_VERSION")):
        _make_cluster(home)
    _clear_stale_pid(home)
    home.give_file("postgres/postgresql.conf", SETTINGS.format(port=home.choose_port("postgres")))
    home.give_file("postgres/pg_hba.conf", ACCESS)
    process.start(home, spec())
    return True


def _make_cluster(home):
    """initdb in a directory of its own name, renamed when whole: a kill leaves nothing half made."""
    home.data("")
    subprocess.run(["rm", "-rf", home.at("data", "postgres"), home.at("data", "postgres.new")],
                   check=True)
    home.data("postgres.new")
    home.give_file("postgres.password", home.secret("postgres"))
    with open(home.log("initdb"), "wb") as log, process.placed(home, "postgres.new", True) as place:
        made = subprocess.run(
            [BIN + "initdb", "-D", BY_FD, "-U", SUPERUSER, "-A", "scram-sha-256", "-E", "UTF8",
             "--no-locale", f"--pwfile={BY_FD}/../postgres.password"],
            env=process.CLEAN, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, check=False, **place)
    os.unlink(home.at("data", "postgres.password"))
    if made.returncode != 0:
        raise Problem("postgres", "initdb could not make the cluster", home.log("initdb"))
    os.rename(home.at("data", "postgres.new"), home.at("data", "postgres"))


def _clear_stale_pid(home, deadline_s=10.0):
    """After a kill, the backends end a moment later; two postmasters on one cluster would ruin it.
    The pid in postmaster.pid may be somebody else's by now, so that file itself proves nothing."""
    path = home.at("data", "postgres")
    until = time.monotonic() + deadline_s
    while left := process.working_in(path):
        if time.monotonic() > until:
            raise Problem("postgres", f"pids {left} still serve this cluster, but are not recorded "
                          f"in {home.at('run')}; stop them first")
        time.sleep(0.05)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(path, "postmaster.pid"))


def wait_ready(home, deadline_s=30.0):
    until = time.monotonic() + deadline_s
    while not _is_ready(home):
        if process.running(home, "postgres") is None:
            raise Problem("postgres", process.how_it_ended(home, "postgres") + " while starting",
                          home.log("postgres"))
        if time.monotonic() > until:
            raise Problem("postgres", f"not ready after {deadline_s:.0f} s", home.log("postgres"))
        time.sleep(0.05)


def _is_ready(home):
    return subprocess.run([BIN + "pg_isready", "-q", "-h", "127.0.0.1", "-p",
                           str(home.port("postgres")), "-t", "1"], check=False).returncode == 0


def stop(home):
    """Fast shutdown: sessions end, everything is on disk."""
    return process.stop(home, "postgres", signal.SIGINT, 30.0)


def conninfo(home, role, database="docket"):
    secret = home.secret("postgres" if role == SUPERUSER else role)
    return (f"host=127.0.0.1 port={home.port('postgres')} dbname={database} "
            f"user={role} password={secret}")


def run_sql(home, database, text, role=SUPERUSER):
    """Runs statements through psql; returns rows of text columns."""
    done = process.run(["psql", "-XqAt", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-f", "-",
                        conninfo(home, role, database)], input=text, env=process.CLEAN)
    if done.returncode != 0:
        raise Problem("postgres", done.stderr.strip(), home.log("postgres"))
    return [line.split("\t") for line in done.stdout.splitlines()]


def ensure_database(home, database="docket"):
    """The owner's role and an empty database; the migrations make the rest."""
    known = {row[0] for row in run_sql(home, "postgres", "SELECT rolname FROM pg_roles;")}
    verb = "ALTER" if "docket_owner" in known else "CREATE"
    run_sql(home, "postgres", f"""
        {verb} ROLE docket_owner LOGIN CREATEROLE PASSWORD '{home.secret("docket_owner")}';
        GRANT SET ON PARAMETER deadlock_timeout TO docket_owner;
        """)
    if not run_sql(home, "postgres", f"SELECT 1 FROM pg_database WHERE datname = '{database}';"):
        run_sql(home, "postgres", f"CREATE DATABASE {database} OWNER docket_owner;")


def let_programs_in(home):
    """After the migrations have made the roles of the programs: they may log in, by password."""
    run_sql(home, "postgres", "".join(
        f"ALTER ROLE {role} LOGIN PASSWORD '{home.secret(role)}';\n" for role in PROGRAM_ROLES))
