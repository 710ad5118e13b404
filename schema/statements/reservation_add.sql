-- What is held, by whom.
--   $1 order ids   $2 skus   $3 pieces
-- of one month: also on the own tables of the month that all of the batch is of (schema/month.h).
INSERT INTO reservation (order_id, sku, quantity)
SELECT order_id, sku, sum(quantity)
FROM unnest($1::uuid[], $2::text[], $3::int4[]) AS w (order_id, sku, quantity)
GROUP BY order_id, sku
ON CONFLICT (order_id, sku) DO UPDATE SET quantity = excluded.quantity, state = 1
