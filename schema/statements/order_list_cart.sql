-- The order of a cart, if it fits: the same columns and parameters as order_list.
--   $1 account  $2 ids below this  $3 ids from this  $4 statuses or NULL  $5 final or NULL
--   $6 sku or NULL  $7 cart
SELECT o.id, true, false
FROM order_key k
JOIN orders o ON o.id = k.order_id
WHERE k.account_id = $1::int8 AND k.cart = $7::text
  AND o.id < $2::uuid AND o.id >= $3::uuid
  AND ($4::int2[] IS NULL OR o.status = ANY ($4::int2[]))
  AND ($5::bool IS NULL OR o.final = $5::bool)
  AND ($6::text IS NULL OR coalesce((SELECT true FROM order_line line
                                     WHERE line.order_id = o.id AND line.sku = $6::text
                                     LIMIT 1), false))
LIMIT 1
