-- What is under the keys and carts of a batch.  The order of whoever holds the key (or else the cart)
-- comes along.
-- ORDER BY of one row leaves a plan no choice: by the account alone, all of its keys would be read for each, while the
-- planner takes the table for empty.
--   $1 account ids  $2 keys  $3 carts or NULL
SELECT batch.position::int4,
       by_key.order_id, by_key.content_hash,
       by_cart.order_id, by_cart.content_hash,
       terms[1], terms[2], terms[3]
FROM unnest($1::int8[], $2::text[], $3::text[])
     WITH ORDINALITY AS batch(account_id, key, cart, position)
LEFT JOIN LATERAL (
    SELECT k.key, k.order_id, k.content_hash FROM order_key k
    WHERE k.account_id = batch.account_id AND k.key >= batch.key AND k.key <= batch.key ORDER BY k.key LIMIT 1
) by_key ON true
LEFT JOIN LATERAL (
    SELECT k.order_id, k.content_hash FROM order_key k
    WHERE k.account_id = batch.account_id AND k.cart >= batch.cart AND k.cart <= batch.cart ORDER BY k.cart LIMIT 1
) by_cart ON true
CROSS JOIN LATERAL (
    SELECT CASE WHEN by_key.key IS NOT NULL THEN order_terms(by_key.order_id)
                WHEN by_cart.order_id IS NOT NULL THEN order_terms(by_cart.order_id) END AS terms
    OFFSET 0
) o
