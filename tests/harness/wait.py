"""Waiting for an event with a deadline; a test never sleeps for the sake of time."""
import time


def wait_for(predicate, deadline_s, what, every_s=0.02):
    """Returns the first true value of `predicate`; fails at the deadline with what it last gave."""
    until = time.monotonic() + deadline_s
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"after {deadline_s:g} s still not: {what} (last: {value!r})")
        time.sleep(every_s)


def must(left, right, what):
    """Equality that prints both values and what they are."""
    assert left == right, f"{what}: {left!r}, expected {right!r}"
