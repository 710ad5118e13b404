-- Takes what was granted, once a sku.
--   $1 skus   $2 pieces
UPDATE stock s SET available = s.available - w.quantity
FROM unnest($1::text[], $2::int8[]) AS w (sku, quantity)
WHERE s.sku = w.sku
