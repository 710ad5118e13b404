"""Ports on the loopback interface, below the range that the kernel hands out."""
import socket
import time

OFFSETS = {"api": 0, "operator": 1, "sandbox": 2, "relay": 3, "payment": 4, "fulfilment": 5,
           "postgres": 6, "rabbitmq": 7, "rabbitmq_dist": 8, "epmd": 9, "management": 10}
STEP = 20


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_free(port, deadline_s):
    until = time.monotonic() + deadline_s
    while not is_free(port) and time.monotonic() < until:
        time.sleep(0.02)


def free_from(wanted, taken):
    """`wanted`, or the next in steps that is neither busy nor planned for another of ours."""
    taken = set(taken) - {wanted}
    for port in range(wanted, 32000, STEP):
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port from {wanted} to 32000")


def accepts(port, timeout_s=1.0):
    try:
        socket.create_connection(("127.0.0.1", port), timeout_s).close()
        return True
    except OSError:
        return False
