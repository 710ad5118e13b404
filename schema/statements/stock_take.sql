-- Takes what was granted, once a sku, of rows that stock_lock.sql has locked.
--   $1 skus   $2 pieces
-- MATERIALIZED, LIMIT and ANY (ARRAY[…]) change nothing but the plan: else it may look for a row by its sku alone, or go through the
-- whole table, and walk over all that are kept.
WITH newest AS MATERIALIZED (
    SELECT w.sku, w.quantity, n.version
    FROM (SELECT w.sku, w.quantity FROM unnest($1::text[], $2::int8[]) AS w (sku, quantity)
          LIMIT cardinality($1::text[])) AS w
    CROSS JOIN LATERAL (
        SELECT n.version FROM stock n WHERE n.sku = w.sku ORDER BY n.version DESC LIMIT 1
    ) AS n
)
UPDATE stock s SET available = s.available - n.quantity, version = s.version + 1
FROM newest n WHERE s.sku = ANY (ARRAY[n.sku]) AND s.version = n.version
