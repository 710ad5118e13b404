"""Three books that must agree: our tables, the sandbox's ledger, and what the client was told.

The rules are written from the promise, not from the code: nothing here asks the programs.
"""
from collections import defaultdict

from docket_local import order

from .wait import wait_for

PAID = ("confirmed", "fulfilled")
UNPAID = ("accepted", "payment_failed", "out_of_stock", "canceled", "requires_action")
NOT_YET = ("accepted", "processing", "canceling", "refunding", "confirmed")

# What belongs to each order is counted once, for all of them: to ask order by order reads the keys, of which no index
# is by order, as often as there are orders.
ORDERS = """
    SELECT o.id::text, o.status, o.final, o.total, o.currency, coalesce(k.keys, 0), coalesce(d.is_dead, false),
           coalesce(a.captured, 0), coalesce(s.shipments, 0), coalesce(e.events, 0), o.version,
           coalesce(r.given_back, 0), coalesce(r.open, 0)
    FROM orders o
    LEFT JOIN (SELECT order_id, count(*) AS keys FROM order_key GROUP BY order_id) AS k ON k.order_id = o.id
    LEFT JOIN (SELECT order_id, true AS is_dead FROM dead_letter WHERE state IN ('open', 'replaying')
               GROUP BY order_id) AS d ON d.order_id = o.id
    LEFT JOIN (SELECT order_id, sum(captured)::int8 AS captured FROM payment_attempt
               GROUP BY order_id) AS a ON a.order_id = o.id
    LEFT JOIN (SELECT order_id, count(*) AS shipments FROM shipment GROUP BY order_id) AS s ON s.order_id = o.id
    LEFT JOIN (SELECT order_id, count(*) AS events FROM order_event GROUP BY order_id) AS e ON e.order_id = o.id
    LEFT JOIN (SELECT order_id, coalesce(sum(amount) FILTER (WHERE state = 5), 0)::int8 AS given_back,
                      count(*) FILTER (WHERE state < 5) AS open
               FROM refund GROUP BY order_id) AS r ON r.order_id = o.id"""
# In one statement: what a settled order held may come back meanwhile.
STOCK = """
    SELECT sku, s.available, coalesce(r.held, 0)
    FROM stock s
    LEFT JOIN (SELECT sku, sum(quantity)::int8 AS held FROM reservation WHERE state <> 3 GROUP BY sku) AS r USING (sku)"""
MOVING = " WHERE NOT o.final OR r.open > 0"


UNOWNED = """
    WITH named AS (SELECT topic, unnest(order_ids) AS id FROM outbox
                   UNION SELECT topic, unnest(order_ids) FROM published)
    SELECT t.order_id::text, t.stage, t.state FROM task t
    WHERE t.state IN (1, 2)
      AND NOT EXISTS (SELECT FROM named n WHERE n.id = t.order_id AND n.topic = t.stage)"""


class Row:
    def __init__(self, columns):
        (uuid, status, self.final, self.total, self.currency, self.keys, self.is_dead,
         self.captured, self.shipments, self.events, self.version, self.given_back,
         self.refunds_open) = columns
        self.id, self.status = order.to_public(uuid), order.STATUSES[status]

    @property
    def is_settled(self):
        """Final, or standing still for a reason that the tables give."""
        return self.is_dead or \
            self.refunds_open == 0 and (self.final or self.status not in NOT_YET)


class Books:
    def __init__(self, docket, settle_s):
        self.docket = docket
        if settle_s:
            wait_for(self._nothing_unsettled, settle_s, "every order final or explained",
                     every_s=0.1)
        self.orders = {row.id: row for row in self._rows()}
        self.told = docket.told
        facts = self._facts()
        self.charges, self.refunds, self.shipments = (facts[kind] for kind in ("charge", "refund", "shipment"))

    def _rows(self, which=""):
        return [Row(columns) for columns in self.docket.sql(ORDERS + which)]

    def _nothing_unsettled(self):
        self.unsettled = [f"{row.id} {row.status}" for row in self._rows(MOVING) if not row.is_settled]
        return not self.unsettled

    def _facts(self):
        """kind → order → what the ledger says of it"""
        found = defaultdict(lambda: defaultdict(list))
        for fact in self.docket.ledger():
            found[fact["kind"]][fact["order"]].append(fact)
        return found

    def differences(self):
        """Everything that does not agree, in words; empty where all is well."""
        return [*self._told(), *self._keys(), *self._money(), *self._goods(), *self._strangers(),
                *self._stock(), *self.unowned_tasks()]

    def must_balance(self):
        wrong = self.differences()
        assert not wrong, f"{len(wrong)} differences:\n" + "\n".join(wrong[:40])
        return self

    def _told(self):
        """202 is one order, the one it names; a key that was only ever told `no` has none."""
        stored = dict(self.docket.sql("SELECT key, order_id::text FROM order_key"))
        by_key = defaultdict(list)
        for told in self.told:
            by_key[told.key].append(told)
        for key, answers in by_key.items():
            promised = {told.id for told in answers if told.status in (200, 202)}
            if len(promised) > 1:
                yield f"{key}: was told of {len(promised)} orders: {promised}"
            for public in promised:
                if public not in self.orders:
                    yield f"{key}: was told 202 for {public}, which is not there"
            if all(told.accepted == "no" for told in answers) and stored.get(key):
                yield f"{key}: was told no, but has {order.to_public(stored[key])}"
            if promised and stored.get(key) and order.to_public(stored[key]) not in promised:
                yield f"{key}: was told {promised}, but has {order.to_public(stored[key])}"

            if len({told.answer.body for told in answers if told.status == 202}) > 1:
                yield f"{key}: was told 202 with different bodies"

    def unowned_tasks(self):
        """A task that is ready or running is named by a message that is to come, or is watched."""
        for uuid, stage, state in self.docket.sql(UNOWNED):
            yield f"{order.to_public(uuid)}: task {stage} is in state {state}, and no row of " \
                "outbox or published names it"

    def _keys(self):
        for row in self.orders.values():
            if row.keys != 1:
                yield f"{row.id}: has {row.keys} keys"
            if row.events != row.version:
                yield f"{row.id}: version {row.version} has {row.events} events"

    def _money(self):
        """Paid exactly once or not at all; what was given back is what was taken."""
        for row in self.orders.values():
            charged = sum(fact["amount"] for fact in self.charges[row.id])
            kept = charged - sum(fact["amount"] for fact in self.refunds[row.id])
            if len(self.charges[row.id]) > 1:
                yield f"{row.id}: charged {len(self.charges[row.id])} times"
            if any(fact["currency"].upper() != row.currency for fact in self.charges[row.id]):
                yield f"{row.id}: charged in another currency than {row.currency}"
            if row.status in PAID and kept != row.total - row.given_back:
                yield f"{row.id}: is {row.status} at {row.total} less {row.given_back}, the " \
                    f"provider kept {kept}"
            if kept < 0:
                yield f"{row.id}: charged {charged}, and more than that given back: {charged - kept}"
            if row.given_back != charged - kept and not row.is_dead:
                yield f"{row.id}: our tables say {row.given_back} given back, the provider " \
                    f"{charged - kept}"
            if row.status in UNPAID and kept != 0:
                yield f"{row.id}: is {row.status}, the provider kept {kept}"
            if row.status == "refunded" and (kept != 0 or charged == 0):
                yield f"{row.id}: is refunded, charged {charged}, kept {kept}"
            if row.status in PAID and row.captured != charged:
                yield f"{row.id}: our tables say captured {row.captured}, the provider {charged}"

    def _goods(self):
        """At most one shipment, only of what is paid; fulfilled is shipped."""
        for row in self.orders.values():
            shipped = len(self.shipments[row.id])
            if shipped > 1:
                yield f"{row.id}: shipped {shipped} times"
            if shipped and not self.charges[row.id]:
                yield f"{row.id}: shipped and never charged"
            if (row.status == "fulfilled") != (row.shipments == 1):
                yield f"{row.id}: is {row.status} with {row.shipments} shipments in our tables"
            if row.status == "fulfilled" and shipped != 1:
                yield f"{row.id}: is fulfilled, the carrier has {shipped} shipments"

    def _strangers(self):
        for kind in ("charges", "refunds", "shipments"):
            for public, facts in getattr(self, kind).items():
                if facts and public not in self.orders:
                    yield f"{public}: {len(facts)} {kind} in the ledger, and no such order"

    def _stock(self):
        """Nothing is lost or made: what was stocked is available, held or shipped."""
        for sku, available, held in self.docket.sql(STOCK):
            if sku in self.docket.stock and available + held != self.docket.stock[sku]:
                yield f"{sku}: {available} available and {held} held or shipped, of {self.docket.stock[sku]}"
