-- Takes what was granted, once a sku, of rows that stock_lock.sql has locked.
--   $1 skus   $2 pieces
-- MATERIALIZED: else a plan may look for the row by its sku alone, and walk over all that are kept of it.
WITH newest AS MATERIALIZED (
    SELECT w.sku, w.quantity, n.version
    FROM unnest($1::text[], $2::int8[]) AS w (sku, quantity)
    CROSS JOIN LATERAL (
        SELECT n.version FROM stock n WHERE n.sku = w.sku ORDER BY n.version DESC LIMIT 1
    ) AS n
)
UPDATE stock s SET available = s.available - n.quantity, version = s.version + 1
FROM newest n WHERE s.sku = n.sku AND s.version = n.version
