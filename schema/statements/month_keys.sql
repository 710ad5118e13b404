-- Forgets the keys of a month's orders that lie in one stretch of the table.  Keys have no index by
-- order: that would cost each accepted order more than this one pass over the table a month does.
--   $1 "2026-01"   $2 first block   $3 the block behind the last one
-- One row back: how many there were, and the blocks of the whole table.
WITH gone AS (
    DELETE FROM order_key
    WHERE ctid >= format('(%s,0)', $2::int8)::tid AND ctid < format('(%s,0)', $3::int8)::tid
      AND order_id >= month_floor_utc(to_date($1::text, 'YYYY-MM'))
      AND order_id < month_floor_utc((to_date($1::text, 'YYYY-MM') + interval '1 month')::date)
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone),
       pg_relation_size('order_key') / current_setting('block_size')::int8
