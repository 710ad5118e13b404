-- Locks the stock of the batch, in the order of the skus, and tells what is there.
--   $1 distinct skus
SELECT s.sku, s.available
FROM (SELECT w.sku FROM unnest($1::text[]) AS w (sku) ORDER BY w.sku) AS w
CROSS JOIN LATERAL (
    SELECT s.sku, s.available FROM stock s WHERE s.sku = w.sku ORDER BY s.version DESC LIMIT 1 FOR UPDATE
) AS s
