"""What became of a shop's orders, from its books and those of its sandbox."""
import collections

from harness.wait import wait_for

DELAYED = ("create", "confirm", "ship")  # what an order that goes well calls outside


def delay(shop, ms):
    """Every answer of the sandbox takes so long."""
    shop.no_faults()
    for operation in DELAYED if ms else ():
        shop.fault(operation, "delay", ms=ms)


def wait_final(shop, count, deadline_s=120):
    """First for the newest one, which costs Postgres next to nothing to be asked for."""
    newest = last_id(shop)
    wait_for(lambda: shop.one("SELECT final FROM orders WHERE id = %s", newest), deadline_s, "the newest is final")
    wait_for(lambda: shop.one("SELECT count(*) FROM orders WHERE final") >= count, deadline_s,
             f"{count} orders are final", every_s=0.1)


def wait_rest_final(shop, after, deadline_s):
    """Every order from this one on.  The oldest of them that is not is asked for, from where the last look found it:
    what is final stays so, and each is passed by once."""
    def is_none_left():
        nonlocal after
        rows = shop.sql("SELECT id::text FROM orders WHERE id >= %s AND NOT final ORDER BY id LIMIT 1", after)
        after = rows[0][0] if rows else after
        return not rows

    wait_for(is_none_left, deadline_s, "every order is final", every_s=0.2)


def latencies_ms(shop, after):
    """From the commit that accepted an order (its transaction's begin) to the one that shipped it, of the
    orders whose ids are greater."""
    rows = shop.sql("SELECT extract(epoch FROM e.at - o.accepted_at)::float8 * 1000 FROM orders o "
                    "JOIN order_event e ON e.order_id = o.id AND e.kind = 'shipped' WHERE o.id > %s", after)
    return sorted(ms for (ms,) in rows)


def hops_ms(shop, after):
    """{"accepted → payment_started": [ms], …}"""
    rows = shop.sql("SELECT order_id, kind, extract(epoch FROM at)::float8 FROM order_event "
                    "WHERE order_id > %s ORDER BY order_id, version", after)
    hops = {}
    for (order, kind, at), (following, next_kind, next_at) in zip(rows, rows[1:]):
        if order == following:
            hops.setdefault(f"{kind} → {next_kind}", []).append((next_at - at) * 1000)
    return {name: sorted(times) for name, times in hops.items()}


def last_id(shop):
    return shop.one("SELECT coalesce((SELECT id FROM orders ORDER BY id DESC LIMIT 1), "
                    "'00000000-0000-0000-0000-000000000000'::uuid)::text")


def outside_calls(shop):
    """How often each operation of the sandbox was begun."""
    answer = shop.sandbox.get("/sandbox/calls")
    assert answer.status == 200, repr(answer)
    return answer.json["begun"]


def must_be_single(shop):
    """Every fulfilled order was charged once and shipped once, and nothing else was; each was compared with the others,
    as it is by itself, and is like none.  How many there are."""
    orders = shop.one("SELECT count(*) FROM orders WHERE status = 4")
    facts = collections.Counter(fact["kind"] for fact in shop.ledger())
    if not facts["charge"] == facts["shipment"] == orders:
        raise RuntimeError(f"{orders} orders are fulfilled; the ledger has {dict(facts)}")
    uncompared, alike = shop.sql("SELECT (SELECT count(*) FROM orders o WHERE status = 4 AND NOT EXISTS (SELECT FROM "
                                 "order_print WHERE order_id = o.id)), (SELECT count(*) FROM duplicate)")[0]
    if uncompared or alike:
        raise RuntimeError(f"{uncompared} orders were not compared with the others, and {alike} look like another")
    return orders
