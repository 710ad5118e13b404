"""What statements read while their plan is of a time when the tables were otherwise: as autovacuum leaves it, for hours."""
from harness.plans import blocks_read, prepare


def test_a_lane_does_not_step_over_the_rows_of_another(docket):
    """All that was there when the planner looked was of one topic."""
    docket.sql("INSERT INTO outbox (topic, order_ids, traces) SELECT 1, array_fill(gen_random_uuid(), ARRAY[50]), "
               "array_fill(''::text, ARRAY[50]) FROM generate_series(1, 5000)")
    docket.sql("ANALYZE outbox")
    link = docket.services.connect(docket.database, "docket_relay")
    with link.cursor() as cursor:
        cursor.execute("SET plan_cache_mode = force_generic_plan")
        prepare(cursor, "outbox_poll")
        blocks = blocks_read(cursor, "outbox_poll (10, '{2,1}', '{0,0}', '{}', false)")
    link.close()
    assert blocks < 50, blocks
