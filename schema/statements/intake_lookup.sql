-- What is under the keys and carts of a batch, seen after its own inserts and after those that they
-- waited for.  The order of whoever holds the key (or else the cart) comes along, unless it is the
-- one that this batch has made.
--   $1 account ids  $2 keys  $3 carts or NULL  $4 order ids that this batch has made, or NULL
SELECT batch.position::int4,
       by_key.order_id, by_key.content_hash,
       by_cart.order_id, by_cart.content_hash,
       terms[1], terms[2], terms[3]
FROM unnest($1::int8[], $2::text[], $3::text[], $4::uuid[])
     WITH ORDINALITY AS batch(account_id, key, cart, order_id, position)
LEFT JOIN order_key by_key ON by_key.account_id = batch.account_id AND by_key.key = batch.key
LEFT JOIN order_key by_cart ON by_cart.account_id = batch.account_id AND by_cart.cart = batch.cart
CROSS JOIN LATERAL (
    SELECT CASE WHEN by_key.order_id = batch.order_id THEN NULL
                WHEN by_key.key IS NOT NULL THEN order_terms(by_key.order_id)
                WHEN by_cart.order_id IS NOT NULL THEN order_terms(by_cart.order_id) END AS terms
    OFFSET 0
) o
