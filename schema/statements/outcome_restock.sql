-- Gives the stock back that orders held, of the outcomes that outcome.sql has just written, in the same
-- transaction.  Who won there is known by its order's row, which is this transaction's own.
--   $1 order ids  $2 versions that outcome.sql expected
WITH winner AS MATERIALIZED (
    SELECT w.order_id
    FROM unnest($1::uuid[], $2::int4[]) AS w (order_id, version)
    CROSS JOIN LATERAL (
        SELECT FROM orders o
        WHERE o.id = w.order_id AND o.version = w.version + 1 AND o.xmin = pg_current_xact_id()::xid
        LIMIT 1
    ) AS o
), released AS (
    UPDATE reservation r SET state = 3
    FROM (SELECT order_id FROM winner LIMIT cardinality($1::uuid[])) AS w
    WHERE r.order_id = w.order_id AND r.state = 1
    RETURNING r.sku, r.quantity
), returned AS MATERIALIZED (
    SELECT x.sku, x.quantity, x.seen
    FROM (SELECT sku, sum(quantity) AS quantity,
                 (SELECT max(n.version) FROM stock n WHERE n.sku = r.sku) AS seen
          FROM released r GROUP BY sku ORDER BY sku) AS x
    CROSS JOIN LATERAL (
        SELECT FROM stock s WHERE s.sku = x.sku ORDER BY s.version DESC LIMIT 1 FOR UPDATE
    ) AS s
)
UPDATE stock s SET available = s.available + x.quantity, version = s.version + 1
FROM returned x WHERE s.sku = x.sku AND s.version >= x.seen  -- it has risen while it was waited for
