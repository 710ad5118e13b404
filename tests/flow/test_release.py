"""Parked tasks that nothing holds back any more are let out."""
from harness import wait_for
from harness.relay import finish_tasks, make_orders

PARKED = "SELECT count(*) FROM task WHERE parked_at IS NOT NULL"
HELD = 60  # more than the relay moves at once at first


def park(docket, count):
    with docket.services.connect(docket.database) as link:
        orders = make_orders(docket, count, link=link)
        link.cursor().execute("UPDATE task SET state = 4, parked_at = now() WHERE order_id = ANY (%s::uuid[])", (orders,))
        link.cursor().execute("DELETE FROM outbox")
    link.close()
    return sorted(orders)


def test_whom_somebody_holds_holds_up_nobody_behind(docket):
    orders = park(docket, 300)
    other = docket.services.connect(docket.database)
    other.cursor().execute("SELECT FROM orders WHERE id = ANY (%s::uuid[]) FOR UPDATE", (orders[:HELD],))
    docket.start("relay")
    wait_for(lambda: docket.one(PARKED) == HELD, 30, "all others are out")
    other.rollback()
    other.close()
    wait_for(lambda: docket.one(PARKED) == 0, 40, "those, too")
    finish_tasks(docket)
