-- Gives the stock back that orders held, of the outcomes that outcome.sql has just written, in the same
-- transaction.  Who won there is known by its order's row, which is this transaction's own.
--   $1 order ids  $2 versions that outcome.sql expected
SELECT stock_return(array_agg(w.order_id))
FROM unnest($1::uuid[], $2::int4[]) AS w (order_id, version)
CROSS JOIN LATERAL (
    SELECT FROM orders o
    WHERE o.id = w.order_id AND o.version = w.version + 1 AND o.xmin = pg_current_xact_id()::xid
    LIMIT 1
) AS o
