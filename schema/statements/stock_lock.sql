-- Locks the stock of the batch, in the order of the skus, and tells what is there.
--   $1 distinct skus
SELECT s.sku, s.available
FROM unnest($1::text[]) AS w (sku)
JOIN stock s ON s.sku = w.sku
ORDER BY s.sku
FOR UPDATE OF s
