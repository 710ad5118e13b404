"""Which process is killed at which point, how often it may pass first, and under which load.

points.py says what points there are; test_kills.py that each of them is in this table.
"""
from collections import namedtuple

import loads
import points

Kill = namedtuple("Kill", "process point nth load")
Kill.__str__ = lambda kill: f"{kill.process}-{kill.point}:{kill.nth}"

# work, what it does, the first and later passes at which to kill, and the load that leads there.
API = [
    ("accept", "commit", (1, 3), loads.checkout),
    ("lookup", "commit", (1, 2), loads.refused),
    ("abandon", "commit", (1, 2), loads.abandoned),
    ("face", "commit", (1, 3), loads.watched),
    ("read", "commit", (1, 3), loads.watched),
    ("list", "commit", (1,), loads.listed),
    ("attempt", "commit", (1, 2, 4), loads.paid_again),  # looks, and what opens one
    ("inbox", "commit", (1, 2), loads.told_of),
    ("pulse", "commit", (1, 2), loads.checkout),
    ("hint", "commit", (1,), loads.checkout),
    ("operator", "commit", (1,), loads.operated),
    ("act", "commit", (1,), loads.replayed),
    ("act", "commit", (2,), loads.taken_back),
    ("cancel", "commit", (1,), loads.taken_back),
]
RELAY = [
    ("outbox", "commit", (1, 10), loads.checkout),
    ("relay", "publish", (1, 4), loads.checkout),
    ("settle", "commit", (1, 3), loads.checkout),
    ("lease", "commit", (1, 2), loads.checkout),
    ("due", "commit", (1, 3), loads.checkout),
    ("release", "commit", (2, 20), loads.provider_away),
    ("run", "commit", (1, 3, 6), loads.ran),  # a look, the members frozen, the first released
    ("hint", "commit", (1,), loads.lost),
    ("webhooks", "commit", (1, 3), loads.told_of),
    ("sweep", "commit", (1, 2, 3), loads.lost),
    ("keeper", "commit", (1, 2), loads.checkout),
    ("dead", "commit", (1,), loads.malformed),
    ("dead", "ack", (1,), loads.malformed),
]
PAYMENT = [
    ("worker", "commit", (1, 2), loads.checkout),
    ("claim", "commit", (1, 3), loads.checkout),
    ("twins", "commit", (1, 2), loads.checkout),
    ("reserve", "commit", (1, 2), loads.checkout),
    ("outcome", "commit", (1, 5), loads.checkout),
    ("hint", "commit", (1, 3), loads.checkout),
    ("docket.payment", "ack", (1, 3), loads.checkout),
    ("breaker", "commit", (1, 2), loads.provider_away),
    ("payment_create", "call", (1, 3), loads.checkout),
    ("payment_confirm", "call", (1, 3), loads.checkout),
    ("payment_retrieve", "call", (1, 2), loads.checkout),
    ("payment_cancel", "call", (1,), loads.checkout),
    ("payment_cancel", "call", (2,), loads.taken_back),
    ("payment_refunds", "call", (1, 2), loads.taken_back),
    ("payment_refund", "call", (1, 2), loads.taken_back),
    ("outcome", "commit", (12, 24), loads.taken_back),
    ("docket.cancel", "ack", (1,), loads.taken_back),
    ("docket.refund", "ack", (1, 2), loads.taken_back),
    ("orphans", "commit", (1, 3), loads.checkout),
    ("payment_list", "call", (1,), loads.checkout),
]
FULFILMENT = [
    ("worker", "commit", (1, 2), loads.checkout),
    ("claim", "commit", (1, 2), loads.checkout),
    ("outcome", "commit", (1, 2), loads.checkout),
    ("hint", "commit", (1, 3), loads.checkout),
    ("docket.fulfilment", "ack", (1, 2), loads.checkout),
    ("breaker", "commit", (1, 2), loads.carrier_away),
    ("carrier_ship", "call", (1, 3), loads.checkout),
    ("carrier_look_up", "call", (1,), loads.checkout),
]
PROCESSES = {"api": API, "relay": RELAY, "payment": PAYMENT, "fulfilment": FULFILMENT}

# Points that no process is killed at, each with its reason.
NOT_YET = "the provider's client can do it, but no step of a worker asks for it yet"
EXCEPTIONS = {f"{work}.{moment}": NOT_YET for work in ("payment_capture",)
              for moment in points.MOMENTS["call"]}


def kills():
    return [Kill(process, f"{work}.{moment}", nth, load)
            for process, rows in PROCESSES.items()
            for work, kind, passes, load in rows
            for moment in points.MOMENTS[kind] for nth in passes]


def of_process(process):
    return {kill.point for kill in kills() if kill.process == process}
