"""Stops every process of a home, each known by pid and start time; what was wiped is said."""
import sys
import time

from docket_local import postgres, process, programs, rabbitmq
from docket_local.home import Home
from docket_local.problem import Problem

BEGAN = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - BEGAN:3.0f} s] {text}", flush=True)


def stop(home, name, how):
    if process.running(home, name) is None:
        return
    say(f"{name}: stopped" if how(home) else f"{name}: did not end in time and was killed")


def main(path, option):
    home = Home(path, 0, say)  # chooses no port
    with home.locked():
        for name in ("api", "payment", "fulfilment", "relay", "sandbox"):
            stop(home, name, lambda home, name=name: process.stop(home, name))
        stop(home, "rabbitmq", rabbitmq.stop)
        process.stop(home, "epmd")
        stop(home, "postgres", postgres.stop)
        if option == "--wipe":
            home.wipe()
            say(f"removed all state below {path}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Problem as problem:
        sys.exit("\nops/down: " + problem.told())
