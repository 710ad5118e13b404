"""A private RabbitMQ node: loopback only, with an epmd, a cookie, a user and a vhost of its own.

The settings are those of a node that was seen to run for any user; without
RABBITMQ_CONF_ENV_FILE=/dev/null the distribution's own would be read, and without
inet_dist_use_interface the distribution port listens on every address.
"""
import glob
import os
import shutil
import signal
import socket
import time

from . import ports, process
from .home import BY_FD, CWD
from .problem import Problem

NODE = "docket@localhost"
USER = "docket"
VHOST = "docket"
ALWAYS = ("rabbitmq_prelaunch",)
WITH_MANAGEMENT = (*ALWAYS, "rabbitmq_management", "rabbitmq_management_agent",
                   "rabbitmq_web_dispatch")

SETTINGS = """\
listeners.tcp.1 = 127.0.0.1:{port}
default_user = {user}
default_pass = {password}
default_vhost = {vhost}
default_permissions.configure = .*
default_permissions.read = .*
default_permissions.write = .*
default_user_tags.administrator = true
loopback_users.{user} = true
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 50MB
raft.wal_max_size_bytes = 67108864
log.console = true
log.console.level = info
log.file = false
"""


def scripts():
    found = glob.glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin")
    if not found:
        raise Problem("rabbitmq", "rabbitmq-server is not installed")
    return found[0]


def _link_server(home, management):
    """A view of the server with only what this node runs.  The node looks every module up in each
    directory of its path, and with all sixty plugins on it that is most of the time of a start."""
    real = os.path.dirname(scripts())
    view = home.at("data", "rabbitmq", "server")
    shutil.rmtree(view, ignore_errors=True)
    os.makedirs(view + "/plugins")
    for name in ("sbin", "escript"):
        os.symlink(os.path.join(real, name), os.path.join(view, name))
    wanted = WITH_MANAGEMENT if management else ALWAYS
    for name in os.listdir(real + "/plugins"):
        if not name.startswith("rabbitmq_") or name.partition("-")[0] in wanted:
            os.symlink(os.path.join(real, "plugins", name), os.path.join(view, "plugins", name))
    for path in (view, view + "/plugins"):
        home.owner.give(path)


def environment(home, place=CWD):
    return {
        "HOME": place,
        "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the node, and its pid is the node's
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_NODENAME": NODE,
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(home.port("rabbitmq")),
        "RABBITMQ_DIST_PORT": str(home.port("rabbitmq_dist")),
        "ERL_EPMD_PORT": str(home.port("epmd")),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_MNESIA_BASE": place + "/mnesia",
        "RABBITMQ_LOG_BASE": place + "/log",
        "RABBITMQ_CONFIG_FILE": place + "/rabbitmq.conf",
        "RABBITMQ_ADVANCED_CONFIG_FILE": place + "/advanced.config",
        "RABBITMQ_ENABLED_PLUGINS_FILE": place + "/enabled_plugins",
        "RABBITMQ_GENERATED_CONFIG_DIR": place + "/generated",
        "RABBITMQ_PID_FILE": place + "/node.pid",
        "RABBITMQ_SCHEDULER_BIND_TYPE": "u",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
            "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false +sbwt none",
        "ERL_CRASH_DUMP_SECONDS": "0",
    }


def begin(home, management=False):
    """Starts the node unless it runs.  Does not wait: wait_ready does."""
    if process.running(home, "rabbitmq"):
        return False
    home.data("rabbitmq")
    _begin_epmd(home)
    for name in ("rabbitmq", "rabbitmq_dist"):
        home.choose_port(name)
    if management:
        home.choose_port("management")
    _write_settings(home, management)
    _link_server(home, management)
    home.node_was_used = os.path.exists(home.at("data", "rabbitmq", "mnesia"))
    env = {**environment(home), "RABBITMQ_SCRIPTS_DIR": CWD + "/server/sbin"}
    process.start(home, process.Spec("rabbitmq", ["rabbitmq-server"], cwd="rabbitmq", env=env,
                                     executable=scripts() + "/rabbitmq-server"))
    return True


def _begin_epmd(home):
    """The node's name service runs in the foreground, so that it has a pid that we know."""
    if process.running(home, "epmd"):
        return
    port = home.choose_port("epmd")
    process.start(home, process.Spec("epmd", ["epmd", "-address", "127.0.0.1", "-port", str(port)],
                                     cwd="rabbitmq", executable="/usr/bin/epmd"))
    until = time.monotonic() + 5
    while not ports.accepts(port):
        if time.monotonic() > until or process.running(home, "epmd") is None:
            raise Problem("rabbitmq", "epmd does not answer", home.log("epmd"))
        time.sleep(0.02)


def _write_settings(home, management):
    text = SETTINGS.format(port=home.port("rabbitmq"), user=USER, vhost=VHOST,
                           password=home.secret("rabbitmq"))
    if management:
        text += f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {home.port('management')}\n"
    home.give_file("rabbitmq/rabbitmq.conf", text)
    home.give_file("rabbitmq/advanced.config", "[].\n")
    home.give_file("rabbitmq/enabled_plugins",
                   "[rabbitmq_management].\n" if management else "[].\n")
    cookie = home.secret("cookie")
    if not os.path.exists(home.at("data", "rabbitmq", ".erlang.cookie")):
        home.give_file("rabbitmq/.erlang.cookie", cookie, 0o400)


def wait_ready(home, deadline_s=60.0):
    until = time.monotonic() + deadline_s
    while not greets(home):
        if process.running(home, "rabbitmq") is None:
            raise Problem("rabbitmq", process.how_it_ended(home, "rabbitmq") + " while starting",
                          home.log("rabbitmq"))
        if time.monotonic() > until:
            raise Problem("rabbitmq", f"not ready after {deadline_s:.0f} s", home.log("rabbitmq"))
        time.sleep(0.1)
    if home.node_was_used:
        home.node_was_used = False
        elect_leaders(home)


def greets(home):
    """The listener opens last of all; a node that answers the AMQP header has booted."""
    try:
        with socket.create_connection(("127.0.0.1", home.port("rabbitmq")), 1.0) as link:
            link.settimeout(2.0)
            link.sendall(b"AMQP\x00\x00\x09\x01")
            return link.recv(1) == b"\x01"
    except OSError:
        return False


def stop(home):
    """A node that is still starting would not hear SIGTERM, so it is let come up first."""
    pid, until = process.running(home, "rabbitmq"), time.monotonic() + 8
    if pid is not None:
        process.tell(pid, signal.SIGCONT)
        while not greets(home) and time.monotonic() < until and process.running(home, "rabbitmq"):
            time.sleep(0.1)
    ended = process.stop(home, "rabbitmq", signal.SIGTERM, 10.0)
    process.stop(home, "epmd", signal.SIGTERM, 3.0)
    return ended


def wipe_data(home):
    """The broker's disk is lost; the node must not run."""
    shutil.rmtree(home.at("data", "rabbitmq", "mnesia"), ignore_errors=True)


def control(home, *arguments, deadline_s=180):
    """rabbitmqctl; slow (it starts a virtual machine of its own)."""
    with process.placed(home, "rabbitmq", by_fd=True) as place:
        done = process.run([scripts() + "/rabbitmqctl", "-q", *arguments], timeout=deadline_s,
                           env={**process.CLEAN, **environment(home, BY_FD)}, **place)
    if done.returncode != 0:
        raise Problem("rabbitmqctl " + " ".join(arguments), done.stderr.strip() or done.stdout)
    return done.stdout


LEADERLESS = """
    [begin ra:trigger_election(amqqueue:get_pid(Q)), element(4, amqqueue:get_name(Q)) end
     || Q <- rabbit_amqqueue:list(), amqqueue:get_type(Q) =:= rabbit_quorum_queue,
        element(1, ra:members(amqqueue:get_pid(Q), 1000)) =/= ok]."""


def elect_leaders(home):
    """RabbitMQ writes the names of quorum queues to disk minutes after they were made.  A node that
    was killed before starts such a queue as a new member that never stands for election
    (rabbitmq-server issues 10070, 15725): publishing to it is never confirmed, consuming from it
    times out.  On a node that is alone nothing is lost by electing it."""
    control(home, "eval", LEADERLESS)


def uri(home, vhost=VHOST):
    return f"amqp://{USER}:{home.secret('rabbitmq')}@127.0.0.1:{home.port('rabbitmq')}/{vhost}"
