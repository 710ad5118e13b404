"""A flood of retries: all become ready, a page costs the same however many did before, and holds its orders no longer
than a customer may wait who cancels one of them."""
import pytest

from harness import must, wait_for
from harness.plans import prepare, ran
from harness.relay import finish_tasks, make_orders

PAGE = 500  # PORTION_MOST of queue/portion.h
WAITING = "SELECT count(*) FROM task WHERE state = 3"


@pytest.fixture(name="shop")
def lend_shop(docket):
    yield docket
    finish_tasks(docket)


@pytest.fixture(name="snapshot")
def hold_snapshot(shop):
    """Vacuum and the index keep whatever it might still read."""
    link = shop.services.connect(shop.database)
    link.cursor().execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM task")
    yield link
    link.close()


def make_due(shop, count):
    orders = make_orders(shop, count, state=3, due_s=-3600)
    shop.sql("UPDATE task SET due_at = due_at + random() * interval '30 minutes' WHERE order_id = ANY (%s::uuid[])", orders)
    return orders


@pytest.mark.usefixtures("snapshot")
def test_a_page_costs_the_same_however_many_came_before(shop):
    make_due(shop, 6 * PAGE)
    fence = shop.one("SELECT fence FROM relay_lease")
    link, blocks, reached = shop.services.connect(shop.database, "docket_relay"), [], 0
    with link.cursor() as cursor:
        prepare(cursor, "due_ready")
        for _ in range(6):
            plan = ran(cursor, f"due_ready ({fence}, {reached}, {PAGE}, 'test')")
            reached = shop.one("SELECT (extract(epoch FROM due_at) * 1000000)::int8 FROM task WHERE due_at < now() "
                               "ORDER BY due_at OFFSET %s LIMIT 1", PAGE - 1)  # seen from outside: it waits yet
            due, = (part for part in plan["Plans"] if part.get("Subplan Name") == "CTE due")
            blocks.append(due["Shared Hit Blocks"] + due["Shared Read Blocks"])
            link.commit()
    link.close()
    must(shop.one(WAITING), 0, "tasks that wait")
    assert blocks[-1] < 1.5 * blocks[0], blocks


@pytest.mark.usefixtures("snapshot")
def test_all_become_ready_and_who_was_held_by_somebody_soon_after(shop):
    """More than a page, the first of them locked, which are more than are moved at once and fell due at one moment: the
    relay goes on behind them, and comes back."""
    orders = make_due(shop, 3 * PAGE)
    first = [row[0] for row in shop.sql("SELECT order_id::text FROM task WHERE state = 3 ORDER BY due_at LIMIT 60")]
    shop.sql("UPDATE task SET due_at = (SELECT min(due_at) FROM task) WHERE state = 3 AND order_id = ANY (%s::uuid[])", first)
    other = shop.services.connect(shop.database)
    other.cursor().execute("SELECT FROM orders WHERE id = ANY (%s::uuid[]) FOR UPDATE", (first,))
    shop.start("relay")
    wait_for(lambda: shop.one(WAITING) == len(first), 30, "all others are ready")
    other.rollback()
    other.close()
    wait_for(lambda: shop.one(WAITING) == 0, 30, "those, too")
    must(shop.one("SELECT count(*), count(DISTINCT order_id) FROM order_event WHERE kind = 'due' "
                  "AND order_id = ANY (%s::uuid[])", orders), (len(orders), len(orders)), "events")
    shop.stop("relay")


@pytest.fixture(name="slow")
def slow_down(shop):
    """Each order that becomes ready takes 4 ms, as if it were read from a disk."""
    shop.sql("CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.004); RETURN NEW; END'; "
             "CREATE TRIGGER slow BEFORE INSERT ON order_event FOR EACH ROW WHEN (NEW.kind = 'due') EXECUTE FUNCTION take_time()")
    yield
    shop.sql("DROP TRIGGER slow ON order_event; DROP FUNCTION take_time()")


@pytest.mark.usefixtures("slow")
def test_where_moving_is_slow_fewer_are_moved_at_once(shop):
    """Those of one transaction have one time."""
    orders = make_due(shop, 300)
    shop.start("relay")
    wait_for(lambda: shop.one(WAITING) == 0, 60, "all are ready")
    moved = [count for count, in shop.sql("SELECT count(*) FROM order_event WHERE kind = 'due' AND order_id = ANY (%s::uuid[]) "
                                          "GROUP BY at ORDER BY at", orders)]
    must(sum(moved), len(orders), "orders that were moved")
    assert moved[0] <= 50 and max(moved[3:]) <= 25, moved  # PORTION_FIRST is 50, and 25 take 100 ms
