"""What Docket is held against: pgbench on tables of its own, nginx, in the same run."""
import os
import subprocess

from docket_local import postgres
from docket_local.ports import accepts
from harness.wait import wait_for

HERE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "yardstick")
ORDER = os.path.join(HERE, "order.sql")

NGINX = """\
worker_processes 1; daemon off; pid {home}/nginx.pid; error_log {home}/nginx.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {home}/nginx.t1; proxy_temp_path {home}/nginx.t2; fastcgi_temp_path {home}/nginx.t3;
  uwsgi_temp_path {home}/nginx.t4; scgi_temp_path {home}/nginx.t5;
  server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json; return 200 '{body}'; }} }}
}}
"""


def order_database(bench):
    """A database with an order table and an outbox, for ORDER."""
    services = bench.services
    services.admin("DROP DATABASE IF EXISTS yardstick WITH (FORCE)")
    services.admin("CREATE DATABASE yardstick")
    with open(os.path.join(HERE, "tables.sql"), encoding="utf-8") as file:
        postgres.run_sql(services.home, "yardstick", file.read())
    return "yardstick"


def orders(bench, database, clients):
    """One order and its outbox row a transaction, in one statement."""
    return bench.pgbench(database, ORDER, clients)


def nginx(bench, body):
    """Starts an nginx that answers every request with the body; its port, and its pids."""
    home, port = bench.services.home, bench.services.free_port()
    path = home.at("nginx.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(NGINX.format(home=home.at("log"), port=port, body=body.replace("'", "")))
    child = subprocess.Popen(["nginx", "-c", path], stderr=subprocess.DEVNULL)

    def stop():
        child.terminate()
        child.wait()

    bench.cleanups.append(stop)
    wait_for(lambda: accepts(port), 5, "nginx listens")
    worker = subprocess.run(["ps", "-o", "pid=", "--ppid", str(child.pid)], capture_output=True, text=True,
                            check=True).stdout.split()
    return port, [child.pid, *map(int, worker)]
