-- Prints that are older than any window in which orders are held against each other.
--   $1 fence   $2 rows at most
-- One row back: how many went.
WITH gone AS (
    DELETE FROM order_print p
    USING (SELECT print, order_id FROM order_print
           WHERE order_id < month_floor(now() - interval '25 hours')
             AND EXISTS (SELECT FROM relay_lease WHERE fence = $1::int8)
           ORDER BY order_id LIMIT $2::int4) AS old
    WHERE p.print = old.print AND p.order_id = old.order_id
    RETURNING p.order_id
)
SELECT count(*)::int4 AS gone FROM gone
